"""The version of this project, which stands in pyproject.toml."""

import tomllib

from tests.support.paths import ROOT

VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
