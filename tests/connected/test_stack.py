"""The real servers: each answers as its clients expect, and comes back with its data after a crash."""

import io
import json
import os
import smtplib
import urllib.request
import uuid
from email.message import EmailMessage
from pathlib import Path

import httpx
import minio
import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from compose.local.services import CATALOGUE
from tests.connected.conftest import RunningStack

_SCHEMA = {"type": "record", "name": "Crash", "fields": [{"name": "id", "type": "string"}]}


def _produce(stack: RunningStack, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": stack.kafka_bootstrap, "message.max.bytes": 12_000_000})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(20) == 0


def _consume(stack: RunningStack, topic: str, count: int) -> list[bytes]:
    settings = {
        "bootstrap.servers": stack.kafka_bootstrap,
        "group.id": uuid.uuid4().hex,
        "auto.offset.reset": "earliest",
        "fetch.max.bytes": 13_000_000,
        "message.max.bytes": 13_000_000,
    }
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    try:
        messages = consumer.consume(count, timeout=30)
        return [message.value() or b"" for message in messages if message.error() is None]
    finally:
        consumer.close()


def test_settings_are_in_the_environment(stack: RunningStack) -> None:
    """Code under test finds the servers without being told."""
    assert {name: os.environ[name] for name in stack.env} == stack.env
    assert os.environ["ALPR_KAFKA_BOOTSTRAP"] == stack.kafka_bootstrap


def test_kafka_makes_no_topic_by_accident_and_takes_12_megabytes(stack: RunningStack) -> None:
    """A topic exists only once it is made, and carries a record as large as the largest dead letter."""
    admin = AdminClient({"bootstrap.servers": stack.kafka_bootstrap})
    topic = f"t-{uuid.uuid4().hex}"
    assert admin.list_topics(topic, timeout=10).topics[topic].error is not None
    assert topic not in admin.list_topics(timeout=10).topics
    made = admin.create_topics([NewTopic(topic, 1, 1, config={"max.message.bytes": "12000000"})])
    made[topic].result(20)
    large = os.urandom(11_900_000)
    _produce(stack, topic, large)
    assert _consume(stack, topic, 1) == [large]


def test_registry_refuses_a_breaking_schema(stack: RunningStack) -> None:
    """BACKWARD compatibility is really checked, with the Confluent status codes."""
    subject = f"{stack.registry_url}/subjects/s-{uuid.uuid4().hex}-value/versions"
    first = httpx.post(subject, json={"schema": json.dumps(_SCHEMA)})
    assert first.status_code == 200
    httpx.put(subject.replace("/subjects/", "/config/").removesuffix("/versions"), json={"compatibility": "BACKWARD"})
    breaking = {**_SCHEMA, "fields": [{"name": "id", "type": "string"}, {"name": "more", "type": "int"}]}
    assert httpx.post(subject, json={"schema": json.dumps(breaking)}).status_code == 409
    unknown = httpx.get(f"{stack.registry_url}/schemas/ids/999999999")
    assert unknown.status_code == 404


def test_opensearch_finds_a_half_remembered_plate(stack: RunningStack) -> None:
    """Fuzzy search, n-grams and painless are there: the modules are really loaded."""
    index = f"{stack.opensearch_url}/plates-{uuid.uuid4().hex}"
    analysis = {
        "analyzer": {"trigrams": {"tokenizer": "trigrams", "filter": ["lowercase"]}},
        "tokenizer": {"trigrams": {"type": "ngram", "min_gram": 3, "max_gram": 3}},
    }
    fields = {"grams": {"type": "text", "analyzer": "trigrams"}}
    body = {
        "settings": {"analysis": analysis},
        "mappings": {"properties": {"plate": {"type": "keyword", "fields": fields}}},
    }
    assert httpx.put(index, json=body, timeout=30).status_code == 200
    for plate in ("AB123CD", "XY987ZW"):
        httpx.post(f"{index}/_doc?refresh=true", json={"plate": plate}, timeout=30).raise_for_status()

    def search(query: dict[str, object]) -> list[str]:
        hits = httpx.post(f"{index}/_search", json={"query": query}, timeout=30).json()["hits"]["hits"]
        return [hit["_source"]["plate"] for hit in hits]

    assert search({"fuzzy": {"plate": {"value": "AB128CD", "fuzziness": 1}}}) == ["AB123CD"]
    assert search({"match": {"plate.grams": "123"}}) == ["AB123CD"]
    script = "doc['plate'].value.startsWith('XY')"
    assert search({"script": {"script": {"source": script}}}) == ["XY987ZW"]


def test_s3_serves_presigned_links_and_refuses_tampered_ones(stack: RunningStack) -> None:
    """The bucket is there; an object with metadata comes back by link, and a changed link is 403."""
    client = _s3(stack)
    name = f"{uuid.uuid4().hex}.jpg"
    metadata: dict[str, str | list[str] | tuple[str]] = {"camera_id": "cam-1", "plate_text": "AB123CD"}
    client.put_object(
        bucket_name=stack.s3_bucket, object_name=name, data=io.BytesIO(b"jpeg"), length=4, metadata=metadata
    )
    found = client.stat_object(bucket_name=stack.s3_bucket, object_name=name)
    assert found.metadata is not None
    assert found.metadata["x-amz-meta-plate_text"] == "AB123CD"
    link = client.presigned_get_object(bucket_name=stack.s3_bucket, object_name=name)
    assert httpx.get(link).content == b"jpeg"
    assert httpx.get(link.replace("X-Amz-Expires=604800", "X-Amz-Expires=604799")).status_code == 403


def test_mail_is_kept_and_found_by_api(stack: RunningStack) -> None:
    """A mail that SMTP accepted is in the sink's REST API."""
    subject = f"Plate {uuid.uuid4().hex}"
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "alpr@localhost", "guard@example.org"
    message.set_content("seen")
    with smtplib.SMTP(stack.smtp_host, stack.smtp_port, timeout=10) as session:
        session.send_message(message)
    found = httpx.get(f"{stack.mail_api_url}/api/v1/search", params={"query": f'subject:"{subject}"'}).json()
    assert [mail["Subject"] for mail in found["messages"]] == [subject]


def test_stopped_server_refuses_and_starts_again(stack: RunningStack) -> None:
    """Outage tests can stop one server: its port refuses, the others go on, and it returns on the same port."""
    before = stack.mail_api_url
    stack.stop("mail")
    with pytest.raises(httpx.ConnectError):
        httpx.get(before)
    assert httpx.get(stack.opensearch_url).status_code == 200
    stack.start("mail")
    assert stack.mail_api_url == before
    assert httpx.get(f"{before}/api/v1/info").status_code == 200


def test_data_survives_a_crash_of_every_server(stack: RunningStack) -> None:
    """Records, schema ids, rows, documents and objects are there after SIGKILL and a new start."""
    mark = uuid.uuid4().hex
    topic, index, table = f"crash-{mark}", f"crash-{mark}", f"crash_{mark}"
    admin = AdminClient({"bootstrap.servers": stack.kafka_bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(20)
    _produce(stack, topic, b"kept")
    versions = f"{stack.registry_url}/subjects/{topic}-value/versions"
    schema_id = httpx.post(versions, json={"schema": json.dumps(_SCHEMA)}).json()["id"]
    httpx.post(f"{stack.opensearch_url}/{index}/_doc?refresh=true", json={"a": 1}, timeout=30).raise_for_status()
    with psycopg.connect(stack.timescale_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {table} (at timestamptz NOT NULL, n int)")
        connection.execute(f"SELECT create_hypertable('{table}', 'at')")
        connection.execute(f"INSERT INTO {table} VALUES (now(), 7)")
    _s3(stack).put_object(bucket_name=stack.s3_bucket, object_name=mark, data=io.BytesIO(b"x"), length=1)

    for name in ("kafka", "schema-registry", "opensearch", "timescaledb", "s3"):
        stack.kill(name)
    for name in ("kafka", "schema-registry", "opensearch", "timescaledb", "s3"):
        stack.start(name)

    assert _consume(stack, topic, 1) == [b"kept"]
    assert json.loads(httpx.get(f"{stack.registry_url}/schemas/ids/{schema_id}").json()["schema"]) == _SCHEMA
    assert httpx.get(f"{stack.opensearch_url}/{index}/_count", timeout=30).json()["count"] == 1
    with psycopg.connect(stack.timescale_dsn, autocommit=True) as connection:
        assert connection.execute(f"SELECT n FROM {table}").fetchone() == (7,)
        connection.execute(f"DROP TABLE {table}")
    assert _s3(stack).stat_object(bucket_name=stack.s3_bucket, object_name=mark).size == 1


@pytest.mark.parametrize("name", ["postgres", "mqtt", "prometheus"])
def test_optional_server_starts_where_its_program_can_be_had(stack: RunningStack, name: str) -> None:
    """A service outside the default set starts on demand, is healthy, and stops (PostgreSQL also for root)."""
    for tool in CATALOGUE[name].tools:
        if tool.find() is None:
            pytest.skip(f"needs {tool.name}: {tool.mend}")
    stack.start(name)
    if name == "postgres":
        with psycopg.connect(stack.postgres_dsn) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("alpr",)
    if name == "prometheus":
        url = f"{os.environ['ALPR_PROMETHEUS_URL']}/api/v1/query?query=1"
        assert json.load(urllib.request.urlopen(url))["status"] == "success"
    stack.stop(name)


def test_server_that_this_run_lacks_is_named(stack: RunningStack) -> None:
    """Asking for a setting of a server that was never started says so, instead of a bare KeyError."""
    with pytest.raises(LookupError, match="is not part of this run"):
        stack._setting("ALPR_NO_SUCH_SERVER_URL")


def test_logs_of_the_servers_are_files_of_this_run(stack: RunningStack) -> None:
    """Each server writes to a log below the state folder, which the watchdog quotes."""
    logs = {path.name for path in Path(stack.log_folder).iterdir()}
    assert {"kafka.log", "opensearch.log", "timescaledb.log"} <= logs


def _s3(stack: RunningStack) -> minio.Minio:
    return minio.Minio(
        endpoint=stack.s3_endpoint.removeprefix("http://"),
        access_key=stack.s3_access_key,
        secret_key=stack.s3_secret_key,
        secure=False,
    )
