"""Starts the server of leaky_server.py, which plants one fault, or none, in a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

SCRIPT = Path(__file__).with_name("leaky_server.py")


class LeakyServer:
    """A running one."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.pid = process.pid
        self.port = port
        self.url = f"http://127.0.0.1:{port}/query"
        self.ws = f"ws://127.0.0.1:{port}/ws"

    @property
    def known(self) -> dict[str, float]:
        """As a hunt's workload knows it."""
        return {"pid": self.pid, "started_s": psutil.Process(self.pid).create_time()}


@contextlib.contextmanager
def leaky_server(fault: str = "") -> Iterator[LeakyServer]:
    with subprocess.Popen([sys.executable, str(SCRIPT), fault], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield LeakyServer(process, int(process.stdout.readline()))
        finally:
            process.kill()
