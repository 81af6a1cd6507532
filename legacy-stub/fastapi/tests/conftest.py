import os
import subprocess
import sys
from pathlib import Path

import pytest

from wire import Service

PACKAGE = Path(__file__).resolve().parents[1]


def launch(stderr=subprocess.PIPE, **env: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "auth_service"],
        cwd=PACKAGE,
        env={"PATH": os.environ["PATH"], "PORT": "0", **env},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    """The real service as a child process; what it logs goes to a file, so that no pipe fills."""
    log = tmp_path_factory.mktemp("service") / "stderr"
    with log.open("w") as stderr:
        child = launch(stderr)
        line = child.stdout.readline()
        assert line.startswith("ready listen="), log.read_text()
        host, port = line.strip().removeprefix("ready listen=").rsplit(":", 1)
        yield Service(host, int(port))
        child.terminate()
        child.wait(timeout=15)
