"""Functions that make objects of the frozen event classes at the cost of ordinary ones.

The constructor of a frozen dataclass sets each field through ``object.__setattr__``: for a detection that takes longer
than all of its decoding. A builder fills an object of a draft class, which has the same slots and is not frozen, and
gives it its real class at the end. Python allows that between classes of one layout (Language Reference, "__slots__":
"``__class__`` assignment works only if both classes have the same ``__slots__``").
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar

Event = TypeVar("Event")


def builder(cls: type[Event]) -> Callable[..., Event]:
    """A function that takes the values of all fields, in order or by name, and gives what the constructor gives.

    Raises:
        TypeError: the class is no frozen dataclass with slots, or does something when it is made.
    """
    made: Callable[..., Event] = _builder(cls)  # type: ignore[arg-type]  # a class is hashable
    return made


@cache
def _builder(cls: type) -> Callable[..., Any]:
    if not is_dataclass(cls) or hasattr(cls, "__post_init__") or cls.__dictoffset__:
        raise TypeError(f"{cls.__name__} is no plain dataclass with slots")
    draft = _draft(cls)
    trial: Any = object.__new__(draft)
    trial.__class__ = cls  # fails now rather than at the first event
    known: dict[str, Any] = {"new": object.__new__, "Draft": draft, "Class": cls}
    names = [field.name for field in fields(cls)]
    lines = [f"made.{name} = {name}" for name in names]
    body = ["made = new(Draft)", *lines, "made.__class__ = Class", "return made"]
    source = f"def build({', '.join(names)}):\n    " + "\n    ".join(body)
    exec(compile(source, f"<builder of {cls.__name__}>", "exec"), known)  # noqa: S102 - names of our own fields
    made: Callable[..., Any] = known["build"]
    return made


def _draft(cls: type) -> type:
    """A class with the same slots and bases that is not frozen."""
    namespace = {"__slots__": cls.__dict__["__slots__"], "__setattr__": object.__setattr__}
    return type(f"{cls.__name__}Draft", cls.__bases__, namespace)
