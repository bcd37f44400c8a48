"""What the GoCD images are made of, checked without GoCD: the configuration, the scripts that run first, the linter."""

import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import xml.etree.ElementTree as Xml
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.embedded.plugin.plugin_host import find_java
from services.gocd import definitions
from tests.support.paths import ROOT

pytestmark = pytest.mark.process

SERVER = ROOT / "services" / "gocd" / "server"
ENTRYPOINT = ROOT / "services" / "gocd" / "agent" / "entrypoint"
SECRETS = {"admin-password": "pass<&>|\\/word", "operator-password": "another", "agent-key": 'key&|\\"<x>'}

# GoCD 26.1's cruise-config.xsd, as far as we use it: the children of each element, and its attributes. Children are in
# any order where the schema has xsd:all, and in this order where it has a sequence.
CHILDREN = {
    "cruise": (
        "server",
        "elastic",
        "repositories",
        "scms",
        "config-repos",
        "artifactStores",
        "secretConfigs",
        "pipelines",
    ),
    "server": ("security", "mailhost", "backup", "siteUrls", "artifacts"),
    "security": ("authConfigs", "roles", "admins"),
    "authConfigs": ("authConfig",),
    "authConfig": ("property",),
    "property": ("key", "value", "encryptedValue"),
    "admins": ("user", "role"),
    "siteUrls": ("siteUrl", "secureSiteUrl"),
    "artifacts": ("artifactsDir", "purgeSettings"),
    "purgeSettings": ("purgeStartDiskSpace", "purgeUptoDiskSpace"),
    "pipelines": ("authorization", "pipeline"),
    "authorization": ("view", "operate", "admins"),
    "view": ("user", "role"),
    "operate": ("user", "role"),
}
SEQUENCES = ("cruise", "pipelines", "property", "authConfigs")
SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"
ATTRIBUTES = {
    "cruise": {"schemaVersion", SCHEMA},
    "server": {"serverId", "jobTimeout", "agentAutoRegisterKey", "webhookSecret", "tokenGenerationKey"},
    "authConfig": {"id", "pluginId"},
    "pipelines": {"group"},
}


def configuration(path: Path = SERVER / "cruise-config.xml") -> Xml.Element:
    return Xml.parse(path).getroot()  # noqa: S314  our own file


@pytest.mark.parametrize("element", list(configuration().iter()), ids=lambda element: element.tag)
def test_every_element_of_the_configuration_is_one_of_gocds_schema(element: Xml.Element) -> None:
    children = [child.tag for child in element]
    allowed = CHILDREN.get(element.tag, ())
    assert set(children) <= set(allowed)
    assert set(element.attrib) <= ATTRIBUTES.get(element.tag, set())
    if element.tag in SEQUENCES:
        assert children == sorted(children, key=allowed.index)


def test_the_configuration_has_security_on_and_one_administrator() -> None:
    root = configuration()
    assert root.get("schemaVersion") == "139"
    login = root.find("server/security/authConfigs/authConfig")
    assert login is not None
    assert login.get("pluginId") == "cd.go.authentication.passwordfile"
    assert [key.text for key in login.iter("key")] == ["PasswordFilePath"]
    assert [user.text for user in root.findall("server/security/admins/user")] == ["admin"]


def test_the_operator_may_look_at_our_pipelines_and_run_them_and_no_more() -> None:
    (group,) = configuration().findall("pipelines")
    assert group.get("group") == definitions.GROUP
    (authorization,) = group
    assert {right.tag: [user.text for user in right] for right in authorization} == {
        "view": ["operator"],
        "operate": ["operator"],
    }


def test_no_secret_is_in_the_configuration() -> None:
    text = (SERVER / "cruise-config.xml").read_text()
    assert re.findall(r'agentAutoRegisterKey="([^"]*)"', text) == ["@AGENT_KEY@"]
    assert not re.search(r"encryptedValue|webhookSecret|tokenGenerationKey|serverId", text)


@pytest.fixture(scope="session")
def password_class(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classes")
    compiler = find_java(dict(os.environ)).with_name("javac")
    options = ["--release", "17", "-Xlint:all", "-Werror", "-d", str(folder)]
    done = subprocess.run(
        [compiler, *options, SERVER / "PasswordLine.java"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "PasswordLine.class"


@pytest.fixture
def place(tmp_path: Path, password_class: Path) -> Iterator[Path]:
    """The folders of an image and of a container, with secrets that no shell likes."""
    (tmp_path / "data").mkdir()
    ours = tmp_path / "ours"
    ours.mkdir()
    shutil.copy(SERVER / "cruise-config.xml", ours)
    shutil.copy(password_class, ours)
    (ours / "trackback-mlflow-plugin.jar").write_bytes(b"the jar")
    (tmp_path / "secrets").mkdir()
    for name, value in SECRETS.items():
        (tmp_path / "secrets" / name).write_text(value + "\n")
    yield tmp_path


def configure(place: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    files = {f"TRACKBACK_GOCD_{name.upper().replace('-', '_')}_FILE": str(place / "secrets" / name) for name in SECRETS}
    environment = {
        "PATH": os.environ["PATH"],
        "GODATA": str(place / "data"),
        "TRACKBACK_GOCD_SERVER": str(place / "ours"),
        "GO_JAVA_HOME": str(find_java(dict(os.environ)).parents[1]),
        **files,
        **variables,
    }
    return subprocess.run([SERVER / "configure"], env=environment, capture_output=True, text=True, check=False)


def configured(place: Path, **variables: str) -> None:
    done = configure(place, **variables)
    assert done.returncode == 0, done.stderr


def test_a_new_server_is_given_its_configuration_with_the_secrets_filled_in(place: Path) -> None:
    configured(place, TRACKBACK_GOCD_SITE_URL="https://ci.example/?a=1&b=2")
    path = place / "data" / "config" / "cruise-config.xml"
    root = configuration(path)
    server = root.find("server")
    assert server is not None
    assert server.get("agentAutoRegisterKey") == SECRETS["agent-key"]
    assert root.findtext("server/siteUrls/siteUrl") == "https://ci.example/?a=1&b=2"
    password_file = root.findtext("server/security/authConfigs/authConfig/property/value")
    assert password_file == str(place / "data" / "config" / "password.properties")
    assert "@" not in re.sub(r"<!--.*?-->", "", path.read_text())
    for file in (path, Path(password_file)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_passwords_are_hashes_that_gocds_plugin_takes(place: Path) -> None:
    configured(place)
    text = (place / "data" / "config" / "password.properties").read_text()
    lines = dict(line.split("=", 1) for line in text.splitlines())
    assert list(lines) == ["admin", "operator"]
    for user, line in lines.items():
        _, algorithm, iterations, bits, salt, key = line.split("$")
        assert algorithm == "PBKDF2WithHmacSHA256"
        assert int(iterations) >= 600_000
        password = SECRETS[f"{user}-password"].encode()
        derived = hashlib.pbkdf2_hmac("sha256", password, salt.encode(), int(iterations), int(bits) // 8)
        assert derived.hex() == key
        # The plugin finds the five parts by this expression.
        assert re.findall(r"\$(\w+)", line) == [algorithm, iterations, bits, salt, key]


def test_equal_passwords_have_unlike_hashes(place: Path) -> None:
    (place / "secrets" / "operator-password").write_text(SECRETS["admin-password"])
    configured(place)
    admin, operator = (place / "data" / "config" / "password.properties").read_text().splitlines()
    assert admin.partition("=")[2] != operator.partition("=")[2]


def test_a_later_start_keeps_the_configuration_and_renews_plugin_and_passwords(place: Path) -> None:
    configured(place)
    config = place / "data" / "config"
    (config / "cruise-config.xml").write_text("the server's own")
    before = (config / "password.properties").read_text()
    (place / "secrets" / "admin-password").write_text("changed")
    (place / "ours" / "trackback-mlflow-plugin.jar").write_bytes(b"a newer jar")
    configured(place)
    assert (config / "cruise-config.xml").read_text() == "the server's own"
    assert (config / "password.properties").read_text() != before
    jars = list((place / "data" / "plugins" / "external").iterdir())
    assert [(jar.name, jar.read_bytes()) for jar in jars] == [("trackback-mlflow-plugin.jar", b"a newer jar")]


@pytest.mark.parametrize("missing", sorted(SECRETS))
def test_without_a_secret_the_server_does_not_start(place: Path, missing: str) -> None:
    (place / "secrets" / missing).write_text("")
    done = configure(place)
    assert done.returncode != 0
    assert f"expected a secret in {place}/secrets/{missing}, found none: set TRACKBACK_GOCD_" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (place / "data" / "config" / "cruise-config.xml").exists()


def test_no_secret_is_said_or_given_as_an_argument(place: Path) -> None:
    done = configure(place)
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS.values())
    assert not re.search(r"PasswordLine [^\n]*\$password", (SERVER / "configure").read_text())


def agent(place: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    image = place / "docker-entrypoint.sh"
    image.write_text(
        '#!/bin/sh\nprintf "%s|" "$AGENT_AUTO_REGISTER_KEY" "$AGENT_AUTO_REGISTER_RESOURCES" "$@"\nexit 7\n'
    )
    image.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "AGENT_ENTRYPOINT": str(image), **variables}
    return subprocess.run([ENTRYPOINT, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_the_agents_entrypoint_is_given_the_key_of_the_file_and_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k e$y\n")
    variables = {"AGENT_AUTO_REGISTER_KEY_FILE": str(tmp_path / "key"), "AGENT_AUTO_REGISTER_RESOURCES": "python"}
    done = agent(tmp_path, "one", "two words", **variables)
    assert (done.returncode, done.stdout) == (7, "k e$y|python|one|two words|")


def test_an_agent_without_a_key_does_not_start(tmp_path: Path) -> None:
    done = agent(tmp_path, AGENT_AUTO_REGISTER_KEY_FILE=str(tmp_path / "none"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"expected a key in {tmp_path}/none" in done.stderr


@pytest.mark.parametrize("script", [SERVER / "configure", ENTRYPOINT], ids=lambda path: path.name)
def test_the_scripts_are_executable_and_plain_sh(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/bin/sh\n")
    assert subprocess.run(["dash", "-n", str(script)], check=False).returncode == 0


def files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def dockerfiles() -> list[str]:
    return [name for name in files() if Path(name).name == "Dockerfile"]


def test_there_are_dockerfiles_to_lint() -> None:
    assert "services/Dockerfile" in dockerfiles()


@pytest.mark.parametrize("name", dockerfiles())
def test_every_dockerfile_is_linted(name: str) -> None:
    hadolint = str(Path(sys.executable).with_name("hadolint"))
    command = [hadolint, "--no-color", "--config", "services/hadolint.yaml", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_rule_that_the_linter_ignores_has_its_reason() -> None:
    lines = (ROOT / "services" / "hadolint.yaml").read_text().splitlines()
    ignored = [line for line in lines if line.strip().startswith("- ")]
    assert ignored
    assert all(re.fullmatch(r"  - (DL|SC)\d{4}  # .{20,}", line) for line in ignored)
