"""Between event dataclasses and plain records (nested dicts), for Avro and for JSON.

The converters are built once per class from its type hints, so an event class needs no code of its own.
"""

import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from schemas.clock import Micros, to_iso

Event = TypeVar("Event")
Convert = Callable[[Any], Any]
_MICROS_MARK = get_args(Micros)[1]
_READERS: dict[type, Convert] = {}
_WRITERS: dict[type, Convert] = {}
_JSON_WRITERS: dict[type, Convert] = {}


def to_record(event: Any) -> dict[str, Any]:
    """The Avro record of an event: nested dicts and lists, times as microseconds."""
    record: dict[str, Any] = (_WRITERS.get(type(event)) or _writer(type(event), False))(event)
    return record


def to_json_record(event: Any) -> dict[str, Any]:
    """The same for people and JSON: times as ISO 8601, bytes as hexadecimal text."""
    record: dict[str, Any] = (_JSON_WRITERS.get(type(event)) or _writer(type(event), True))(event)
    return record


def from_record(cls: type[Event], record: dict[str, Any]) -> Event:
    """Build an event from an Avro record that followed its contract.

    Raises:
        TypeError: a field is missing.
    """
    event: Event = (_READERS.get(cls) or _reader(cls))(record)
    return event


def field_types(cls: type) -> dict[str, Any]:
    """Field name to type hint, with the `Micros` mark kept."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in fields(cls)}


def is_micros(hint: Any) -> bool:
    """Whether the hint is `Micros` or optional `Micros`."""
    return _MICROS_MARK in getattr(_required(hint), "__metadata__", ())


def _required(hint: Any) -> Any:
    """The hint without its None."""
    if get_origin(hint) in (Union, types.UnionType):
        return next(arg for arg in get_args(hint) if arg is not type(None))
    return hint


def _reader(cls: type) -> Convert:
    converters = [(name, _read_converter(_required(hint))) for name, hint in field_types(cls).items()]
    nested = [(name, convert) for name, convert in converters if convert is not None]

    def read(record: Any) -> Any:
        if record is None:
            return None
        values = dict(record)
        for name, convert in nested:
            if name in values:
                values[name] = convert(values[name])
        return cls(**values)

    _READERS[cls] = read
    return read


def _read_converter(hint: Any) -> Convert | None:
    if is_dataclass(hint):
        return _reader(hint)  # type: ignore[arg-type]  # is_dataclass narrows to instance-or-class
    if get_origin(hint) is tuple:
        convert = _read_converter(get_args(hint)[0])
        if convert is None:
            return tuple
        return lambda items: tuple([convert(item) for item in items])
    return None


def _writer(cls: type, for_json: bool) -> Convert:
    converters = [(name, _write_converter(hint, for_json)) for name, hint in field_types(cls).items()]

    def write(event: Any) -> Any:
        if event is None:
            return None
        record = {}
        for name, convert in converters:
            value = getattr(event, name)
            record[name] = value if convert is None or value is None else convert(value)
        return record

    (_JSON_WRITERS if for_json else _WRITERS)[cls] = write
    return write


def _write_converter(hint: Any, for_json: bool) -> Convert | None:
    if for_json and is_micros(hint):
        return to_iso
    hint = _required(hint)
    if is_dataclass(hint):
        return _writer(hint, for_json)  # type: ignore[arg-type]  # is_dataclass narrows to instance-or-class
    if get_origin(hint) is tuple:
        convert = _write_converter(get_args(hint)[0], for_json)
        if convert is None:
            return list
        return lambda items: [convert(item) for item in items]
    if for_json and hint is bytes:
        return bytes.hex
    return None
