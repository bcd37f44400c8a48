"""The rules of docs/security.md, held against the compose files."""

import re
from pathlib import Path

import pytest
import yaml

from scripts.compose_files import KINDS, MAIN, ComposeService, compose_files, compose_services
from services.secrets.secrets import SECRETS, TOKEN_FILE
from tests.support.compose_file import Service, is_one_shot, mounts, networks, services, text
from tests.support.compose_stack import PORTS
from tests.support.paths import ROOT

SERVICES = services()
SECURITY = (ROOT / "docs" / "security.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
SOCKET = "/var/run/docker.sock"
# By the start scripts of their images, as docs/security.md says.
WRITABLE = {"gocd-server", "gocd-agent", "gocd-image-agent"}
OPTIONAL = {"PROMETHEUS_IMAGE", "GRAFANA_IMAGE"}

WIDTH = 120
COMPOSE_FILES = [*compose_files(), KINDS]
WRITTEN = [*COMPOSE_FILES, *sorted((ROOT / "services").rglob("Dockerfile"))]
# First what it is, then what it may do and take, then what it is told and reaches, then when it runs.
KEYS = (
    *("extends", "profiles", "image", "pull_policy", "build", "entrypoint", "command"),
    *("user", "cap_add", "read_only", "tmpfs", "cpu_shares", "mem_limit", "memswap_limit", "pids_limit"),
    *("env_file", "environment", "volumes", "network_mode", "networks", "ports"),
    *("restart", "healthcheck", "depends_on"),
)

each_written = pytest.mark.parametrize("service", compose_services(), ids=lambda service: service.name)
each = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def variables(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def table(heading: str) -> dict[str, list[str]]:
    """The rows of the first table below a heading of docs/security.md, by their first cell."""
    below = SECURITY.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in below.splitlines() if line.startswith("| `")
    ]
    return {row[0].strip("`"): row[1:] for row in rows}


def quoted(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


@each
def test_a_service_runs_an_image_whose_version_is_named(service: Service) -> None:
    pinned = variables(ROOT / ".env")
    image = re.sub(r"\$\{(\w+)\}", lambda found: pinned[found[1]], service["image"])
    assert re.fullmatch(r"[a-z0-9./-]+:[^:@]*\d[^:@]*(@sha256:[0-9a-f]{64})?", image), image
    assert "latest" not in image


@each
def test_a_service_has_no_capability_and_cannot_gain_one(service: Service) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")


@pytest.mark.parametrize("name", SERVICES)
def test_only_who_gives_the_secrets_away_has_a_capability_back(name: str) -> None:
    expected = ["CHOWN", "DAC_OVERRIDE", "FOWNER"] if name == "secrets" else []
    assert SERVICES[name].get("cap_add", []) == expected


@each
def test_a_service_has_limits_on_memory_swap_processes_and_its_log(service: Service) -> None:
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["memswap_limit"] == service["mem_limit"]
    assert 0 < service["pids_limit"] <= 4096
    assert service["logging"]["options"]["max-size"]


@each
def test_a_service_says_whether_it_is_well_or_ends_by_itself(service: Service) -> None:
    assert is_one_shot(service) != bool(service.get("healthcheck", {}).get("test"))


@each
def test_a_service_that_is_well_is_asked_once_a_minute_and_without_starting_python(service: Service) -> None:
    if probe := service.get("healthcheck"):
        assert probe["test"][:2] == ["CMD", "sh"]
        assert "sleep 60" in probe["test"][3]
        assert "python" not in " ".join(probe["test"])
        assert float(probe["timeout"].rstrip("s")) > 60
        assert "/tmp" in {mount.partition(":")[0] for mount in service["tmpfs"]}  # noqa: S108


def test_an_image_of_ours_is_built_for_one_service() -> None:
    running = [service for service in SERVICES.values() if service.get("profiles") != ["jobs"]]
    built = [service["image"] for service in running if "build" in service]
    assert len(built) == len(set(built))
    for service in running:
        if service["image"].startswith("trackback/") and "build" not in service:
            assert (service["pull_policy"], service["image"] in built) == ("never", True)


@pytest.mark.parametrize("name", SERVICES)
def test_a_root_file_system_is_read_only_unless_the_docs_say_why(name: str) -> None:
    assert SERVICES[name]["read_only"] is (name not in WRITABLE)
    (named,) = re.findall(r"can be written to in three only: (.*), because", SECURITY)
    assert quoted(named) == WRITABLE


@each
def test_a_port_is_published_for_this_host_alone(service: Service) -> None:
    for port in service.get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{\w+_PORT\}:\d+", port)


def test_the_engine_is_in_the_hands_of_the_rollout_service_alone() -> None:
    holders = [name for name, service in SERVICES.items() for source, _, _ in mounts(service) if source == SOCKET]
    assert holders == ["rollout"]
    assert "DOCKER_HOST" not in text()


def test_the_gateways_controls_are_on_a_network_that_it_shares_with_the_rollout_service_alone() -> None:
    assert {name for name, service in SERVICES.items() if "runtime" in networks(service)} == {"rollout", "gateway"}
    assert SERVICES["gateway"]["networks"]["runtime"] == {"aliases": ["gateway-runtime"]}
    config = (ROOT / "services" / "gateway" / "haproxy.cfg").read_text()
    assert re.findall(r"stats socket (\S+)", config) == ["ipv4@gateway-runtime:9999"]


@each
def test_a_secret_is_a_file_that_is_named_and_never_a_value(service: Service) -> None:
    for name, value in service.get("environment", {}).items():
        if re.search("PASSWORD|TOKEN|SECRET|ACCESS_KEY", name):
            assert name.endswith("_FILE")
            assert value.startswith("/secrets/")
            assert value.rpartition("/")[0] in {target for _, target, _ in mounts(service)}


@pytest.mark.parametrize(
    "file", [".env", "tests/offline/offline.env", "services/places.env", "services/rollout/containers.env"]
)
def test_no_file_of_variables_holds_a_secret(file: str) -> None:
    secret = [name for name in variables(ROOT / file) if re.search("PASSWORD|TOKEN|SECRET|_KEY", name)]
    assert [name for name in secret if not name.endswith("_FILE")] == []


def test_every_secret_goes_to_readers_that_mount_it_and_to_nobody_else() -> None:
    readers = {reader for secret in SECRETS for reader in secret.readers}
    mounted = {source.removeprefix("secrets-") for source, _, _ in mounts(SERVICES["secrets"]) if "secrets-" in source}
    assert mounted == readers
    for name, service in SERVICES.items():
        for source, target, writable in mounts(service):
            if source.startswith("secrets-"):
                assert target == f"/secrets/{source.removeprefix('secrets-')}"
                assert writable is (name in ("secrets", "gocd-setup"))


def test_every_name_of_an_image_is_in_the_file_of_variables_with_a_version() -> None:
    asked = set(re.findall(r"\$\{(\w+_IMAGE)\}", text() + KINDS.read_text()))
    for file, optional in ((".env", set()), ("tests/offline/offline.env", OPTIONAL)):
        given = {name for name in variables(ROOT / file) if name.endswith("_IMAGE")}
        assert asked - optional <= given
    pinned = {name: image for name, image in variables(ROOT / ".env").items() if name.endswith("_IMAGE")}
    assert set(pinned) == asked
    assert {name for name, image in pinned.items() if not re.search(r":[^:]*\d", image)} == set()


def test_every_port_is_one_that_a_test_replaces() -> None:
    published = {port.split("{")[1].split("}")[0] for one in SERVICES.values() for port in one.get("ports", [])}
    assert published == set(PORTS) == {name for name in variables(ROOT / ".env") if name.endswith("_PORT")}


def test_who_is_waited_for_says_whether_it_is_well() -> None:
    for service in SERVICES.values():
        for name, wanted in service.get("depends_on", {}).items():
            ended = wanted["condition"] == "service_completed_successfully"
            assert ended is is_one_shot(SERVICES[name])


def test_a_step_on_the_way_up_that_fails_ends_the_start() -> None:
    steps = {name for name, one in SERVICES.items() if is_one_shot(one) and one.get("profiles") != ["jobs"]}
    waited = {
        name
        for one in SERVICES.values()
        for name, wanted in one.get("depends_on", {}).items()
        if wanted["condition"] == "service_completed_successfully"
    }
    assert "gocd-setup" in steps
    assert steps == waited


def test_who_follows_is_told_where_mlflow_gocd_and_the_rollout_service_are() -> None:
    assert SERVICES["gocd-follow"]["env_file"] == "services/places.env"
    places = variables(ROOT / "services" / "places.env")
    assert {"MLFLOW_TRACKING_URI", "TRACKBACK_GOCD_URL", "TRACKBACK_ROLLOUT_URL"} <= set(places)
    assert "--followed" in SERVICES["gocd-setup"]["command"]


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_line_is_wider_than_a_screen_shows(file: Path) -> None:
    assert [line for line in file.read_text().splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize("file", COMPOSE_FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_mapping_is_written_key_below_key(file: Path) -> None:
    tokens = yaml.scan(file.read_text())
    assert [token.start_mark.line + 1 for token in tokens if isinstance(token, yaml.FlowMappingStartToken)] == []


@each_written
def test_the_keys_of_a_service_are_in_one_order(service: ComposeService) -> None:
    assert list(service.written) == [key for key in KEYS if key in service.written]


@each_written
def test_a_sentence_above_a_service_says_why_it_exists(service: ComposeService) -> None:
    assert re.fullmatch(r"[A-Z].{20,170}\.", service.sentence)


@each_written
def test_a_service_has_in_common_with_others_what_it_extends(service: ComposeService) -> None:
    kind = "built" if "build" in service.written else "hardened"
    assert service.written["extends"] == {"file": KINDS.relative_to(ROOT).as_posix(), "service": kind}


def test_no_kind_of_service_extends_another_because_compose_2_24_refuses_it() -> None:
    kinds = yaml.safe_load(KINDS.read_text())["services"]
    assert [name for name, kind in kinds.items() if "extends" in kind] == []


@each_written
def test_who_waits_says_for_what(service: ComposeService) -> None:
    awaited = service.written.get("depends_on", {})
    assert isinstance(awaited, dict)
    assert all(set(wanted) >= {"condition"} for wanted in awaited.values())


def test_every_file_asks_after_health_in_the_same_words() -> None:
    asking = [yaml.safe_load(file.read_text()) for file in compose_files() if file != MAIN]
    for words in ("x-patience", "x-rarely", "x-asks"):
        assert len({str(one[words]) for one in asking if words in one}) == 1


@pytest.mark.parametrize("file", compose_files(), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_sections_are_ruled_to_the_same_width(file: Path) -> None:
    rules = [line for line in file.read_text().splitlines() if "──" in line]
    assert {len(line) for line in rules} <= {WIDTH}


def test_the_docs_tell_of_every_service_what_it_may_do() -> None:
    told = table("What each service may do")
    assert list(told) == list(SERVICES)
    for name, (user, on, writes, reads, port) in told.items():
        service = SERVICES[name]
        found = mounts(service)
        assert set(on.split(", ")) == (networks(service) or {"none"})
        assert quoted(writes) == {source for source, _, writable in found if writable}
        assert quoted(reads) == {source for source, _, writable in found if not writable}
        assert [f"127.0.0.1:${{{variable}}}" for variable in quoted(port)] == [
            published.rpartition(":")[0] for published in service.get("ports", [])
        ]
        if "user" in service:
            assert service["user"] == f"{user}:{user}"


def test_the_docs_tell_of_every_volume_what_it_holds_and_what_no_backup_does() -> None:
    volumes = {source for service in SERVICES.values() for source, _, _ in mounts(service) if source[0] not in "./"}
    below = OPERATIONS.partition("### Where state is\n")[2].partition("\n### ")[0]
    # Beside these the rollout service makes one for each model.
    rows = [line.strip("|").split("|") for line in below.splitlines() if re.match(r"\| `[^<]", line)]
    assert {name for row in rows for name in quoted(row[0])} == {
        re.sub("^secrets-.*", "secrets-*", it) for it in volumes
    }
    without_loss = {name for row in rows if "nothing" in row[2] or "no backup" in row[2] for name in quoted(row[0])}
    (left_out,) = re.findall(r"^left_out=\((.*)\)$", (ROOT / "scripts" / "backup").read_text(), re.MULTILINE)
    # The database is in it as a dump.
    assert set(left_out.split()) == without_loss | {"postgres"}


def test_the_docs_tell_of_every_secret_who_reads_it_and_how_it_is_changed() -> None:
    told = {name: quoted(readers) for name, (readers, _) in table("Secrets").items()}
    expected = {secret.name: set(secret.readers) for secret in SECRETS}
    reader, _, token = TOKEN_FILE.partition("/")
    assert told == {**expected, token: {reader}}
