"""The pause that an HTTP server asks for."""


def seconds(header: str | None) -> float | None:
    """Retry-After in seconds (RFC 9110, 10.2.3); None for a date, for nonsense and for none."""
    text = (header or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
