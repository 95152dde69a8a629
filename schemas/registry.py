"""The schema registry behind a port: Confluent's API over HTTP, and one in memory with the same conduct."""

import json
import ssl
import threading
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, Self

import fastavro.schema
import httpx
from schema_registry.client import SchemaRegistryClient
from schema_registry.client.errors import ClientError
from schema_registry.client.schema import AvroSchema

from schemas.endpoints import Endpoints
from schemas.errors import ConfigError, RegistryUnavailable, SchemaError, UnknownSchemaId

UNKNOWN_ID_TTL_S = 30.0
"""How long an id that the registry did not know is refused without asking again (random bytes would flood it)."""
MAX_UNKNOWN_IDS = 10_000
_NO_SCHEMA = (fastavro.schema.SchemaParseException, fastavro.schema.UnknownType, ValueError, TypeError, KeyError)
"""What the client raises for a schema that is no Avro (JSON Schema and Protobuf live in registries as well)."""

_NO_ANSWER = (ClientError, httpx.HTTPError, json.JSONDecodeError)
"""What it raises where no registry answers; a proxy's page is no JSON."""


class SchemaRegistry(Protocol):
    """What the codec needs of a registry. Implementations cache: an id never changes its schema."""

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """Id of the schema under the subject, registering it when it is new.

        Raises:
            SchemaError: it is incompatible with the subject's latest version, or no schema.
            RegistryUnavailable: no answer.
        """
        ...

    def schema_by_id(self, schema_id: int) -> dict[str, Any]:
        """The schema with this id.

        Raises:
            UnknownSchemaId: the registry has none.
            RegistryUnavailable: no answer.
        """
        ...

    def is_compatible(self, subject: str, schema: dict[str, Any]) -> bool:
        """Whether the schema may follow the subject's latest version (True for a new subject)."""
        ...


class HttpRegistry:
    """A Confluent-compatible registry (Confluent, Apicurio, Karapace) through python-schema-registry-client.

    Args:
        url: base URL of the Confluent API.
        timeout_s: for each request. The caller is often an event loop: an answer is awaited only at the first use of
            an id, and the wait is short.
        login: user and password (HTTP basic).
        ca_file: PEM file of the authorities of an https registry; None: the usual ones.

    Raises:
        ConfigError: the CA file cannot be read or holds no certificates.
    """

    def __init__(
        self,
        url: str,
        timeout_s: float = 5.0,
        *,
        login: tuple[str, str] | None = None,
        ca_file: Path | None = None,
    ) -> None:
        address = url.rstrip("/")
        self.url = _without_login(address)
        self._client = SchemaRegistryClient(
            url=address, timeout=httpx.Timeout(timeout_s), auth=None if login is None else httpx.BasicAuth(*login)
        )
        if ca_file is not None:  # the client's own ca_location counts only beside a client certificate
            self._client.client_kwargs["verify"] = _trusting(ca_file)
        self._ids: dict[tuple[str, str], int] = {}
        self._schemas: dict[int, dict[str, Any]] = {}
        self._unknown: dict[int, tuple[float, SchemaError]] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, endpoints: Endpoints, timeout_s: float = 5.0) -> Self:
        """The registry that the settings name, with their login.

        Raises:
            ConfigError: see the class.
        """
        password = endpoints.registry_password
        login = (endpoints.registry_username, password.get_secret_value() if password else "")
        return cls(
            endpoints.registry_url,
            timeout_s,
            login=(login[0], login[1]) if login[0] else None,
            ca_file=endpoints.registry_ca_file,
        )

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """See `SchemaRegistry.register`."""
        cache_key = (subject, json.dumps(schema, sort_keys=True))
        known = self._ids.get(cache_key)
        if known is not None:
            return known
        with self._lock:
            try:
                avro = AvroSchema(schema)
            except _NO_SCHEMA as error:
                raise SchemaError(f"{subject}: not an Avro schema: {error}") from error
            try:
                schema_id = self._client.register(subject, avro)
            except ClientError as error:
                if error.http_code in (409, 422):
                    raise SchemaError(
                        f"{subject}: the registry at {self.url} refuses the schema: {error.message} "
                        f"({error.server_traceback}). See `alpr schemas check`."
                    ) from error
                raise self._unavailable(error) from error
            except (httpx.HTTPError, json.JSONDecodeError, KeyError) as error:
                raise self._unavailable(error) from error
            self._ids[cache_key] = schema_id
            self._schemas[schema_id] = schema
        return schema_id

    def schema_by_id(self, schema_id: int) -> dict[str, Any]:
        """See `SchemaRegistry.schema_by_id`."""
        known = self._schemas.get(schema_id)
        if known is not None:
            return known
        until, refusal = self._unknown.get(schema_id, (0.0, None))
        if refusal is not None and until > monotonic():
            raise type(refusal)(str(refusal))  # a new one: tracebacks would pile up on the old
        with self._lock:
            try:
                found = self._client.get_by_id(schema_id)
            except ClientError as error:
                if error.http_code in (400, 404):
                    found = None
                else:
                    raise self._unavailable(error) from error
            except (httpx.HTTPError, json.JSONDecodeError) as error:
                raise self._unavailable(error) from error
            except _NO_SCHEMA as error:
                raise self._refuse(schema_id, SchemaError(f"schema id {schema_id} is no Avro: {error}")) from error
            if found is None:
                message = f"schema id {schema_id} is not in the registry at {self.url}"
                raise self._refuse(schema_id, UnknownSchemaId(message))
            schema = found.raw_schema
            if not isinstance(schema, dict):  # a bare type or a union
                raise self._refuse(schema_id, SchemaError(f"schema id {schema_id} is no record: {schema!r:.100}"))
            self._schemas[schema_id] = schema
        return schema

    def is_compatible(self, subject: str, schema: dict[str, Any]) -> bool:
        """See `SchemaRegistry.is_compatible`."""
        try:
            if subject not in self._client.get_subjects():
                return True
            return bool(self._client.test_compatibility(subject, AvroSchema(schema)))
        except _NO_ANSWER as error:
            raise self._unavailable(error) from error

    def subjects(self) -> list[str]:
        """All subjects that the registry knows.

        Raises:
            RegistryUnavailable: no answer.
        """
        try:
            return sorted(self._client.get_subjects())
        except _NO_ANSWER as error:
            raise self._unavailable(error) from error

    def latest(self, subject: str) -> tuple[int, int, dict[str, Any]] | None:
        """Version, id and schema of the subject's latest version; None for a subject without one.

        Raises:
            RegistryUnavailable: no answer.
        """
        try:
            found = self._client.get_schema(subject)
        except _NO_ANSWER as error:
            raise self._unavailable(error) from error
        if found is None or found.version is None or found.schema_id is None:
            return None
        return int(found.version), int(found.schema_id), dict(found.schema.raw_schema)

    def set_backward(self, subject: str) -> None:
        """Ask the registry to refuse versions that cannot read what the version before wrote.

        Raises:
            RegistryUnavailable: no answer.
        """
        try:
            self._client.update_compatibility("BACKWARD", subject)
        except _NO_ANSWER as error:
            raise self._unavailable(error) from error

    def _refuse(self, schema_id: int, error: SchemaError) -> SchemaError:
        """Remember for a while that the id is of no use."""
        if len(self._unknown) >= MAX_UNKNOWN_IDS:
            self._unknown.clear()
        self._unknown[schema_id] = (monotonic() + UNKNOWN_ID_TTL_S, error)
        return error

    def _unavailable(self, error: Exception) -> RegistryUnavailable:
        if isinstance(error, ClientError) and error.http_code in (401, 403):
            return RegistryUnavailable(
                f"the schema registry at {self.url} refuses us ({error.http_code}): check ALPR_REGISTRY_USERNAME and "
                "ALPR_REGISTRY_PASSWORD, and that the user may read and register schemas"
            )
        if isinstance(error, httpx.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
            return RegistryUnavailable(
                f"the certificate of the schema registry at {self.url} is not accepted ({error}): set "
                "ALPR_REGISTRY_CA_FILE to the authority that signed it"
            )
        return RegistryUnavailable(
            f"no usable answer from the schema registry at {self.url} ({error!r}). Is it up? "
            "`alpr stack status` tells; ALPR_REGISTRY_URL sets the address."
        )


def _without_login(url: str) -> str:
    """The URL as messages may show it."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _trusting(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise ConfigError(
            f"ALPR_REGISTRY_CA_FILE={ca_file} is no readable PEM file of certificates ({error.strerror or error})"
        ) from error


class MemoryRegistry:
    """A registry of this process alone, for unit tests and offline tools."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], int] = {}
        self._schemas: dict[int, dict[str, Any]] = {}

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """See `SchemaRegistry.register`."""
        text = json.dumps(schema, sort_keys=True)
        known = self._ids.get((subject, text))
        if known is None:
            known = next((i for i, s in self._schemas.items() if s == schema), len(self._schemas) + 1)
            self._ids[subject, text] = known
            self._schemas[known] = schema
        return known

    def schema_by_id(self, schema_id: int) -> dict[str, Any]:
        """See `SchemaRegistry.schema_by_id`."""
        try:
            return self._schemas[schema_id]
        except KeyError:
            raise UnknownSchemaId(f"schema id {schema_id} is not in this registry") from None

    def is_compatible(self, subject: str, schema: dict[str, Any]) -> bool:  # noqa: ARG002  # the port's signature
        """Everything follows everything: compatibility is the real registry's business."""
        return True
