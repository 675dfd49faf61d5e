"""tier-latency under load from the command line to the report, on models of a few megabytes, in real processes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import jsonschema
import pytest

from tests.commands.latency_runs import ONCE, SHORT, Place, make_place, rows, told_here
from tests.commands.test_served_run import GOOD, answering
from tests.faults.program import Told, run, started, unfinished
from tests.faults.program import loads as count_loads
from tests.outside.chat_server import chat_server

ALONE = ("--no-two-stage", "--no-variants")
LOADS = ("--concurrency", "1,3", "--rate", "60,900")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("query-load"))


@pytest.fixture(scope="module")
def measured(place: Place) -> Told:
    return place.ask(*ALONE, *LOADS, "--max-time", "3m", "-o", place.folder / "report.md")


def test_each_tier_has_each_level_beside_its_plain_queries(place: Place, measured: Told) -> None:
    assert measured.code in (0, 3), measured.err  # 3: the machine was too busy to send in time
    document = json.loads(measured.out)
    jsonschema.validate(document, run("schema", env=place.env).result)
    for tier in ("fast", "balanced", "deep"):
        (plain,) = rows(measured, tier=tier)
        assert plain["summary"]["count"]
        for variant in ("users=1", "users=3", "rate=60", "rate=900"):
            (loaded,) = rows(measured, "throughput", tier=tier, variant=variant)
            assert loaded["trials"][0]["facts"]["requests"][0] > 0


def test_no_level_is_judged_unless_its_sender_was_late(measured: Told) -> None:
    for check in measured.result["checks"]:
        assert "users=" not in check["metric"]
        if "rate=" in check["metric"]:
            assert check["status"] == "inconclusive"
            assert "late" in check["reason"]


def test_nothing_of_it_is_left_for_the_last_table(place: Place, measured: Told) -> None:
    report = (place.folder / "report.md").read_text()
    assert "## Under load" in report
    assert "## Measurements" not in report


def test_a_dry_run_tells_of_it_and_does_nothing(place: Place, tmp_path: Path) -> None:
    told = place.here(*ALONE, *LOADS, "--dry-run", "--format", "console", cwd=tmp_path)
    assert told.code == 0
    assert "under load: 1 at a time, 3 at a time, 60 a second, 900 a second" in " ".join(told.out.split())


@pytest.mark.parametrize("arguments", [("--rate", "-1"), ("--concurrency", "0"), ("--concurrency", "2", "--tune")])
def test_wrong_loads_are_refused_before_anything_is_measured(
    place: Place, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    told = place.here(*ALONE, *arguments, cwd=tmp_path)
    assert told.code == 2
    assert told.out == ""
    assert told.err.count("error: ") == 1


def test_an_interrupt_under_load_keeps_the_plain_queries(place: Place, tmp_path: Path) -> None:
    """The first process is finished; the one under load hangs."""
    hanging = tmp_path / "hang-2-x.gguf"
    os.link(place.small, hanging)
    output = tmp_path / "result.json"
    asked = ("tier-latency", "--tier", f"fast={hanging}", *place.queries, *SHORT, *ONCE, *ALONE, "-o", output)

    with started(*asked, "--concurrency", "1", env=place.env) as running:
        running.wait_for(lambda: count_loads(hanging) == 2)
        running.send(signal.SIGINT)
        told = running.end()

    assert told.code == 130, told.err
    kept = json.loads(output.read_text())
    assert {metric["summary"]["processes"] for metric in kept["metrics"] if metric["name"] == "query_latency"} == {1}
    assert not any(metric["name"] == "throughput" for metric in kept["metrics"])
    assert unfinished(tmp_path, place.folder / "state") == []


# --- a running server ------------------------------------------------------------------------------------------------


def test_a_server_gets_the_same_load(tmp_path: Path) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_text(json.dumps({"prompt": "What is a page?"}))
    with chat_server(answering(GOOD)) as server:
        arguments = ("--queries", queries, *ONCE, "-n", "4", "--max-time", "3m", "--no-variants")
        told = run("tier-latency", "--url", f"fast={server.url}", *arguments, "--concurrency", "1,4", "--rate", "30")

    assert told.result["failures"] == []
    for variant in ("users=1", "users=4", "rate=30"):
        (row,) = rows(told, "throughput", tier="fast", variant=variant)
        assert row["trials"][0]["facts"]["errors"] == [0]
    assert {metric["labels"]["phase"] for metric in told.result["metrics"] if metric["name"] == "phase_time"} == {
        "first-word",
        "writing",
    }


def test_the_engine_has_no_load_of_its_own(tmp_path: Path) -> None:
    words = ("tier-latency", "--url", "http://127.0.0.1:9", "--api", "synapse", "--concurrency", "2")
    told = told_here(*words, env={}, cwd=tmp_path)
    assert told.code == 2
    assert "--api synapse" in told.err
