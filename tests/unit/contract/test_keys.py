"""The command line finds the token of this machine's platform by itself, and shows it to no other server."""

from pathlib import Path

import pytest

from services.delivery.settings import Settings

OURS = {"gocd": "http://127.0.0.1:8153/go", "rollout": "http://127.0.0.1:8154"}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GOCD", "ROLLOUT"):
        for ending in ("URL", "TOKEN", "TOKEN_FILE"):
            monkeypatch.delenv(f"TRACKBACK_{name}_{ending}", raising=False)
    (tmp_path / "token").write_text("of this platform\n")
    lines = [f"TRACKBACK_{name.upper()}_URL={url}" for name, url in OURS.items()]
    lines += [f"TRACKBACK_{name.upper()}_TOKEN_FILE={tmp_path / 'token'}" for name in OURS]
    (tmp_path / "platform.env").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("TRACKBACK_STATE", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("state")
def test_it_is_found_without_a_word() -> None:
    settings = Settings()
    assert (settings.gocd_access_token, settings.rollout_access_token) == ("of this platform", "of this platform")


@pytest.mark.usefixtures("state")
def test_saying_the_platforms_own_address_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKBACK_ROLLOUT_URL", OURS["rollout"])
    assert Settings().rollout_access_token == "of this platform"


@pytest.mark.usefixtures("state")
def test_another_server_is_not_shown_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKBACK_ROLLOUT_URL", "http://rollout.example:8154")
    assert (Settings().rollout_access_token, Settings().gocd_access_token) == (None, "of this platform")
    assert Settings(gocd_url="http://gocd.example:8153/go").gocd_access_token is None


def test_a_token_that_is_given_goes_first(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (state / "other").write_text("another")
    monkeypatch.setenv("TRACKBACK_ROLLOUT_URL", "http://rollout.example:8154")
    monkeypatch.setenv("TRACKBACK_ROLLOUT_TOKEN_FILE", str(state / "other"))
    monkeypatch.setenv("TRACKBACK_GOCD_TOKEN", "by hand")
    assert (Settings().rollout_access_token, Settings().gocd_access_token) == ("another", "by hand")
