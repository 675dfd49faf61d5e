"""How is the start of a service measured where there is none? A small server of this tool's own.

Run as a program with its port: it says that it is ready at /health, until it is ended.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

CONDITION = ("status", "ready")


def sample_command(port: int) -> list[str]:
    """Words that start it."""
    return [sys.executable, "-m", "synapse_perf.outside.sample_service", str(port)]


class _Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(dict([CONDITION])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: it is asked 200 times a second."""


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), _Health).serve_forever()
