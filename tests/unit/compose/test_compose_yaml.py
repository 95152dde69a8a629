"""The containers: well formed, reachable where people expect them, and the same servers as without containers."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from compose.local.service import Place
from compose.local.services import CATALOGUE
from compose.local.services.kafka import _properties
from compose.local.services.prometheus import _TARGETS
from schemas.endpoints import Endpoints
from schemas.topics import CATALOGUE as TOPICS
from tests.unit.compose.queries import COMPOSE

FILE = COMPOSE / "compose.yaml"
DOCUMENT = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
LOCAL_NAME = {"minio": "s3"}  # the only server whose program differs, and its name with it
WANTED_PORTS = {
    "kafka": {9092},
    "schema-registry": {8081},
    "timescaledb": {5432},
    "opensearch": {9200},
    "minio": {9000, 9001},
    "mail": {1025, 8025},
    "prometheus": {9090},
    "grafana": {3000},
    "loki": {3100},
    "tempo": {3200},
    "cadvisor": {8082},
}
PLATFORM = {"worker": {6066}, "api": {8000}, "edge": {9100}}
EACH = pytest.mark.parametrize("name", SERVICES)


def interpolated(text: str) -> str:
    """What Compose makes of `${NAME:-default}` with nothing set."""
    return re.sub(r"\$\{\w+(?::-([^}]*))?\}", lambda match: match[1] or "", text)


def published(name: str) -> dict[int, int]:
    """Port on the host to port in the container."""
    ports = [interpolated(port).split(":") for port in SERVICES[name].get("ports", [])]
    return {int(host): int(container) for _address, host, container in ports}


def test_follows_the_specification_of_compose_files() -> None:
    """The schema of https://github.com/compose-spec/compose-spec, as check-jsonschema carries it, accepts it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "ports"), (WANTED_PORTS | PLATFORM).items())
def test_service_is_where_people_expect_it(name: str, ports: set[int]) -> None:
    """The ports on the host."""
    assert published(name).keys() == ports


def test_same_servers_on_the_same_ports_without_containers() -> None:
    """What clients use of a server that both stacks have is on the same port, so that settings fit both."""
    shared = {
        name: CATALOGUE[LOCAL_NAME.get(name, name)] for name in SERVICES if LOCAL_NAME.get(name, name) in CATALOGUE
    }
    by_default = {service.name for service in CATALOGUE.values() if service.by_default}
    assert by_default <= {service.name for service in shared.values()}
    for name, service in shared.items():
        client_ports = {port for key, port in service.usual_ports.items() if key not in service.internal_ports}
        assert client_ports <= published(name).keys()


@EACH
def test_image_is_pinned_or_built_here(name: str) -> None:
    """Two machines run the same programs: a tag with a version, never `latest`."""
    image = SERVICES[name]["image"]
    if "build" in SERVICES[name]:
        assert (FILE.parent / SERVICES[name]["build"]["context"] / SERVICES[name]["build"]["dockerfile"]).is_file()
    else:
        assert re.search(r":[\w.-]*\d+\.\d+|:RELEASE\.\d{4}-", image)


@EACH
def test_nothing_is_open_to_the_network_by_default(name: str) -> None:
    """Ports are on loopback unless ALPR_BIND says otherwise."""
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("${ALPR_BIND:-127.0.0.1}:")


@EACH
def test_one_service_cannot_take_the_machine(name: str) -> None:
    """Memory and log files are limited."""
    assert re.fullmatch(r"\d+[mg]", SERVICES[name]["mem_limit"])
    assert SERVICES[name]["logging"]["options"]["max-size"]


@EACH
def test_mounted_files_exist(name: str) -> None:
    """Docker would make an empty folder of a path that is misspelt; named volumes are declared."""
    for mount in SERVICES[name].get("volumes", []):
        source = interpolated(mount).split(":")[0]
        if source.startswith("."):
            assert source == "./cameras.yaml" or (FILE.parent / source).exists(), source
        elif not source.startswith("/"):
            assert source in DOCUMENT["volumes"]
    for config in SERVICES[name].get("configs", []):
        assert config["source"] in DOCUMENT["configs"]


@EACH
def test_dependencies_can_be_met(name: str) -> None:
    """Who waits for a healthy service waits for one that has a health check, and that runs in the same profile."""
    for other, wanted in SERVICES[name].get("depends_on", {}).items():
        assert set(SERVICES[other].get("profiles", [])) <= set(SERVICES[name].get("profiles", []))
        if wanted["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]


def test_defaults_of_the_platform_reach_the_containers() -> None:
    """Worker, API and edge agent started from a checkout need no settings: ports and credentials are their defaults."""
    defaults = {name: field.default for name, field in Endpoints.model_fields.items()}
    database = interpolated(json.dumps(SERVICES["timescaledb"]["environment"]))
    assert json.loads(database) == {"POSTGRES_USER": "alpr", "POSTGRES_PASSWORD": "alpr", "POSTGRES_DB": "alpr"}
    assert defaults["timescale_dsn"].get_secret_value() == "postgresql://alpr:alpr@localhost:5432/alpr"
    assert interpolated(SERVICES["minio"]["environment"]["MINIO_ROOT_USER"]) == _plain(defaults["s3_access_key"])
    assert interpolated(SERVICES["minio"]["environment"]["MINIO_ROOT_PASSWORD"]) == _plain(defaults["s3_secret_key"])
    assert f"localhost:{next(iter(published('kafka')))}" == defaults["kafka_bootstrap"]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else value.get_secret_value()


@pytest.mark.parametrize("name", PLATFORM)
def test_platform_in_containers_asks_the_right_servers(name: str) -> None:
    """Each address in its environment is a service and a port that it listens on in its container."""
    environment = {key: interpolated(value or "") for key, value in SERVICES[name]["environment"].items()}
    known = {f"ALPR_{field.upper()}" for field in Endpoints.model_fields}
    addresses = {
        key: re.search(r"(?:.*@|.*//|^)([\w-]+):(\d+)", value)
        for key, value in environment.items()
        if key in known and ":" in value
    }
    assert addresses
    inside = {service: set(published(service).values()) for service in SERVICES} | {"kafka": {29092}}
    for key, match in addresses.items():
        assert match is not None, key
        assert int(match[2]) in inside[match[1]], key


def test_broker_is_set_up_as_the_local_one() -> None:
    """No topics by accident, and records as large as the largest topic takes."""
    container = {
        key.removeprefix("KAFKA_").replace("_", ".").lower(): value
        for key, value in SERVICES["kafka"]["environment"].items()
    }
    local = {key: str(value) for key, value in _properties(Place(Path("x"), {"kafka": 1, "controller": 2})).items()}
    for key in (
        "auto.create.topics.enable",
        "message.max.bytes",
        "replica.fetch.max.bytes",
        "offsets.topic.replication.factor",
        "transaction.state.log.min.isr",
        "group.initial.rebalance.delay.ms",
    ):
        assert container[key] == local[key]
    assert int(container["message.max.bytes"]) > max(topic.max_message_bytes for topic in TOPICS)


@pytest.mark.parametrize("where", ["host", "containers"])
def test_prometheus_asks_every_part_of_the_platform(where: str) -> None:
    """Both lists of targets have the jobs of the local stack, on the same ports, and the names that alerts use."""
    targets = yaml.safe_load((COMPOSE / f"prometheus/targets/{where}.yml").read_text())
    ports = {entry["labels"]["job"]: int(entry["targets"][0].split(":")[1]) for entry in targets}
    assert {job: port for job, port in ports.items() if job.startswith("alpr-")} == _TARGETS
    for entry in targets:
        host, port = entry["targets"][0].split(":")
        if host != "host.docker.internal":
            assert int(port) in published(host).values()


def test_collector_pipelines_use_what_is_declared() -> None:
    """Every receiver, processor and exporter of a pipeline is configured, and none is configured in vain."""
    collector = yaml.safe_load((COMPOSE / "otel/collector.yml").read_text())
    pipelines = collector["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert {name for pipeline in pipelines for name in pipeline.get(kind, [])} == set(collector[kind])


def test_sources_of_grafana_are_services() -> None:
    """Each provisioned data source is at a service's name and the port inside its container."""
    sources = yaml.safe_load((COMPOSE / "grafana/provisioning/datasources/alpr.yml").read_text())["datasources"]
    for source in sources:
        host, port = source["url"].removeprefix("http://").split(":")
        assert int(port) in published(host).values()


def test_image_gets_every_package() -> None:
    """The Dockerfile copies all rooms that setup.cfg ships, and the ignore file lets them through."""
    shipped = set(re.findall(r"^    (\w+)\*$", (COMPOSE.parent / "setup.cfg").read_text(), re.MULTILINE))
    copied = set(re.findall(r"^COPY (\w+) \1$", (COMPOSE / "Dockerfile").read_text(), re.MULTILINE))
    let_through = set(re.findall(r"^!(\w+)$", (COMPOSE / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    assert shipped == copied
    assert shipped <= let_through
