"""All that GoCD asks of the plugin, asked of the real jar in its JVM host against a real MLflow."""

import base64
import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from scripts.environments import JARS, ROOT
from services.embedded.plugin.interface import PluginFailed
from services.embedded.plugin.package_plugin import PackagePlugin
from services.embedded.plugin.plugin_host import PluginHost, find_java
from tests.support.gocd_material import Material
from tests.support.guarded_mlflow import GuardedMlflow
from tests.support.mlflow_experiment import Experiment

DATA_KEYS = {
    *("MODEL", "RUN_ID", "RUN_NAME", "RUN_STATUS", "EXPERIMENT_ID", "MODEL_ID", "MODEL_URI", "ARTIFACT_URI"),
    *("PROMOTION", "PROMOTED_BY", "REASON", "SEQUENCE", "SEEN"),
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PluginHost]:
    plugin_jar, host_jar = (ROOT / jar for jar in JARS)
    missing = [str(jar) for jar in (host_jar, plugin_jar) if not jar.is_file()]
    refuse = pytest.fail if "CI" in os.environ else pytest.skip
    if missing:
        refuse(f"not built: {', '.join(missing)}: run 'mvn -B package' in plugin/")
    with PluginHost(find_java(os.environ), host_jar, plugin_jar, tmp_path_factory.mktemp("jvm") / "plugin") as host:
        yield host


@pytest.fixture
def experiment(mlflow_url: str, host: PluginHost) -> Experiment:
    return Experiment(mlflow_url, host)


def of_tag(experiment: Experiment, tag: str = "promote", url: str = "") -> Material:
    package = {"EXPERIMENT": experiment.name, "TAG": tag}
    return Material(experiment.host, {"MLFLOW_URL": url or experiment.url}, package)


def of_alias(experiment: Experiment, name: str, alias: str = "champion") -> Material:
    package = {"REGISTERED_MODEL": name, "ALIAS": alias}
    return Material(experiment.host, {"MLFLOW_URL": experiment.url}, package)


def written(sequence: int) -> str:
    return f"{sequence} 2026-11-22T08:00:00Z ada"


def test_the_fields_are_those_that_users_are_told_of(host: PluginHost) -> None:
    plugin = PackagePlugin(host)
    repository = [(it.key, it.required, it.secure, it.identity) for it in plugin.repository_fields()]
    assert repository == [
        ("MLFLOW_URL", True, False, True),
        ("MLFLOW_UI_URL", False, False, False),
        ("MLFLOW_USERNAME", False, False, False),
        ("MLFLOW_PASSWORD", False, True, False),
        ("MLFLOW_TOKEN", False, True, False),
    ]
    package = [(it.key, it.required, it.secure, it.identity) for it in plugin.package_fields()]
    keys = ["EXPERIMENT", "TAG", "REGISTERED_MODEL", "ALIAS", "MODEL_NAME"]
    assert package == [(key, False, False, True) for key in keys]


def test_a_good_configuration_is_valid_and_a_bad_one_names_its_keys(experiment: Experiment) -> None:
    good = of_tag(experiment)
    assert good.plugin.repository_problems(good.package.repository) == {}
    assert good.plugin.package_problems(good.package) == {}
    bad = Material(experiment.host, {"MLFLOW_URL": "mlflow:5000"}, {"EXPERIMENT": "a", "ALIAS": "b"})
    address = "expected an address such as http://mlflow:5000, found one that begins with neither http:// nor https://"
    assert bad.plugin.repository_problems(bad.package.repository) == {"MLFLOW_URL": [address]}
    both = "expected either EXPERIMENT, or REGISTERED_MODEL and ALIAS, found both"
    assert bad.plugin.package_problems(bad.package) == {"ALIAS": [both]}


def test_a_good_connection_is_told_with_what_was_found(experiment: Experiment) -> None:
    material = of_tag(experiment)
    assert material.check("repository") == ("success", f"MLflow answers at {experiment.url}")
    nothing = f"nothing promoted in experiment {experiment.name} yet: tag a run with 'promote'"
    assert material.check("package") == ("success", nothing)
    experiment.tag(experiment.run("plain"), "true")
    assert material.check("package") == ("success", "finished runs with the tag 'promote': 1")


def test_a_name_that_mlflow_does_not_have_is_told_by_kind(experiment: Experiment) -> None:
    other = Material(experiment.host, {"MLFLOW_URL": experiment.url}, {"EXPERIMENT": "nosuch"})
    none = "expected an experiment named 'nosuch' in MLflow, found none: create it or correct EXPERIMENT"
    assert other.check("package") == ("failure", none)
    model = f"registered-{experiment.name}"
    asked = f"asked MLflow at {experiment.url} for the alias 'champion' of registered model '{model}'"
    missing = f"{asked}, it has none: create it or correct the package"
    assert of_alias(experiment, model).check("package") == ("failure", missing)
    experiment.create_registered_model(model)
    unset = f"expected an alias 'champion' of registered model '{model}' in MLflow, found none: set it or correct ALIAS"
    assert of_alias(experiment, model).check("package") == ("failure", unset)


def assert_both_checks_fail(material: Material, found: str) -> None:
    url = material.package.repository.properties[0].value
    experiment = material.package.properties[0].value
    repository = f"asked MLflow at {url} for the experiment 'Default', {found}"
    package = f"asked MLflow at {url} for the experiment '{experiment}', {found}"
    assert (material.check("repository"), material.check("package")) == (("failure", repository), ("failure", package))


def test_an_mlflow_that_is_not_there_is_told_as_unreachable(experiment: Experiment) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        material = of_tag(experiment, url=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert_both_checks_fail(material, "it cannot be reached: check that it runs, and the address in MLFLOW_URL")


def test_a_silent_mlflow_is_told_as_late_before_gocds_page_gives_up(experiment: Experiment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        material = of_tag(experiment, url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert_both_checks_fail(material, "it did not answer within 4.5 s: check that it runs and is not overloaded")


class Page(BaseHTTPRequestHandler):
    """A web server that knows nothing of MLflow."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Welcome</title>")

    def log_message(self, *_: object) -> None:
        pass


def test_a_web_server_that_is_no_mlflow_is_told_as_such(experiment: Experiment) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        material = of_tag(experiment, url=f"http://127.0.0.1:{server.server_port}")
        found = "it did not answer as MLflow does: check the address in MLFLOW_URL, and any proxy in between"
        assert_both_checks_fail(material, found)
        server.shutdown()


BASIC = "Basic " + base64.b64encode("ada:pä:ss".encode()).decode()
SIGNED_IN = [
    pytest.param(BASIC, {"MLFLOW_USERNAME": "ada", "MLFLOW_PASSWORD": "pä:ss"}, id="basic"),
    pytest.param("Bearer t0.k-en_~+/=", {"MLFLOW_TOKEN": "t0.k-en_~+/="}, id="bearer"),
]
REFUSED = [
    pytest.param({}, id="nobody"),
    pytest.param({"MLFLOW_USERNAME": "ada", "MLFLOW_PASSWORD": "s3cret"}, id="wrong password"),
    pytest.param({"MLFLOW_TOKEN": "s3cret"}, id="wrong token"),
]


@pytest.mark.parametrize(("credentials", "settings"), SIGNED_IN)
def test_good_credentials_get_an_answer(experiment: Experiment, credentials: str, settings: dict[str, str]) -> None:
    run_id = experiment.run("plain")
    experiment.tag(run_id, "true")
    with GuardedMlflow(experiment.url, credentials) as guarded:
        material = Material(experiment.host, {"MLFLOW_URL": guarded.url, **settings}, {"EXPERIMENT": experiment.name})
        assert material.check("repository") == ("success", f"MLflow answers at {guarded.url}")
        assert material.check("package") == ("success", "finished runs with the tag 'promote': 1")
        assert material.reported() == run_id
        assert material.poll() is None


@pytest.mark.parametrize("settings", REFUSED)
@pytest.mark.parametrize("credentials", [BASIC, "Bearer t0.k-en_~+/="], ids=["basic", "bearer"])
def test_wrong_credentials_are_refused_in_words(
    experiment: Experiment, credentials: str, settings: dict[str, str]
) -> None:
    found = "it refused the credentials: check user name, password or token of the repository"
    with GuardedMlflow(experiment.url, credentials) as guarded:
        material = Material(experiment.host, {"MLFLOW_URL": guarded.url, **settings}, {"EXPERIMENT": experiment.name})
        assert_both_checks_fail(material, found)
        asked = f"asked MLflow at {guarded.url} for the experiment '{experiment.name}'"
        assert material.refusal() == f"{asked}, {found}"


def test_nothing_promoted_yet_fails_the_first_poll_in_words_and_no_later_one(experiment: Experiment) -> None:
    material = of_tag(experiment)
    assert material.refusal() == f"nothing promoted in experiment {experiment.name} yet: tag a run with 'promote'"
    run_id = experiment.run("plain")
    experiment.tag(run_id, "true")
    assert material.reported() == run_id
    experiment.untag(run_id)
    assert material.poll() is None


def test_a_modification_has_what_jobs_and_pages_need(experiment: Experiment) -> None:
    material = of_tag(experiment)
    run_id = experiment.run("boosted")
    experiment.tag(run_id, written(1))
    experiment.tag(run_id, "lower error", key="promote.reason")
    found = material.poll()
    assert found
    assert (found.revision, found.user, found.modified_at) == (f"1-{run_id[:8]}", "ada", 1795334400000)
    assert json.loads(found.comment) == {
        "TYPE": "PACKAGE_MATERIAL",
        "TRACKBACK_URL": f"{experiment.url}/#/experiments/{experiment.id}/runs/{run_id}",
        "COMMENT": f"{experiment.name}: run boosted ({run_id[:8]}) promoted by ada: lower error",
    }
    assert found.data.keys() == DATA_KEYS
    configured = {it.key for it in (*material.plugin.repository_fields(), *material.plugin.package_fields())}
    assert found.data.keys().isdisjoint(configured | {"LABEL"})
    model_id = experiment.model_id(run_id)
    assert (found.data["MODEL_ID"], found.data["MODEL_URI"]) == (model_id, f"models:/{model_id}")


def test_every_promotion_arrives_once_and_in_order(experiment: Experiment) -> None:
    material = of_tag(experiment)
    first, second, third = (experiment.run(name) for name in ("a", "b", "c"))
    late, early = experiment.run("late", end=1795334490000), experiment.run("early", end=1795334470000)
    going = experiment.run("going", status="RUNNING")
    experiment.run("never promoted")
    experiment.tag(first, written(1))
    assert material.reported() == first
    for run_id, value in ((late, "true"), (early, ""), (third, written(3)), (second, written(2)), (going, written(9))):
        experiment.tag(run_id, value)
    assert material.drained() == [second, third, early, late]
    experiment.finish(going, "KILLED")
    experiment.tag(first, written(10))
    assert material.drained() == [going, first]


def test_what_was_reported_stays_so_when_it_goes_and_comes_back(experiment: Experiment) -> None:
    material = of_tag(experiment)
    deleted, untagged, last = (experiment.run(name) for name in "abc")
    for sequence, run_id in enumerate((deleted, untagged), 1):
        experiment.tag(run_id, written(sequence))
        assert material.reported() == run_id
    experiment.delete(deleted)
    experiment.untag(untagged)
    experiment.tag(last, written(3))
    assert material.reported() == last
    experiment.restore(deleted)
    experiment.tag(untagged, written(2))
    assert material.poll() is None


def test_a_deleted_run_is_reported_when_it_is_restored(experiment: Experiment) -> None:
    material = of_tag(experiment)
    first, deleted = experiment.run("a"), experiment.run("b")
    experiment.tag(first, written(1))
    assert material.reported() == first
    experiment.tag(deleted, written(2))
    experiment.delete(deleted)
    assert material.poll() is None
    experiment.restore(deleted)
    assert material.reported() == deleted


@pytest.mark.parametrize("question", ["experiments/get-by-name", "runs/search", "logged-models/search"])
def test_a_poll_that_mlflow_breaks_off_loses_nothing(experiment: Experiment, question: str) -> None:
    first, second = experiment.run("a"), experiment.run("b")
    with GuardedMlflow(experiment.url) as guarded:
        material = of_tag(experiment, url=guarded.url)
        experiment.tag(first, written(1))
        assert material.reported() == first
        experiment.tag(second, written(2))
        guarded.broken = question
        assert material.refusal().endswith(", it failed with status 500: see its log")
        guarded.broken = ""
        assert material.drained() == [second]


def test_polls_at_once_with_the_same_previous_revision_have_one_answer(experiment: Experiment) -> None:
    material = of_tag(experiment)
    first, *others = (experiment.run(name) for name in "abcd")
    experiment.tag(first, written(1))
    assert material.reported() == first
    for sequence, run_id in enumerate(others, 2):
        experiment.tag(run_id, written(sequence))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: material.plugin.latest(material.package, material.known), range(4)))
    assert answers[0]
    assert answers[0].data["RUN_ID"] == others[0]
    assert answers == [answers[0]] * 4


def test_another_tag_is_another_package(experiment: Experiment) -> None:
    live, preview = of_tag(experiment), of_tag(experiment, "preview")
    released, proposed = experiment.run("released"), experiment.run("proposed")
    experiment.tag(released, written(1))
    experiment.tag(proposed, "#42", key="preview")
    assert live.reported() == released
    found = preview.poll()
    assert found
    assert (found.data["RUN_ID"], found.data["PROMOTION"], found.data["PROMOTED_BY"]) == (proposed, "#42", "unknown")
    assert "has the tag preview = #42" in json.loads(found.comment)["COMMENT"]
    experiment.tag(proposed, "#43", key="preview")
    assert (live.poll(), preview.reported()) == (None, proposed)


def test_an_alias_promotes_each_time_it_points_at_another_version(experiment: Experiment) -> None:
    name = f"registered-{experiment.name}"
    first, second = experiment.run("a"), experiment.run("b")
    experiment.create_registered_model(name)
    versions = [experiment.register(name, run_id) for run_id in (first, second)]
    material = of_alias(experiment, name)
    nothing = f"nothing promoted in registered model {name} yet"
    assert material.refusal() == f"{nothing}: set the alias 'champion' on a version of a finished run"
    experiment.point(name, "champion", versions[0])
    assert material.check("package") == ("success", "the alias 'champion' points at version 1")
    found = material.poll()
    assert found
    assert (found.data["RUN_ID"], found.data["MODEL"]) == (first, name)
    assert found.data["MODEL_URI"] == f"models:/{experiment.model_id(first)}"
    assert material.poll() is None
    for number, run_id in ((versions[1], second), (versions[0], first)):
        experiment.point(name, "champion", number)
        assert material.reported() == run_id
        assert material.poll() is None
    assert material.known
    assert material.known.revision == f"3-{first[:8]}"
    experiment.unpoint(name, "champion")
    assert material.poll() is None


def test_a_deleted_version_is_quiet_and_the_same_model_registered_again_is_a_promotion(experiment: Experiment) -> None:
    name = f"registered-{experiment.name}"
    run_id = experiment.run("a")
    experiment.create_registered_model(name)
    material = of_alias(experiment, name)
    experiment.point(name, "champion", experiment.register(name, run_id))
    assert material.reported() == run_id
    experiment.delete_version(name, "1")
    assert material.poll() is None
    experiment.point(name, "champion", experiment.register(name, run_id))
    assert material.reported() == run_id


def test_a_version_with_the_number_of_a_deleted_model_is_another_promotion(experiment: Experiment) -> None:
    name = f"registered-{experiment.name}"
    run_id = experiment.run("a")
    experiment.create_registered_model(name)
    material = of_alias(experiment, name)
    experiment.point(name, "champion", experiment.register(name, run_id))
    first = material.poll()
    experiment.delete_registered_model(name)
    assert material.refusal().endswith(", it has none: create it or correct the package")
    experiment.create_registered_model(name)
    experiment.point(name, "champion", experiment.register(name, run_id))
    second = material.poll()
    assert first
    assert second
    assert [it.data["PROMOTION"].split(" of ")[0] for it in (first, second)] == ["version 1", "version 1"]


def test_a_version_of_a_running_run_waits_for_its_end(experiment: Experiment) -> None:
    name = f"registered-{experiment.name}"
    done, going = experiment.run("done"), experiment.run("going", status="RUNNING")
    experiment.create_registered_model(name)
    material = of_alias(experiment, name)
    experiment.point(name, "champion", experiment.register(name, done))
    assert material.reported() == done
    experiment.point(name, "champion", experiment.register(name, going))
    assert material.poll() is None
    experiment.finish(going)
    assert material.reported() == going


def test_a_version_and_its_copy_have_the_model_that_was_registered_though_the_run_logged_a_newer_one(
    experiment: Experiment,
) -> None:
    staging, production = f"staging-{experiment.name}", f"production-{experiment.name}"
    run_id = experiment.run("a")
    model_id = experiment.model_id(run_id)
    experiment.create_registered_model(staging)
    experiment.create_registered_model(production)
    original = experiment.register(staging, run_id)
    assert experiment.log_model(run_id) != model_id
    copy = experiment.register_source(production, f"models:/{staging}/{original}", run_id=run_id)
    for name, number in ((staging, original), (production, copy)):
        experiment.point(name, "champion", number)
        found = of_alias(experiment, name).poll()
        assert found
        assert (found.data["RUN_ID"], found.data["MODEL_ID"]) == (run_id, model_id)


def test_a_version_without_a_run_is_refused_in_words(experiment: Experiment) -> None:
    name = f"registered-{experiment.name}"
    experiment.create_registered_model(name)
    number = experiment.register_source(name, "s3://models/x")
    experiment.point(name, "champion", number)
    material = of_alias(experiment, name)
    expected = f"expected version {number} of registered model '{name}' to come from a run"
    found = f"{expected}, found none: register a model that a run logged"
    assert (material.check("package"), material.refusal()) == (("failure", found), found)


def test_an_unknown_message_is_left_to_gocd(host: PluginHost) -> None:
    with pytest.raises(PluginFailed, match=r"invalid request type.*go\.plugin-settings\.get-configuration"):
        host.call("go.plugin-settings.get-configuration", None)
