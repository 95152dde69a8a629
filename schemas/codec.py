"""Events to bytes and back, in Confluent's wire format: a zero byte, the schema id (4 bytes, big endian), Avro.

Any schema that the registry knows is resolved to this version's contract (Avro specification, "Schema Resolution").
"""

import io
import struct
from typing import Any

import fastavro
import fastavro.schema

from schemas.contracts import contract, parse_plain
from schemas.errors import SchemaError
from schemas.records import Event, from_record, to_record
from schemas.registry import SchemaRegistry
from schemas.topics import Topic

MAGIC = 0
HEADER_BYTES = 5
_HEADER = struct.Struct(">bI")


class EventCodec:
    """Encodes and decodes the events of the topic catalogue.

    Parsed schemas are kept: a record costs no registry call after the first of its id.

    Args:
        registry: where ids come from.
    """

    def __init__(self, registry: SchemaRegistry) -> None:
        self._registry = registry
        self._write: dict[str, tuple[bytes, Any]] = {}
        self._readers: dict[type, Any] = {}
        self._writers: dict[int, Any] = {}

    def prepare(self, *topics: Topic) -> None:
        """Register the topics' contracts now, so that a registry that is away later stops nobody.

        Raises:
            SchemaError: a contract is incompatible with what is registered.
            RegistryUnavailable: no answer.
        """
        for topic in topics:
            if topic.event is not None:
                self._for_writing(topic)

    def encode(self, topic: Topic, event: Any) -> bytes:
        """Value bytes of an event.

        Raises:
            SchemaError: the event is not of the topic's class, or a field does not fit its type.
            RegistryUnavailable: first use of the topic, and no answer.
        """
        if type(event) is not topic.event:
            raise SchemaError(f"{topic.name} carries {_name(topic.event)}, not {type(event).__name__}")
        header, schema = self._for_writing(topic)
        out = io.BytesIO()
        out.write(header)
        try:
            fastavro.schemaless_writer(out, schema, to_record(event))
        except (ValueError, TypeError, AttributeError, OverflowError, struct.error) as error:
            raise SchemaError(f"{type(event).__name__} does not follow its contract: {error}") from error
        return out.getvalue()

    def decode(self, topic: Topic, value: bytes | None) -> Any:
        """The event of value bytes, resolved from the schema that wrote them.

        Raises:
            SchemaError: not Confluent Avro, bytes left over or missing, or a schema that cannot become this topic's.
            UnknownSchemaId: the registry does not know the id.
            RegistryUnavailable: first use of the id, and no answer; the record itself may be fine.
        """
        if topic.event is None:
            raise SchemaError(f"{topic.name} does not carry Avro")
        return self.decode_as(topic.event, value)

    def decode_as(self, cls: type[Event], value: bytes | None) -> Event:
        """`decode` for a class instead of a topic."""
        schema_id = schema_id_of(value)
        assert value is not None
        writer = self._for_reading(schema_id)
        reader = self._reader(cls)
        source = io.BytesIO(value)
        source.seek(HEADER_BYTES)
        try:
            record = fastavro.schemaless_reader(source, writer, None if writer is reader else reader)
            if source.tell() != len(value):
                raise SchemaError(f"{len(value) - source.tell()} bytes left after the record")
            return from_record(cls, record)  # type: ignore[arg-type]  # a record schema gives a dict
        except SchemaError:
            raise
        except (
            EOFError,
            ValueError,
            TypeError,
            IndexError,
            KeyError,
            OverflowError,
            MemoryError,
            RecursionError,
        ) as error:
            raise SchemaError(
                f"not a {_name(cls)} of schema id {schema_id}: {str(error)[:300] or type(error).__name__}"
            ) from error
        except fastavro.read.SchemaResolutionError as error:
            raise SchemaError(f"schema id {schema_id} cannot become a {_name(cls)}: {error!s:.300}") from error

    def _for_writing(self, topic: Topic) -> tuple[bytes, Any]:
        found = self._write.get(topic.name)
        if found is None:
            assert topic.event is not None
            schema = contract(topic.event)
            schema_id = self._registry.register(topic.subject, schema)
            parsed = self._reader(topic.event)
            self._writers[schema_id] = parsed
            found = self._write[topic.name] = (_HEADER.pack(MAGIC, schema_id), parsed)
        return found

    def _for_reading(self, schema_id: int) -> Any:
        found = self._writers.get(schema_id)
        if found is None:
            schema = self._registry.schema_by_id(schema_id)
            try:
                found = parse_plain(schema)
            except (
                fastavro.schema.SchemaParseException,
                fastavro.schema.UnknownType,
                KeyError,
                TypeError,
            ) as error:
                raise SchemaError(f"schema id {schema_id} is no Avro schema: {error}") from error
            self._writers[schema_id] = found
        return found

    def _reader(self, cls: type) -> Any:
        found = self._readers.get(cls)
        if found is None:
            found = self._readers[cls] = parse_plain(contract(cls))
        return found


def schema_id_of(value: bytes | None) -> int:
    """The schema id in front of a value.

    Raises:
        SchemaError: the value is empty, too short, or does not start with the magic byte.
    """
    if not value:
        raise SchemaError("the value is empty")
    if value[0] != MAGIC:
        raise SchemaError(f"the value starts with byte 0x{value[0]:02x}; Confluent Avro starts with 0x00")
    if len(value) < HEADER_BYTES:
        raise SchemaError(f"the value has {len(value)} bytes; a magic byte and schema id alone take {HEADER_BYTES}")
    schema_id: int = _HEADER.unpack_from(value)[1]
    return schema_id


def _name(cls: type | None) -> str:
    return cls.__name__ if cls is not None else "no Avro"
