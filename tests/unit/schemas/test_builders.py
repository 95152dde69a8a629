"""Built objects are what constructors give."""

import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, replace
from typing import Any

import pytest

from schemas.builders import builder
from schemas.events import Plate
from tests.unit.schemas.golden_samples import SAMPLES


@pytest.mark.parametrize("name", SAMPLES)
def test_built_event_is_the_constructed_one(name: str) -> None:
    """Equal, of the class, frozen, copied and pickled like any other."""
    event = SAMPLES[name]
    values = [getattr(event, field.name) for field in fields(event)]
    build: Any = builder(type(event))
    built = build(*values)
    assert type(built) is type(event)
    assert built == event
    assert repr(built) == repr(event)
    assert replace(built) == event
    assert pickle.loads(pickle.dumps(built)) == event
    with pytest.raises(FrozenInstanceError):
        setattr(built, fields(event)[0].name, 1)
    with pytest.raises(TypeError):
        build(*values[1:])


def test_built_objects_hash_alike() -> None:
    """They stand for each other as keys."""
    assert {builder(Plate)("A", "A", 0.5, None, ())} == {Plate("A", "A", 0.5)}


def test_class_that_does_more_when_it_is_made_is_refused() -> None:
    """A builder would pass over it."""

    @dataclass(frozen=True, slots=True)
    class Checked:
        """Checks itself."""

        value: int

        def __post_init__(self) -> None:
            assert self.value > 0

    @dataclass(frozen=True)
    class Open:
        """Has no slots."""

        value: int

    for cls in (Checked, Open, int):
        with pytest.raises(TypeError, match="no plain dataclass"):
            builder(cls)
