"""Which text can be stored and searched at all."""


def is_storable(text: str) -> bool:
    """Whether PostgreSQL and UTF-8 take it: no NUL character, no half of a surrogate pair."""
    return "\x00" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))
