"""Events to bytes and back, in Confluent's wire format: a zero byte, the schema id (4 bytes, big endian), Avro.

Any schema that the registry knows is resolved to this version's contract (Avro specification, "Schema Resolution").
Where it is this version's contract, there is nothing to resolve, and `schemas.direct_avro` reads and writes; fastavro
does the rest, refusals included.
"""

import io
import struct
from typing import Any

import fastavro
import fastavro.schema

from schemas import direct_avro
from schemas.contracts import contract, is_same_layout, parse_plain
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
        self._write: dict[str, tuple[bytes, Any, direct_avro.Write | None]] = {}
        self._readers: dict[type, Any] = {}
        self._writers: dict[int, Any] = {}
        self._direct: dict[tuple[type, bytes], direct_avro.Read | None] = {}
        self._extend: dict[tuple[str, type], tuple[bytes, direct_avro.Extend]] = {}

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
        header, schema, write = self._for_writing(topic)
        if write is not None:
            try:
                return write(header, event)
            except direct_avro.ERRORS:
                pass  # fastavro knows better whether the event is wrong, and says why
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

    def is_direct(self, cls: type, value: bytes) -> bool:
        """Whether a value was written with this version's contract of the class, as far as is known by now.

        For who looks at bytes with a function of `schemas.direct_avro` or `schemas.direct_survey`.
        """
        return self._direct.get((cls, value[:HEADER_BYTES])) is not None

    def relabel(self, topic: Topic, value: bytes) -> bytes | None:
        """The value as it would stand on another topic, without decoding it.

        Args:
            topic: where it is to go.
            value: what `decode_as` has decoded to the topic's class, or could: see `is_direct`.

        Returns:
            None where it was not written with the topic's contract, so that it has to be encoded.

        Raises:
            RegistryUnavailable: first use of the topic, and no answer.
        """
        if topic.event is None or self._direct.get((topic.event, value[:HEADER_BYTES])) is None:
            return None
        header = self._for_writing(topic)[0]
        return value if value.startswith(header) else header + value[HEADER_BYTES:]

    def extend(self, topic: Topic, base: type, value: bytes, *fields: Any) -> bytes | None:
        """The value of an event that is another one and more, without decoding that.

        Args:
            topic: where it is to go; the contract of its class begins with that of `base`.
            base: class of the value.
            value: see `is_direct`.
            fields: those that `base` does not have, in the order of the contract.

        Returns:
            None where the event has to be made and encoded.

        Raises:
            RegistryUnavailable: first use of the topic, and no answer.
        """
        if self._direct.get((base, value[:HEADER_BYTES])) is None:
            return None
        found = self._extend.get((topic.name, base))
        if found is None:
            assert topic.event is not None
            made = direct_avro.extender(base, topic.event)
            if made is None:
                return None
            found = self._extend[topic.name, base] = (self._for_writing(topic)[0], made)
        header, write = found
        try:
            return write(header + value[HEADER_BYTES:], *fields)
        except direct_avro.ERRORS:
            return None

    def decode_as(self, cls: type[Event], value: bytes | None) -> Event:
        """`decode` for a class instead of a topic."""
        if value:
            read = self._direct.get((cls, value[:HEADER_BYTES]))
            if read is not None:
                try:
                    event: Event = read(value, HEADER_BYTES)
                except direct_avro.ERRORS:
                    pass  # fastavro knows better whether the bytes are wrong, and says why
                else:
                    return event
        return self._resolve(cls, value)

    def _resolve(self, cls: type[Event], value: bytes | None) -> Event:
        """Decode by fastavro; note whether the values of this id need that."""
        schema_id = schema_id_of(value)
        assert value is not None
        writer = self._for_reading(schema_id)
        reader = self._reader(cls)
        place = (cls, value[:HEADER_BYTES])
        if place not in self._direct:
            self._direct[place] = _direct_reader(cls) if is_same_layout(writer, reader) else None
            if self._direct[place] is not None:  # the first value of an id is read as all later ones are
                return self.decode_as(cls, value)
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

    def _for_writing(self, topic: Topic) -> tuple[bytes, Any, direct_avro.Write | None]:
        found = self._write.get(topic.subject)
        if found is None:
            assert topic.event is not None
            schema = contract(topic.event)
            schema_id = self._registry.register(topic.subject, schema)
            parsed = self._reader(topic.event)
            self._writers[schema_id] = parsed
            header = _HEADER.pack(MAGIC, schema_id)
            self._direct[topic.event, header] = direct_avro.reader(topic.event)
            found = self._write[topic.subject] = (header, parsed, direct_avro.writer(topic.event))
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


def _direct_reader(cls: type) -> direct_avro.Read | None:
    return direct_avro.reader(cls)


def _name(cls: type | None) -> str:
    return cls.__name__ if cls is not None else "no Avro"
