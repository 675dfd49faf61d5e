"""Starts a model server as its users do; tells when it was up, when it was ready, and when it gave a first token."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

POLL_S = 0.005  # an HTTP request to a local server costs well under a millisecond
REQUEST_TIMEOUT_S = 60.0


class ServerFailed(Exception):  # noqa: N818  # says what happened
    """The server ended, or never became ready; `log` has its last lines."""

    def __init__(self, message: str, log: str = "", is_timeout: bool = False) -> None:
        super().__init__(message)
        self.log = log
        self.is_timeout = is_timeout


class ModelServer:
    """A server process in a process group of its own, its output in a file."""

    def __init__(self, command: str, url: str, log_path: Path) -> None:
        self.url: SplitResult = urlsplit(url)
        self.log_path = log_path
        with log_path.open("wb") as log:
            self.spawned_ns = time.perf_counter_ns()
            self.process = subprocess.Popen(
                shlex.split(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self, timeout_s: float, note: Callable[[str], None]) -> dict[str, int]:
        """Poll the health URL until it answers 200; stamps in ns of: port_open, first_answer, ready.

        A server that answers 503 while it loads is up but not ready, and an open port proves less still.
        """
        stamps: dict[str, int] = {}
        deadline_ns = time.perf_counter_ns() + int(timeout_s * 1e9)
        while time.perf_counter_ns() < deadline_ns:
            self._fail_if_ended()
            status = self._health()
            now_ns = time.perf_counter_ns()
            if status is not None:
                stamps.setdefault("port_open", now_ns)
            if status:
                if "first_answer" not in stamps:
                    note("the server answers, its model is still loading")
                stamps.setdefault("first_answer", now_ns)
            if status == http.client.OK:
                stamps["ready"] = now_ns
                return stamps
            time.sleep(POLL_S)
        raise ServerFailed(f"not ready after {timeout_s:g} s", self.log_tail(), is_timeout=True)

    def first_token(self) -> int:
        """Ask for one token by the completion route that the server has; the stamp of the answer in ns."""
        for path, body in (
            ("/completion", {"prompt": "Hello", "n_predict": 1, "cache_prompt": False}),
            ("/v1/completions", {"prompt": "Hello", "max_tokens": 1}),
        ):
            status, answer = self._request("POST", path, json.dumps(body))
            if status == http.client.OK:
                return time.perf_counter_ns()
            if status not in (http.client.NOT_FOUND, http.client.METHOD_NOT_ALLOWED):
                raise ServerFailed(f"{path} answers {status}: {answer[:200]}", self.log_tail())
        raise ServerFailed("the server has neither /completion nor /v1/completions", self.log_tail())

    def stop(self) -> None:
        """End the server and all it has started; waits until it is gone."""
        for number, patience_s in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience_s)
                break
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)  # whoever of its group has outlived it

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def log_tail(self, lines: int = 12) -> str:
        return "\n".join(self.log().strip().splitlines()[-lines:])

    def _fail_if_ended(self) -> None:
        status = self.process.poll()
        if status is not None:
            how = f"signal {-status}" if status < 0 else f"status {status}"
            raise ServerFailed(f"the server ended with {how} before it was ready", self.log_tail())

    def _health(self) -> int | None:
        """None: nobody listens; 0: the port is open but no answer came; else the HTTP status."""
        try:
            return self._request("GET", self.url.path or "/health", None)[0]
        except ConnectionRefusedError:
            return None
        except (OSError, http.client.HTTPException):
            return 0

    def _request(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        connection = http.client.HTTPConnection(
            self.url.hostname or "127.0.0.1", self.url.port or 80, timeout=REQUEST_TIMEOUT_S
        )
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        finally:
            connection.close()


def is_port_taken(url: str) -> bool:
    """Whether somebody listens there already: then its answers would be taken for the new server's."""
    parts = urlsplit(url)
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex((parts.hostname or "127.0.0.1", parts.port or 80)) == 0
