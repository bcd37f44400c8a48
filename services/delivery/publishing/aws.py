"""AWS as publish-image asks it: credentials, region and retries as AWS's own tools have them, errors as one line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004  Python's own is not what botocore raises
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    WaiterError,
)
from botocore.session import Session

from services.contract.errors import Refused, reason

POLICY = "docs/publish-image.md has the policy"
NOT_FOUND, INVALID = "ResourceNotFoundException", "ValidationException"
_TRIES = 10
_DENIED = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"}
_UNKNOWN_KEY = {"InvalidClientTokenId", "AuthFailure", "UnrecognizedClientException", "SignatureDoesNotMatch",
                "InvalidSignatureException", "ExpiredToken", "ExpiredTokenException", "RequestExpired"}  # fmt: skip
_BUSY = {"RequestThrottledException", "ThrottlingException", "RequestLimitExceeded", "ServiceQuotaExceededException",
         "ConcurrentLimitExceededException"}  # fmt: skip
_ACTION = re.compile(r"to perform: ([a-z0-9]+:[A-Za-z]+)")


class Answered(Refused):
    """AWS has refused a request; `code` is its own."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


class Aws:
    """The services `ebs` and `ec2` of one region, safe to ask from many threads."""

    def __init__(
        self, region: str | None, profile: str | None, endpoint_url: str | None, connections: int, tries: int = _TRIES
    ) -> None:
        """Raises Refused when no region is set anywhere, or no profile has that name."""
        self._endpoint_url = endpoint_url
        self._config = Config(
            max_pool_connections=connections, retries={"mode": "standard", "total_max_attempts": tries}
        )
        with _words("an AWS profile and region"):
            self._session = Session(profile=profile)
            self._region = region or self._session.get_config_variable("region")
            if not self._region:
                raise NoRegionError
            self._clients = {name: self._client(name) for name in ("ebs", "ec2")}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for client in self._clients.values():
            client.close()

    @property
    def region(self) -> str:
        return str(self._region)

    def ask(self, action: str, **parameters: Any) -> dict[str, Any]:
        """`action` as IAM names it, such as `ebs:StartSnapshot`. Raises Answered or Refused, after retries."""
        service, _, name = action.partition(":")
        with _words(action):
            answer: dict[str, Any] = getattr(self._clients[service], xform_name(name))(**parameters)
            return answer

    def read(self, action: str, **parameters: Any) -> bytes:
        """The body of an answer that has one. Raises as `ask` does."""
        body = self.ask(action, **parameters)["BlockData"]
        with _words(action):
            return bytes(body.read())

    def pages(self, action: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """All answers, where one is not the whole."""
        answer = self.ask(action, **parameters)
        yield answer
        while token := answer.get("NextToken"):
            answer = self.ask(action, **parameters, NextToken=token)
            yield answer

    def wait_until_completed(self, snapshot: str, seconds_between: int, tries: int) -> None:
        """Raises Refused when EBS says that the snapshot failed, or it takes longer."""
        waiter = self._clients["ec2"].get_waiter("snapshot_completed")
        with _words("ec2:DescribeSnapshots"):
            waiter.wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": seconds_between, "MaxAttempts": tries})

    def _client(self, service: str) -> Any:
        return self._session.create_client(
            service, region_name=self._region, endpoint_url=self._endpoint_url, config=self._config
        )


@contextmanager
def _words(action: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise answered(action, error) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise Refused(
            f"expected credentials for AWS, found: {reason(error)}: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        ) from error
    except NoRegionError as error:
        raise Refused("expected a region of AWS, found none: set AWS_REGION, or give --region") from error
    except ProfileNotFound as error:
        raise Refused(f"expected a profile of AWS, found: {reason(error)}") from error
    except WaiterError as error:
        raise Refused(f"expected EBS to complete the snapshot, found: {reason(error)}: run it again") from error
    except (ConnectionError, HTTPClientError) as error:
        raise Refused(f"expected AWS to answer {action}, found: {reason(error)}: run it again to go on") from error
    except (BotoCoreError, ValueError) as error:
        raise Refused(f"expected to ask AWS for {action}, found: {reason(error)}") from error


def answered(action: str, error: ClientError) -> Answered:
    """What AWS said no with, for a person."""
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), " ".join(str(said.get("Message", "")).split())
    if code in _DENIED:
        named = _ACTION.search(message)
        text = f"expected the right to {named[1] if named else action}, found {code}: {POLICY}"
    elif code in _UNKNOWN_KEY:
        text = f"expected credentials that AWS takes, found {code}: {message}: renew them"
    elif code in _BUSY:
        text = (
            f"expected AWS to take {action}, found {code} after {_TRIES} tries: run it again, with less --concurrency"
        )
    else:
        text = f"expected AWS to take {action}, found {code}: {message}"
    return Answered(text, code)
