"""Commands of the fake server, and ports that nobody uses."""

from __future__ import annotations

import contextlib
import secrets
import socket
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("fake_server.py")


def free_port() -> int:
    """A port at which nobody listens, and none of those that the system hands out.

    One of those may be another's by the time that it is used here: of a test beside this one, or any client's own.
    """
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def fake_words(port: int, *options: str) -> list[str]:
    return [sys.executable, "-I", "-S", str(SCRIPT), "--port", str(port), *options]
