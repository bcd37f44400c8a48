"""Settings of a platform's clients: those who train, and the verbs."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource

from services.contract.checkout import ROOT


class ClientSettings(BaseSettings):
    """Read from the environment, else from what the platform wrote into TRACKBACK_STATE, which is this checkout's if
    nothing else is said. `KEYS` says which key opens which address.
    """

    KEYS: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  where its file is depends on the environment
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  nothing of ours is kept like that
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        state = Path(os.environ.get("TRACKBACK_STATE") or ROOT / ".trackback")
        return init_settings, env_settings, _PlatformFile(settings_cls, state / "platform.env", cls.KEYS)


class _PlatformFile(DotEnvSettingsSource):
    """Its keys open the platform's own services, and are shown to no other."""

    def __init__(self, settings_cls: type[BaseSettings], file: Path, keys: Mapping[str, str]) -> None:
        super().__init__(settings_cls, file)
        self._keys = keys

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        for address, key in self._keys.items():
            if self.current_state.get(address, found.get(address)) != found.get(address):
                found.pop(key, None)
        return found
