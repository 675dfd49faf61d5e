"""A model server for tests that does what it is told to, faults included; nothing but the standard library.

Its answers decide when it is ready, not the clock: ``--loading 3`` answers 503 three times.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Handler(BaseHTTPRequestHandler):
    options: argparse.Namespace
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        if self.options.die_after and self.asked > self.options.die_after:
            os._exit(3)
        if self.path != self.options.health:
            self.answer(404, "{}")
        elif self.options.status:
            self.answer(self.options.status, "{}")
        else:
            self.answer(503 if self.asked <= self.options.loading else 200, "{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.options.token == "hang":
            time.sleep(3600)
        if self.options.token == "die":
            os._exit(4)
        wanted = "/v1/completions" if self.options.token == "openai" else "/completion"
        has_key = not self.options.api_key or self.headers.get("Authorization") == f"Bearer {self.options.api_key}"
        if not has_key:
            self.answer(401, "{}")
        elif self.path != wanted or self.options.token == "none":
            self.answer(404, "{}")
        elif self.options.token == "refuse":
            self.answer(500, "no slot is free")
        else:
            self.answer(200, '{"content": "x"}')

    def answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--health", default="/health")
    parser.add_argument("--loading", type=int, default=0, help="so many answers say 503 first")
    parser.add_argument("--status", type=int, default=0, help="what health answers for ever")
    parser.add_argument(
        "--token", default="completion", choices=("completion", "openai", "none", "hang", "die", "refuse")
    )
    parser.add_argument("--die-after", type=int, default=0, help="answers")
    parser.add_argument("--exit", type=int, help="end at once with this status")
    parser.add_argument("--deaf", action="store_true", help="the port is open, but nobody answers")
    parser.add_argument("--stubborn", action="store_true", help="ignores SIGTERM")
    parser.add_argument("--child", choices=("group", "session"), help="start a child in its group, or outside of it")
    parser.add_argument("--background", action="store_true", help="the command ends, its server goes on")
    parser.add_argument("--log", type=Path, help="print this file first")
    parser.add_argument("--api-key", default="")
    parser.add_argument("-m", "--model")
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.log:
        sys.stderr.write(options.log.read_text())
        sys.stderr.flush()
    if options.exit is not None:
        sys.exit(options.exit)
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.child:
        sleeper = [sys.executable, "-c", "import time; time.sleep(3600)"]
        child = subprocess.Popen(sleeper, start_new_session=options.child == "session")
        sys.stdout.write(f"child {child.pid}\n")
        sys.stdout.flush()
    if options.background and os.fork():
        os._exit(0)
    if options.deaf:
        with socket.create_server(("127.0.0.1", options.port)):
            signal.pause()
    Handler.options = options
    ThreadingHTTPServer(("127.0.0.1", options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
