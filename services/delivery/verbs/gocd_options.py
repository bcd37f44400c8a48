"""The options of `trackback gocd`: which server, as whom, and what to define there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.contract.errors import Refused
from services.contract.secret_file import read_secret
from services.delivery.settings import Settings
from services.gocd.client import GoCD, Login

Models = Annotated[Path | None, typer.Option(help="The folder of the models; TRACKBACK_MODELS if not given.")]


@dataclass(frozen=True)
class TokenRequest:
    """Whose access token is wanted, and into which file."""

    login: Login
    path: Path


@dataclass(frozen=True, kw_only=True)
class Access:
    """Which GoCD is asked, and as whom."""

    url: Annotated[str | None, typer.Option(help="GoCD, with its /go; TRACKBACK_GOCD_URL if not given.")] = None
    token: Annotated[str | None, typer.Option(envvar="TRACKBACK_GOCD_TOKEN", help="An administrator's token.")] = None
    token_file: Annotated[
        Path | None, typer.Option(envvar="TRACKBACK_GOCD_TOKEN_FILE", help="The file that holds it.")
    ] = None
    user: Annotated[str | None, typer.Option(help="An administrator, where there is no token yet.")] = None
    password_file: Annotated[Path | None, typer.Option(help="The file that holds the password.")] = None

    def login(self) -> Login | None:
        """Raises Refused for a user without a password file, a file without a user and a file that cannot be read."""
        return _login(self.user, self.password_file)

    def connect(self, settings: Settings) -> GoCD:
        """Whoever gives a user means that user, whatever token the environment holds for the other verbs."""
        address = _address(self.url or settings.gocd_url)
        if login := self.login():
            return GoCD(address, login=login)
        ours = settings.gocd_access_token if address == _address(settings.gocd_url) else None
        return GoCD(address, self.token or _secret(self.token_file) or ours)


@dataclass(frozen=True, kw_only=True)
class SetUpOptions(Access):
    """What `set-up` defines, how MLflow and the pipelines' repository are reached from GoCD, and how far it goes."""

    mlflow_url: Annotated[str | None, typer.Option(help="MLflow as GoCD reaches it.")] = None
    mlflow_ui_url: Annotated[str | None, typer.Option(help="MLflow as a browser reaches it.")] = None
    config_repo: Annotated[str | None, typer.Option(help="Git URL of the pipelines, as GoCD reaches it.")] = None
    config_repo_branch: Annotated[str, typer.Option(help="Its branch.")] = "main"
    models: Models = None
    token_out: Annotated[Path | None, typer.Option(help="Write an access token for the verbs into this file.")] = None
    operator: Annotated[str | None, typer.Option(help="Whose token that is; the administrator's if not given.")] = None
    operator_password_file: Annotated[Path | None, typer.Option(help="The file with the operator's password.")] = None
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a server that is starting.")] = 60
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False
    update: Annotated[bool, typer.Option("--update", help="Change definitions of ours that differ.")] = False
    followed: Annotated[
        bool, typer.Option("--followed", help="'trackback gocd follow' runs: GoCD polls what was promoted once.")
    ] = False

    def token_request(self) -> TokenRequest | None:
        """None without --token-out. Raises Refused when nobody's password is given for it."""
        administrator = self.login()
        login = _login(self.operator, self.operator_password_file) or administrator
        if self.token_out and not login:
            raise Refused("expected --user and --password-file for --token-out: GoCD gives tokens for a password only")
        return TokenRequest(login, self.token_out) if self.token_out and login else None


@dataclass(frozen=True, kw_only=True)
class FollowOptions(Access):
    """Which models `follow` follows, and how it says that it has begun."""

    models: Models = None
    ready: Annotated[Path | None, typer.Option(help="Write this file when it has begun.")] = None


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise Refused(f"expected a URL of GoCD such as http://gocd.example:8153/go, found '{url}'")
    return url.rstrip("/")


def _login(user: str | None, password_file: Path | None) -> Login | None:
    if (user is None) != (password_file is None):
        raise Refused("expected a user together with the file of the password, found one without the other")
    password = _secret(password_file)
    return Login(user, password, password_file) if user and password else None


def _secret(path: Path | None) -> str | None:
    return read_secret(path, "a secret") if path else None
