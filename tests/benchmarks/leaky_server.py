"""A model server for tests that ends badly in one way; nothing but the standard library.

``leaky_server.py HOW --port N``; what it leaves behind sleeps for a minute at most, should a test fail.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

SLEEP = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
PR_SET_PDEATHSIG = 1


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer()

    def answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


class Server(HTTPServer):
    def __init__(self, port: int, *, is_inherited: bool = False) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        os.set_inheritable(self.socket.fileno(), is_inherited)


def leaves_a_child(port: int) -> None:
    """In a session of its own, so that no signal to a group reaches it."""
    subprocess.Popen(SLEEP, start_new_session=True)
    Server(port).serve_forever()


def leaves_a_daemon(port: int) -> None:
    """Forked twice: its parent is gone before the server answers."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(SLEEP[0], SLEEP)
        os._exit(0)
    os.wait()
    Server(port).serve_forever()


def lends_its_port(port: int) -> None:
    """To a child's child, which inherits the open socket."""
    server = Server(port, is_inherited=True)
    nested = f"import subprocess; subprocess.Popen({SLEEP!r}, close_fds=False).wait()"
    subprocess.Popen([sys.executable, "-I", "-S", "-c", nested], close_fds=False, start_new_session=True)
    server.serve_forever()


def never_waits(port: int) -> None:
    """A wrapper that passes the signal on and goes on itself: its server stays a zombie."""
    server = subprocess.Popen([sys.executable, "-I", "-S", __file__, "ends_well", "--port", str(port)])
    signal.signal(signal.SIGTERM, lambda number, frame: server.terminate())
    while True:
        time.sleep(60)


def ignores_sigterm(port: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Server(port).serve_forever()


def ends_with_its_parent(port: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    Server(port).serve_forever()


def ends_well(port: int) -> None:
    Server(port).serve_forever()


def has_no_routes(port: int) -> None:
    """Answers every question but one with 404, as a server of another kind."""
    Handler.do_POST = lambda self: self.send_error(404)  # type: ignore[method-assign]
    Server(port).serve_forever()


def ends_at_once(port: int) -> None:
    sys.stderr.write(f"cannot listen at {port}: no such model\n")
    sys.exit(3)


def never_listens(port: int) -> None:
    del port
    time.sleep(60)


def listens_only(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        time.sleep(60)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("how")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    globals()[given.how](given.port)
