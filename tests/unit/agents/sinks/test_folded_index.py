"""The database folds plates as the platform does."""

from agents.sinks.migrations import migrations
from schemas.confusion import FOLD


def test_indexes_fold_as_plate_identity_does() -> None:
    """The characters in the migrations are exactly those of the confusion model, in its order."""
    text = "".join(migration.text for migration in migrations())
    read = "".join(chr(code) for code in FOLD)
    first = "".join(str(target) for target in FOLD.values())
    assert text.count(f"'{read}', '{first}'") == text.count("translate(") == 3
