"""Commands of the fake server, and ports that nobody uses."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("fake_server.py")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def fake_words(port: int, *options: str) -> list[str]:
    return [sys.executable, "-I", "-S", str(SCRIPT), "--port", str(port), *options]
