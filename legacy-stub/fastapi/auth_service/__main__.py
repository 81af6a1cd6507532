import socket
import sys

import uvicorn

from .app import create_app
from .config import Settings
from .keys import Keys
from .tokens import Tokens

STOP_TIMEOUT_S = 10


def main() -> None:
    try:
        settings = Settings.from_env()
        app = create_app(Keys.load(settings.keys_file), Tokens.load(settings))
        listener = listen(settings.host, settings.port)
    except (OSError, ValueError) as error:
        sys.exit(f"cannot start: {error}")
    config = uvicorn.Config(
        app,
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    host, port = listener.getsockname()[:2]
    # The socket listens already: whoever connects now waits until the server takes the connection.
    print(f"ready listen={host}:{port}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port), backlog=2048)
        # asyncio sets this only on connections of sockets that it made; without it each answer waits 40 ms for the
        # client's acknowledgement of its head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise ValueError(f"{host}:{port}: {error.strerror}; set PORT to another port, or to 0") from error


main()
