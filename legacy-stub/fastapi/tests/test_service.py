import signal
import socket

import pytest

from conftest import launch
from wire import read_answer


def test_answers_have_their_documented_order_and_no_etag(service):
    request = {"method": "POST", "path": "/auth/validate", "headers": [["Authorization", "Bearer key_123"]]}
    answer = service.send(request)
    assert answer.body == b'{"valid":true,"user_id":"user_123","expires_at":"2099-12-31T23:59:59.000Z"}'
    assert answer.headers["content-type"] == "application/json"
    assert "etag" not in answer.headers
    assert answer.headers["server"] == "uvicorn"


def test_two_requests_share_a_connection(service):
    with socket.create_connection((service.host, service.port), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            with connection.makefile("rb") as stream:
                assert read_answer(stream, "GET").body == b'{"status":"ok"}'


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_service(stop):
    child = launch()
    line = child.stdout.readline()
    host, port = line.strip().removeprefix("ready listen=").rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        # An answer shows that the server runs and has set its signal handlers.
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    child.send_signal(stop)
    child.communicate(timeout=15)
    # uvicorn finishes, and then lets the signal have its default effect.
    assert child.returncode in (0, -stop)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"PORT": "http"}, 'PORT is "http"; set it'),
        ({"KEYS_FILE": "/none.json"}, "/none.json"),
        ({"JWKS_FILE": "/none.json"}, "/none.json"),
        ({"JWKS_FILE": __file__}, "set JWKS_FILE"),
        ({"KEYS_FILE": __file__}, "set KEYS_FILE"),
    ],
)
def test_a_wrong_setting_ends_the_start(env, message):
    child = launch(**env)
    _, stderr = child.communicate(timeout=15)
    assert child.returncode == 1
    assert stderr.splitlines()[-1].startswith("cannot start: ")
    assert message in stderr


def test_a_busy_port_is_named(service):
    child = launch(PORT=str(service.port))
    _, stderr = child.communicate(timeout=15)
    assert child.returncode == 1
    assert "set PORT to another port" in stderr
