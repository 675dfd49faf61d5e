"""What is told where a container engine fails or goes away while a service is started?"""

from __future__ import annotations

from typing import Any

import docker
import pytest
import requests

from synapse_perf.benchmarks import service_startup
from synapse_perf.benchmarks.context import BenchmarkFailed, Context

NEVER = (0, 0, None)


class Engine:
    """One that raises whatever is asked of it."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *_: object, **__: object) -> Any:
        raise self.error


def told(error: Exception, kind: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setattr(service_startup, "_client", lambda: Engine(error))
    workload: dict[str, Any] = {
        "kind": kind,
        "image": "app:1",
        "url": "http://127.0.0.1:1/",
        "ports": {},
        "network": None,
        "env": {},
        "run": "r",
        "patience_s": 5.0,
    }
    context = Context(workload, 0, 0, (NEVER, NEVER), lambda *_, **__: None)
    with pytest.raises(BenchmarkFailed) as caught:
        next(service_startup.measure(context))
    context.end_processes()  # which does not fail either
    return caught.value.failure["message"], caught.value.failure["remedy"]


@pytest.mark.parametrize("kind", ["image", "empty"])
def test_an_engine_that_goes_away_is_told_and_no_fault_of_the_service(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message, remedy = told(requests.exceptions.ConnectionError("('Connection aborted.', ...)"), kind, monkeypatch)

    assert message == "the container engine answers no more"
    assert "log" in remedy


def test_what_the_engine_says_itself_is_told_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    error = docker.errors.APIError("500", explanation="no space left on device")

    message, _ = told(error, "image", monkeypatch)
    assert message == "the container cannot be started: no space left on device"
