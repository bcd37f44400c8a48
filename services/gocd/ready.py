"""Whether a GoCD server can be set up: it is up, and our plugin is active in it."""

from collections.abc import Callable

from services.contract import names
from services.contract.errors import Refused
from services.contract.waiting import wait_until
from services.gocd.client import GoCD, Json

PAUSE_SECONDS = 0.5


def wait_until_up(gocd: GoCD, seconds: float, say: Callable[[str], None]) -> None:
    """Waits for a server that is starting. Raises Refused when it is not up in time, or is not GoCD."""
    if gocd.is_up():
        return
    if seconds > 0:
        say(f"waiting up to {seconds:g} s for GoCD at {gocd.url}")
    wait_until(gocd.is_up, f"GoCD at {gocd.url}", seconds, found=_not_up, pause=PAUSE_SECONDS)


def refuse_without_plugin(gocd: GoCD, plugin: str = names.PLUGIN_ID) -> None:
    """GoCD loads its plugins before it says that it is up, so there is nothing to wait for."""
    found = gocd.plugin(plugin)
    if found is None:
        raise Refused(
            f"expected the plugin '{plugin}' in GoCD at {gocd.url}, found none: copy trackback-mlflow-plugin.jar into"
            " the server's plugins/external and restart it, as plugin/README.md says"
        )
    if (state := _state(found)) != "active":
        reasons = " ".join(str(text) for text in found.get("status", {}).get("messages") or ["it gives no reason"])
        raise Refused(
            f"expected the plugin '{plugin}' to be active in GoCD, found it {state}: {' '.join(reasons.split())}"
        )


def _not_up() -> str:
    return "it does not answer: is it up, and is that its address?"


def _state(plugin: Json) -> str:
    return str(plugin.get("status", {}).get("state", "without a state"))
