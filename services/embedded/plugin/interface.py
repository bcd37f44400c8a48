"""What the CI server asks of a package-repository plugin, whoever hosts it."""

from typing import Protocol

from services.contract.record import Record


class PluginInfo(Record):
    """Who the plugin says it is in its `plugin.xml`."""

    id: str
    version: str
    name: str


class PluginReply(Record):
    """A plugin's answer to one message; `code` is 200 when it is good, `body` is JSON or words for the operator."""

    code: int
    body: str | None


class PluginFailed(Exception):
    """The message got no answer; the text is what GoCD would show."""


class Plugin(Protocol):
    @property
    def plugin(self) -> PluginInfo: ...

    def call(self, name: str, body: str | None, timeout: float = 30) -> PluginReply:
        """Sends the message `name`, waits `timeout` seconds at most. Raises PluginFailed."""
        ...
