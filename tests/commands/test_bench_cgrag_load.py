"""bench-cgrag under load, and interrupted, from the command line to what is saved."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.benchmarks.retrieval_sets import make_encoder
from tests.commands.test_bench_cgrag import CHUNKS, QUICK, Place, write_corpus
from tests.faults.program import Told, run, started

WAYS = ("on-the-loop", "to-thread", "bounded", "micro-batch")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("bench-cgrag-load")
    return Place(write_corpus(folder / "docs"), make_encoder(folder), folder / "cache", folder / "state")


@pytest.fixture(scope="module")
def loaded(place: Place) -> Told:
    return place.bench("--trials", "1", "--state", "warm", "--concurrency", "--format", "json")


def under_load(told: Told, name: str) -> list[dict[str, Any]]:
    return [m for m in told.result["metrics"] if m["name"] == name and "strategy" in m["labels"]]


def test_every_way_to_call_it_is_loaded_and_measured(loaded: Told) -> None:
    assert loaded.code == 0, loaded.err
    assert loaded.result["failures"] == []
    for name in ("throughput", "event_loop_lag", "retrieval_latency"):
        ways = {(m["labels"]["strategy"], m["labels"].get("variant", "")) for m in under_load(loaded, name)}
        assert ways >= {(way, "") for way in WAYS}
        assert ways - {(way, "") for way in WAYS} <= {("to-thread", "omp_threads=default")}


def test_no_answer_under_load_differs_from_that_of_the_query_alone(loaded: Told) -> None:
    facts = [trial["facts"] for m in under_load(loaded, "throughput") for trial in m["trials"]]
    assert sum(sum(one["requests"]) for one in facts) > 100
    assert {(sum(one["differing"]), sum(one["errors"])) for one in facts} == {(0, 0)}


def test_load_is_never_judged(loaded: Told) -> None:
    judged = {check["metric"] for check in loaded.result["checks"]}
    assert not any("loaded" in name or "strategy" in name for name in judged)


def test_it_is_shown_again_as_narrow_as_a_terminal_is(loaded: Told, place: Place) -> None:
    shown = run("report", "last", env={**place.env, "COLUMNS": "80"})
    assert shown.code == 0, shown.err
    assert max(map(len, shown.out.splitlines())) <= 80
    for way in WAYS:
        assert f"  {way}" in shown.out


def test_an_interrupt_in_the_middle_reports_what_was_finished(place: Place, loaded: Told, tmp_path: Path) -> None:
    env = {**place.env, "SYNAPSE_PERF_STATE_DIR": str(tmp_path)}
    arguments = ("bench-cgrag", *place.searched, *CHUNKS, *QUICK, "--trials", "6", "--state", "warm", "--concurrency")
    workers: set[int] = set()

    def some_are_done() -> bool:
        """Two workers have looked at the index, and two trials are finished."""
        workers.update(child.pid for child in psutil.Process(one.process.pid).children())
        return len(workers) > 4

    with started(*arguments, "--format", "json", env=env) as one:
        one.wait_for(some_are_done)
        one.send(signal.SIGINT)
        told = one.end()

    assert told.code == 130, told.err
    assert "interrupted: the report has what was finished" in told.err
    assert told.result["plan"]["stopped"] == "interrupted"
    assert any(m["summary"]["count"] for m in told.result["metrics"])
    (saved,) = (tmp_path / "runs").glob("*.json")
    assert json.loads(saved.read_text()) == told.result


def test_the_result_names_no_folder_of_this_machine(place: Place, loaded: Told) -> None:
    assert str(place.corpus.parent) not in loaded.out
