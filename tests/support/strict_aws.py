"""EBS direct API and EC2 on this machine: what AWS would refuse is refused here.

A server of our own, because moto checks neither block sizes nor checksums, counts, states or tokens: what is strict in
it would be as much code, laid over its insides.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from tests.support.aws_answers import Answer, Fault, as_fault
from tests.support.strict_ebs import StrictEbs
from tests.support.strict_ec2 import StrictEc2

KEY, REGION = "AKIAEXAMPLE", "eu-west-1"
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request, ")
# As each service says it: no such key, no right, too many requests.
_UNKNOWN = {"ebs": "UnrecognizedClientException", "ec2": "AuthFailure"}
_DENIED = {"ebs": "AccessDeniedException", "ec2": "UnauthorizedOperation"}
_BUSY = {"ebs": "RequestThrottledException", "ec2": "RequestLimitExceeded"}


@dataclass
class StrictAws:
    """`denied` actions are refused, `busy` ones so many times; `done` counts those that were answered with success."""

    url: str = ""
    denied: set[str] = field(init=False)
    busy: Counter[str] = field(init=False)
    done: Counter[str] = field(init=False)
    ebs: StrictEbs = field(init=False)
    ec2: StrictEc2 = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nothing is in it, nobody is refused."""
        self.denied, self.busy, self.done, self.ebs = set(), Counter(), Counter(), StrictEbs()
        self.ec2 = StrictEc2(self.ebs.snapshots)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Of headers the names are in lower case."""
        address, service = urlsplit(path), "ec2" if path == "/" else "ebs"
        if service == "ec2":
            name, run = self.ec2.action(dict(parse_qsl(body.decode())))
        else:
            parts, query = address.path.strip("/").split("/"), dict(parse_qsl(address.query))
            name, run = self.ebs.action(method, parts, query, headers, body)
        try:
            with self._lock:
                return self._admitted(service, name, run, headers.get("authorization", ""))
        except Fault as fault:
            return as_fault(fault, service)

    def _admitted(self, service: str, name: str, run: Callable[[], Answer], authorization: str) -> Answer:
        action, signed = f"{service}:{name}", _SIGNED.match(authorization)
        if not signed or signed.groups() != (KEY, REGION, service):
            raise Fault(_UNKNOWN[service], "The security token included in the request is invalid.", 403)
        if action in self.denied:
            said = f"User: arn:aws:iam::123456789012:user/me is not authorized to perform: {action} on resource: *"
            raise Fault(_DENIED[service], said, 403)
        if self.busy[action] > 0:
            self.busy[action] -= 1
            raise Fault(_BUSY[service], "Request rate exceeded.")
        answer = run()
        self.done[action] += 1
        return answer


@contextmanager
def strict_aws() -> Iterator[StrictAws]:
    aws = StrictAws()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent = {name.lower(): value for name, value in self.headers.items()}
            status, headers, content = aws.answer(self.command, self.path, sent, body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _take  # noqa: N815  the names of the base class

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    aws.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield aws
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
