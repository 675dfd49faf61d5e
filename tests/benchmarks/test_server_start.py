"""The start of a server becomes one sample: its stages as seen from outside, and within them what its log tells."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.server_failure import stamped_lines
from synapse_perf.benchmarks.server_start import OUTSIDE, inside, measure, phases
from synapse_perf.outside.model_server import is_port_taken
from synapse_perf.samples import Sample
from tests.llama.log_fixtures import FOLDER
from tests.outside.fake_servers import fake_words, free_port

LOG = FOLDER / "metal-2026.log"


class Told:
    """What a benchmark told its worker."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []

    def send(self, kind: str, **content: Any) -> None:
        self.messages.append((kind, content))

    def pids(self, kind: str) -> list[int]:
        return [content["pid"] for name, content in self.messages if name == kind]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def context(told: Told) -> Iterator[Context]:
    context = Context({}, 0, 0, ((0, 0, None), (0, 0, None)), told.send)
    yield context
    context.end_processes()


def start(context: Context, *options: str, ready_timeout_s: float = 60.0, words: list[str] | None = None) -> Sample:
    port = free_port()
    context.workload = {
        "words": words or fake_words(port, *options),
        "env": {},
        "urls": [f"http://127.0.0.1:{port}/health"],
        "ready_timeout_s": ready_timeout_s,
        "api_key": None,
    }
    generator = measure(context)
    sample = next(generator)
    generator.close()  # type: ignore[attr-defined]
    return sample


def values(sample: Sample, metric: str) -> dict[str, float]:
    return {one.labels.get("phase", ""): one.value for one in sample.values if one.metric == metric}


def failure(context: Context, *options: str, **more: Any) -> dict[str, Any]:
    with pytest.raises(BenchmarkFailed) as error:
        start(context, *options, **more)
    return error.value.failure


def test_the_stages_are_the_whole_start(context: Context) -> None:
    sample = start(context, "--loading", "3")
    stages = values(sample, "phase_time")

    assert list(stages) == list(OUTSIDE)
    assert sum(stages.values()) == pytest.approx(values(sample, "model_startup_time")[""])
    assert sum(stages.values()) - stages["first_token"] == pytest.approx(values(sample, "model_load_time")[""])


def test_a_log_of_the_load_gives_the_device_the_buffers_and_the_parts(context: Context) -> None:
    sample = start(context, "--loading", "3", "--log", str(LOG))

    assert {one.labels["device"] for one in sample.values if one.metric != "peak_rss"} == {"metal"}
    assert sample.facts["device"] == "metal"
    assert sample.facts["buffer.MTL0.KV"] == 4608 * 1024**2
    assert "process_to_port.launch" in values(sample, "phase_time")
    assert "constructing llama_context" in context.facts["log"]


def test_a_log_without_the_load_gives_no_device_and_no_parts(context: Context) -> None:
    sample = start(context)

    assert not any("device" in one.labels for one in sample.values)
    assert not any("." in phase for phase in values(sample, "phase_time"))


def test_the_memory_is_that_of_the_server(context: Context) -> None:
    sample = start(context)

    assert values(sample, "peak_rss")[""] > 1 << 20


def test_every_server_is_registered_and_gone(context: Context, told: Told) -> None:
    start(context)

    assert told.pids("started") == told.pids("ended")
    assert not psutil.pid_exists(told.pids("started")[0])


def test_a_server_that_dies_speaks_through_llama_cpps_own_words(context: Context) -> None:
    log = FOLDER / "cuda-2026-out-of-memory.log"

    found = failure(context, "--log", str(log), "--exit", "1")

    assert found["kind"] == "out-of-memory"
    assert found["message"] == ("the server ended with status 1 before it was ready: cudaMalloc failed: out of memory")
    assert "smaller" in found["remedy"]
    assert "exiting due to model loading error" in found["detail"]


def test_a_server_that_is_never_ready_is_a_time_out_and_gone(context: Context, told: Told) -> None:
    found = failure(context, "--loading", "1000000000", ready_timeout_s=1.0)

    assert (found["kind"], found["remedy"]) == ("time-out", "give it longer: --ready-timeout 10m")
    assert told.pids("started") == told.pids("ended")


def test_a_taken_port_is_told_before_anything_starts(context: Context, told: Told) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        context.workload = {"urls": [f"http://127.0.0.1:{port}/health"]}
        with pytest.raises(BenchmarkFailed, match="something already listens"):
            next(measure(context))

    assert not told.pids("started")


def test_a_program_that_cannot_be_started_is_told(context: Context, tmp_path: Path) -> None:
    script = tmp_path / "not-executable"
    script.write_text("x")

    assert "Permission denied" in failure(context, words=[str(script)])["message"]


def test_what_the_benchmark_left_ends_with_the_worker(context: Context) -> None:
    from synapse_perf.outside.model_server import ModelServer

    url = f"http://127.0.0.1:{free_port()}/health"
    server = ModelServer(fake_words(int(url.split(":")[2].split("/")[0])), {}, [url], None)
    context.process_started(server.process.pid)
    server.wait_ready(60, lambda text: None)

    context.end_processes()

    assert not is_port_taken(url)
    with pytest.raises(ChildProcessError):
        os.waitpid(server.process.pid, os.WNOHANG)
    server.process.poll()  # so that it knows as well


# --- the parts within the stages -------------------------------------------------------------------------------------


def test_a_part_that_lies_in_two_stages_is_divided() -> None:
    outside = [("process_to_port", 0, 10), ("port_to_answer", 10, 12), ("answer_to_ready", 12, 30)]
    within = [("launch", 0, 4), ("tensors", 4, 20), ("context", 20, 28), ("server", 28, 40)]

    assert phases(outside, within) == pytest.approx(
        {
            "process_to_port": 10e-9,
            "process_to_port.launch": 4e-9,
            "process_to_port.tensors": 6e-9,
            "port_to_answer": 2e-9,
            "port_to_answer.tensors": 2e-9,
            "answer_to_ready": 18e-9,
            "answer_to_ready.tensors": 8e-9,
            "answer_to_ready.context": 8e-9,
            "answer_to_ready.server": 2e-9,
        }
    )


def test_lines_have_the_time_of_their_arrival_and_not_their_own() -> None:
    (line,) = stamped_lines([(5_000, "0.14.990.200 I load_tensors: loading model tensors")])

    assert (line.time_ns, line.text) == (5_000, "load_tensors: loading model tensors")


def test_the_parts_follow_each_other_from_the_spawn_on() -> None:
    printed = [(1_000 * (number + 1), text) for number, text in enumerate(LOG.read_text().splitlines())]

    spans = inside(stamped_lines(printed), spawned_ns=0)

    assert spans[0] == ("launch", 0, 1_000)
    assert all(first[2] == second[1] for first, second in pairwise(spans))
    assert {"device", "metadata", "vocabulary", "tensors", "context", "warm_up", "server"} <= {
        name for name, _, _ in spans
    }


def test_a_log_that_does_not_speak_of_a_load_has_no_parts() -> None:
    assert inside(stamped_lines([(1, "starting"), (2, "listening on http://127.0.0.1:8080")]), 0) == []
