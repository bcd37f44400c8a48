"""What AWS answers with: JSON of EBS, XML of EC2, and the faults of both."""

import base64
import json
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

# Status, headers, body.
Answer = tuple[int, dict[str, str], bytes]


class Fault(Exception):
    """What AWS says no with."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def invalid(message: str) -> Fault:
    """As EBS says it."""
    return Fault("ValidationException", message)


def parameter(message: str) -> Fault:
    """As EC2 says it."""
    return Fault("InvalidParameterValue", message)


def refuse_unless(sound: bool, message: str, refused: Callable[[str], Fault] = invalid) -> None:
    if not sound:
        raise refused(message)


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def as_json(status: int, said: dict[str, Any]) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(said).encode()


def as_xml(action: str, said: dict[str, Any]) -> Answer:
    text = f'<{action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">{_elements(said)}</{action}Response>'
    return 200, {"Content-Type": "text/xml"}, text.encode()


def as_fault(fault: Fault, service: str) -> Answer:
    if service == "ebs":
        return fault.status, {"x-amzn-errortype": fault.code}, json.dumps({"Message": fault.message}).encode()
    errors = f"<Error><Code>{fault.code}</Code><Message>{escape(fault.message)}</Message></Error>"
    return fault.status, {}, f"<Response><Errors>{errors}</Errors><RequestID>1</RequestID></Response>".encode()


def _elements(said: Any) -> str:
    if isinstance(said, dict):
        return "".join(f"<{key}>{_elements(value)}</{key}>" for key, value in said.items())
    if isinstance(said, list):
        return "".join(f"<item>{_elements(one)}</item>" for one in said)
    return escape(str(said))
