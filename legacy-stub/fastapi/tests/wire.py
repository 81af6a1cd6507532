"""HTTP/1.1 over a bare socket, so that a request is sent as the contract writes it."""

import base64
import json
import socket
from dataclasses import dataclass
from typing import Any

ANSWER_TIMEOUT_S = 10
NO_ANSWER = 0


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Service:
    host: str
    port: int

    def send(self, request: dict[str, Any]) -> Answer:
        return self.send_raw(request_bytes(request), method=request.get("method", "GET"))

    def send_raw(self, data: bytes, method: str = "GET") -> Answer:
        with socket.create_connection((self.host, self.port), timeout=ANSWER_TIMEOUT_S) as connection:
            connection.sendall(data)
            with connection.makefile("rb") as stream:
                return read_answer(stream, method)


def request_bytes(request: dict[str, Any]) -> bytes:
    if "raw" in request:
        return request["raw"].encode("latin-1")
    method = request["method"]
    headers = [["Host", "auth.example"], *request["headers"]]
    body = request_body(request)
    if body is not None or method in ("POST", "PUT", "PATCH"):
        headers.append(["Content-Length", str(len(body or b""))])
    lines = [f"{method} {request['path']} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def request_body(request: dict[str, Any]) -> bytes | None:
    if "body" in request:
        return request["body"].encode()
    if "body_base64" in request:
        return base64.b64decode(request["body_base64"])
    if "body_repeat" in request:
        return (request["body_repeat"]["text"] * request["body_repeat"]["times"]).encode()
    return None


def read_answer(stream, method: str) -> Answer:
    status_line = stream.readline()
    if not status_line:
        return Answer(NO_ANSWER, {}, b"")
    headers = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    status = int(status_line.split()[1])
    length = 0 if method == "HEAD" or status in (204, 304) else int(headers.get("content-length", 0))
    return Answer(status, headers, stream.read(length))


def unmet(expectation: dict[str, Any], answer: Answer) -> list[str]:
    """One sentence for each member of the expectation that the answer does not meet."""
    got = {
        "status": answer.status,
        "content_type": answer.headers.get("content-type", "").split(";")[0].strip().lower() or None,
        "headers": {name: answer.headers.get(name) for name in expectation.get("headers", {})},
        "json": parsed(answer.body),
        "body_bytes": len(answer.body),
    }
    return [f"{member}: want {want!r}, got {got[member]!r}" for member, want in expectation.items() if want != got[member]]


def parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body
