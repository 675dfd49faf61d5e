"""A chat server for tests that says, byte by byte, what a test gives it; nothing but the standard library."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answering = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answering: Answering
    requests: list[dict[str, Any]]
    connections: list[Any]
    ended: threading.Event  # set when the test is over: a server that hangs waits for it

    def setup(self) -> None:
        super().setup()
        self.connections.append(self.client_address)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.requests.append({"path": self.path, "headers": dict(self.headers), "body": json.loads(body)})
        self.answering(self)

    def do_GET(self) -> None:
        self.requests.append({"path": self.path, "headers": dict(self.headers)})
        self.answering(self)

    def whole(self, status: int, body: str, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def piece(self, text: str) -> None:
        content = text.encode()
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


class Served:
    def __init__(self, server: ThreadingHTTPServer, handler: type[Handler]) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.requests = handler.requests
        self.connections = handler.connections
        self._server = server

    def stop_listening(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def chat_server(answering: Answering) -> Iterator[Served]:
    ended = threading.Event()
    members = {"answering": staticmethod(answering), "requests": [], "connections": [], "ended": ended}
    handler = type("OwnHandler", (Handler,), members)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Served(server, handler)
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def delta(**said: Any) -> str:
    return event({"choices": [{"index": 0, "delta": said, "finish_reason": None}]})


def finish(reason: str = "stop", **more: Any) -> str:
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], **more})


def event(value: Any) -> str:
    return f"data: {json.dumps(value)}\n\n"


def streaming(*pieces: str) -> Answering:
    """Each piece as a chunk of its own."""

    def answer(handler: Handler) -> None:
        handler.begin_stream()
        for piece in pieces:
            handler.piece(piece)
        handler.end_stream()

    return answer
