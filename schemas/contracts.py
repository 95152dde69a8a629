"""The Avro contracts of ``avro/*.avsc``, loaded once, in the two forms that the codec needs."""

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import fastavro.schema

NAMESPACE = "alpr"
_ORDER = ("type", "name", "namespace", "logicalType", "doc", "symbols", "items", "values", "default", "fields")
AVRO_DIR = Path(str(resources.files("schemas").joinpath("avro")))


@cache
def contract(event: type) -> dict[str, Any]:
    """The self-contained Avro schema of an event class, as registered (logical types and docs included).

    The class ``Sighting`` belongs to the file ``alpr.Sighting.avsc``; named types that it uses stand in files of their
    own and are put in at their first use.

    Raises:
        LookupError: there is no such file; the class is no event.
    """
    path = AVRO_DIR / f"{NAMESPACE}.{event.__name__}.avsc"
    if not path.is_file():
        raise LookupError(f"{event.__name__} has no contract: {path.name} is missing")
    loaded = _ordered(_without(fastavro.schema.load_schema(str(path)), lambda key: key.startswith("__")))
    assert isinstance(loaded, dict)
    return loaded


def parse_plain(schema: Any) -> Any:
    """Parse a schema so that logical types stay what they are on the wire.

    Times come out as integers (`schemas.clock.Micros`), not as datetimes: they are compared and subtracted far more
    often than shown, and converting costs more than the rest of the decoding.

    Raises:
        fastavro.schema.SchemaParseException: not an Avro schema.
    """
    return fastavro.schema.parse_schema(_without(schema, lambda key: key == "logicalType"))


def is_same_layout(a: Any, b: Any) -> bool:
    """Whether records of both parsed schemas have the same bytes and names (Avro: "Parsing Canonical Form")."""
    return a is b or bool(fastavro.schema.to_parsing_canonical_form(a) == fastavro.schema.to_parsing_canonical_form(b))


def _ordered(schema: Any) -> Any:
    """The same schema with its attributes in one order.

    fastavro collects attributes in a set, whose order differs between processes; a registry that compares texts would
    take each process's contract for a new version.
    """
    if isinstance(schema, dict):
        names = sorted(schema, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
        return {name: schema[name] if name == "default" else _ordered(schema[name]) for name in names}
    if isinstance(schema, list):
        return [_ordered(item) for item in schema]
    return schema


def _without(schema: Any, unwanted: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without(value, unwanted) for key, value in schema.items() if not unwanted(key)}
    if isinstance(schema, list):
        return [_without(item, unwanted) for item in schema]
    return schema
