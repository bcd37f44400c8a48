"""The interface to a package-repository plugin: messages by name, replies of JSON."""

from typing import Protocol

from services.contract.record import Record


class PluginInfo(Record):
    """What the plugin's `plugin.xml` says of it."""

    id: str
    version: str
    name: str


class PluginReply(Record):
    """A plugin's reply to one message: with `code` 200 `body` is JSON, with another one a sentence for the operator."""

    code: int
    body: str | None


class PluginFailed(Exception):
    """The message got no reply, or an invalid one; the text is what GoCD would show."""


class Plugin(Protocol):
    @property
    def plugin(self) -> PluginInfo: ...

    def call(self, name: str, body: str | None, timeout: float = 30) -> PluginReply:
        """Sends the message `name`, waits `timeout` seconds at most. Raises PluginFailed."""
        ...
