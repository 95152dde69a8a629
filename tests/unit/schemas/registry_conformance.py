"""What every schema registry must do, whichever one it is."""

import copy
from typing import Any
from uuid import uuid4

import pytest

from schemas.codec import EventCodec
from schemas.contracts import contract
from schemas.errors import SchemaError, UnknownSchemaId
from schemas.events import Detection, Metric
from schemas.registry import SchemaRegistry
from schemas.topics import Topic
from tests.unit.schemas.golden_samples import SAMPLES


class RegistryConformance:
    """Subclasses give the fixture `registry`. Subjects are new in each test."""

    @pytest.fixture
    def subject(self) -> str:
        """A subject that nobody has used."""
        return f"conformance-{uuid4().hex}-value"

    def test_same_schema_has_the_same_id(self, registry: SchemaRegistry, subject: str) -> None:
        """Registering again changes nothing, also from another client."""
        schema = contract(Detection)
        first = registry.register(subject, schema)
        assert registry.register(subject, copy.deepcopy(schema)) == first

    def test_schema_comes_back(self, registry: SchemaRegistry, subject: str) -> None:
        """The schema of an id is what was registered."""
        schema = contract(Metric)
        assert registry.schema_by_id(registry.register(subject, schema)) == schema

    def test_other_schema_has_another_id(self, registry: SchemaRegistry, subject: str) -> None:
        """Ids tell schemas apart."""
        assert registry.register(subject, contract(Metric)) != registry.register(f"x-{subject}", contract(Detection))

    def test_unknown_id(self, registry: SchemaRegistry) -> None:
        """An id that was never given is a schema error, twice in a row as well."""
        for _ in range(2):
            with pytest.raises(UnknownSchemaId, match="999999999"):
                registry.schema_by_id(999_999_999)

    def test_new_subject_takes_anything(self, registry: SchemaRegistry, subject: str) -> None:
        """There is nothing yet to break."""
        assert registry.is_compatible(subject, contract(Detection))

    def test_codec_works_on_it(self, registry: SchemaRegistry, subject: str) -> None:
        """What one process writes another one reads."""
        topic = Topic(subject.removesuffix("-value"), Detection, key="-", doc="-")
        value = EventCodec(registry).encode(topic, SAMPLES["Detection"])
        assert EventCodec(registry).decode(topic, value) == SAMPLES["Detection"]

    @pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"type": "record", "name": "x"}])
    def test_what_is_no_schema_is_refused_or_useless(
        self, registry: SchemaRegistry, subject: str, schema: dict[str, Any]
    ) -> None:
        """Refused at registration, or a schema error for who wants to read with it; never another exception."""
        try:
            schema_id = registry.register(subject, schema)
        except SchemaError:
            return
        with pytest.raises(SchemaError):
            EventCodec(registry).decode_as(Detection, b"\0" + schema_id.to_bytes(4, "big") + b"x")
