"""Starts a model server as its users do; tells when it was up, when it was ready, and when it gave a first token."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from synapse_perf.outside.process_tree import end_tree, has_group
from synapse_perf.outside.server_output import spawned

# Asking costs the server well under a millisecond; between questions lies 0.5 % of the time so far, within bounds.
POLL_SHARE = 0.005
POLL_LIMITS_S = (0.002, 0.05)
COMPLETIONS = (
    ("/completion", {"prompt": "Hello", "n_predict": 1, "cache_prompt": False}),
    ("/v1/completions", {"prompt": "Hello", "max_tokens": 1}),
)
_PREFIXED = ("/v1/models", "/v1/health", "/health")  # readiness routes that may stand behind a prefix
_NO_SUCH_ROUTE = (http.client.NOT_FOUND, http.client.METHOD_NOT_ALLOWED)


class ServerFailed(Exception):  # noqa: N818  # says what happened
    """The server ended, was never ready or refused to answer; `remedy` may be empty."""

    def __init__(self, message: str, remedy: str = "", *, is_timeout: bool = False, has_ended: bool = False) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.is_timeout = is_timeout
        self.has_ended = has_ended


class ModelServer:
    """A server process in a process group of its own; what it prints is in `output`."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str], urls: Sequence[str], api_key: str | None) -> None:
        self.urls = list(urls)
        self._passed: list[str] = []  # URLs that are not there
        self.headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.spawned_ns = time.perf_counter_ns()
        self.process, self.output = spawned(words, {**os.environ, **env})

    def wait_ready(self, timeout_s: float, note: Callable[[str], None]) -> dict[str, int]:
        """Ask the URL until it answers 2xx; stamps in ns of: port_open, first_answer, ready.

        A server that answers 503 while it loads is up but not ready, and an open port proves less still. Where the
        first URL is not there (404), the next takes its place.
        """
        stamps: dict[str, int] = {}
        deadline_ns = time.perf_counter_ns() + int(timeout_s * 1e9)
        while (left_s := (deadline_ns - time.perf_counter_ns()) * 1e-9) > 0:
            self._fail_if_ended("before it was ready")
            status = self._ask(stamps, left_s)
            if status is not None:
                now_ns = time.perf_counter_ns()
                if "first_answer" not in stamps:
                    stamps["first_answer"] = now_ns
                    note("the server answers, its model is still loading")
                if 200 <= status < 300:
                    stamps["ready"] = now_ns
                    return stamps
                if self._is_elsewhere(status):
                    continue
            time.sleep(min(max((timeout_s - left_s) * POLL_SHARE, POLL_LIMITS_S[0]), POLL_LIMITS_S[1]))
        raise ServerFailed(_not_ready(stamps, self.urls[0], timeout_s), is_timeout=True)

    def first_token(self, timeout_s: float) -> int:
        """Ask for one token by the completion route that the server has; the stamp of the answer in ns."""
        is_python = self.urls[0].endswith(_PREFIXED[0])  # asked first, it would answer the other route with 404
        for path, body in reversed(COMPLETIONS) if is_python else COMPLETIONS:
            try:
                status, answer = self._request("POST", self._prefix() + path, json.dumps(body), timeout_s)
            except TimeoutError as error:
                raise ServerFailed(f"no first token within {timeout_s:g} s of being ready", is_timeout=True) from error
            except (OSError, http.client.HTTPException) as error:
                self._fail_if_ended("when it was asked for a first token", patience_s=1.0)
                raise ServerFailed(f"{path} broke off: {error or type(error).__name__}") from error
            if status == http.client.OK:
                return time.perf_counter_ns()
            if status == http.client.UNAUTHORIZED:
                raise ServerFailed(f"{path} answers 401: it needs a key", "give the key in the command: --api-key KEY")
            if status not in _NO_SUCH_ROUTE:
                raise ServerFailed(f"{path} answers {status}: {answer[:200].strip()}")
        raise ServerFailed("the server has neither /completion nor /v1/completions to ask for a token")

    def stop(self) -> None:
        """End the server and all it has started; waits until they are gone."""
        end_tree(self.process)
        self.output.wait(1.0)

    def _ask(self, stamps: dict[str, int], timeout_s: float) -> int | None:
        """The status that the readiness URL answers; None without an answer."""
        url = urlsplit(self.urls[0])
        connection = _connection(url, timeout_s)
        try:
            connection.connect()
            stamps.setdefault("port_open", time.perf_counter_ns())
            connection.request("GET", _path(url), headers=self.headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _is_elsewhere(self, status: int) -> bool:
        """Turn to the next URL where this one is not there; fail at what no waiting will change."""
        if status in _NO_SUCH_ROUTE and len(self.urls) > 1:
            self._passed.append(self.urls.pop(0))
            return True
        if status < 500 and status != http.client.TOO_MANY_REQUESTS:
            known = "llama-server has /health, llama_cpp.server has /v1/models"
            others = f", after {' and '.join(self._passed)} with 404" if self._passed else ""
            raise ServerFailed(
                f"{self.urls[0]} answers {status}{others}",
                f"give --url an address that answers 200 when it is ready: {known}",
            )
        return False

    def _fail_if_ended(self, when: str, patience_s: float = 0.0) -> None:
        """A leader that ends well may have left its server in the background, which then goes on."""
        try:
            status = self.process.wait(patience_s) if patience_s else self.process.poll()
        except subprocess.TimeoutExpired:
            return
        if status is None or (status == 0 and has_group(self.process.pid)):
            return
        self.output.wait(1.0)
        how = f"signal {-status}" if status < 0 else f"status {status}"
        raise ServerFailed(f"the server ended with {how} {when}", has_ended=True)

    def _prefix(self) -> str:
        """What stands before every route, as with llama-server's --api-prefix."""
        path = urlsplit(self.urls[0]).path
        return next((path.removesuffix(known) for known in _PREFIXED if path.endswith(known)), "")

    def _request(self, method: str, path: str, body: str, timeout_s: float) -> tuple[int, str]:
        connection = _connection(urlsplit(self.urls[0]), timeout_s)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", **self.headers})
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        finally:
            connection.close()


def is_port_taken(url: str) -> bool:
    """Whether somebody listens there already: then its answers would be taken for the new server's."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80), timeout=1):
            return True
    except OSError:
        return False


def _connection(url: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(url.hostname or "127.0.0.1", url.port or 80, timeout=timeout_s)


def _path(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _not_ready(stamps: Mapping[str, int], url: str, timeout_s: float) -> str:
    how_far = (
        "it answers that it is still loading"
        if "first_answer" in stamps
        else "its port is open, but nothing answers"
        if "port_open" in stamps
        else "nothing listens there"
    )
    return f"{url}: not ready after {timeout_s:g} s: {how_far}"
