"""MLflow's own guard with the names that we give it: a web page gets nowhere, whatever its site is called."""

import httpx
import pytest

READ = "/api/2.0/mlflow/experiments/get?experiment_id=0"
TAG = "/api/2.0/mlflow/experiments/set-experiment-tag"
BODY = {"experiment_id": "0", "key": "promote", "value": "by a web page"}


# The last three fit patterns of MLflow's own list.
@pytest.mark.parametrize("name", ["evil.example", "10.evil.example", "192.168.evil.example", "0.0.0.0"])
def test_it_answers_under_no_name_of_another_site(mlflow_url: str, name: str) -> None:
    assert httpx.get(f"{mlflow_url}{READ}", headers={"Host": name}).status_code == 403
    assert httpx.post(f"{mlflow_url}{TAG}", json=BODY, headers={"Host": name}).status_code == 403


def test_it_changes_nothing_for_the_page_of_another_site(mlflow_url: str) -> None:
    origin = {"Origin": "http://evil.example"}
    assert httpx.post(f"{mlflow_url}{TAG}", json=BODY, headers=origin).status_code == 403


def test_it_answers_on_this_machine(mlflow_url: str) -> None:
    port = mlflow_url.rpartition(":")[2]
    for name in ("localhost", "127.0.0.1"):
        assert httpx.get(f"http://{name}:{port}{READ}").status_code == 200
