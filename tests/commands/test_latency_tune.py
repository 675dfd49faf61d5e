"""tier-latency --tune from the command line to the report, and what every run says about its bounds."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import jsonschema
import pytest

from tests.commands.latency_runs import ONCE, SHORT, Place, make_place, rows
from tests.faults.program import Told, loads, run, started, unfinished

ALONE = ("--no-two-stage", "--no-variants")
# Enough for a confirmation also where others crowd the machine: a model that answers in milliseconds needs less.
TUNED = (*ALONE, "--tune", "--max-time", "2m", "--trials", "6", "--target", "query-fast<1us")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_place(tmp_path_factory.mktemp("latency-tune"))


@pytest.fixture(scope="module")
def fast(place: Place) -> tuple[str, ...]:
    return ("--tier", f"fast={place.small}")


@pytest.fixture(scope="module")
def tuned(place: Place, fast: tuple[str, ...]) -> Told:
    return place.ask(*TUNED, "-o", place.folder / "tuned.md", tiers=fast)


def test_every_run_measures_the_memory_and_says_what_a_token_reads(place: Place, fast: tuple[str, ...]) -> None:
    told = place.ask(*ALONE, tiers=fast)
    (bandwidth,) = rows(told, "memory_bandwidth")

    assert told.code == 0, told.err
    assert (bandwidth["labels"], bandwidth["unit"], bandwidth["summary"]["count"]) == ({"threads": "1"}, "B/s", 5)
    reads = told.result["workload"]["reads_per_token"]["fast"]
    assert 0 < reads["weights_bytes"] <= place.small.stat().st_size
    assert reads["kv_row_bytes"] == 8 * 2 * 2 * 64 * 2  # layers x (K and V) x heads x length x bytes of f16
    assert "tuning" not in told.result["workload"]


def test_settings_are_looked_at_and_a_shorter_answer_is_not_where_not_even_one_token_would_do(tuned: Told) -> None:
    assert tuned.code == 0, tuned.err
    (told,) = tuned.result["workload"]["tuning"].values()
    assert any(text.startswith("shorter answers: the first token alone") for text in told["useless"])
    looked = [row for row in tuned.result["metrics"] if row["labels"].get("variant", "").startswith("screen=")]
    assert {row["labels"]["variant"] for row in looked} >= {"screen=as set", "screen=-fa off"}
    assert tuned.result["failures"] == []


def test_no_setting_counts_as_judged(tuned: Told) -> None:
    judged = {check["metric"] for check in tuned.result["checks"] if check["target"] == "query-fast"}

    assert all("variant" not in key for key in judged)


def test_what_a_tier_that_misses_is_bound_by_is_a_finding(tuned: Told) -> None:
    (finding,) = (one for one in tuned.result["findings"] if one["id"] == "query-bound-by")

    assert finding["severity"] in ("high", "medium")  # the latter where others want the processor
    assert finding["evidence"]["tier"] == "fast"


def test_a_finding_that_asks_for_a_setting_carries_its_measured_gain(tuned: Told) -> None:
    """Which one it is, or whether any helps, is the machine's matter."""
    found = [one for one in tuned.result["findings"] if one["id"] in ("faster-settings", "no-faster-settings")]

    assert len(found) == 1
    if found[0]["id"] == "faster-settings":
        assert found[0]["gain"]["measured"] is True
        assert 0 < found[0]["gain"]["low"] <= found[0]["gain"]["value"] <= found[0]["gain"]["high"]


def test_a_setting_that_was_planted_to_be_slow_is_found_with_what_takes_its_place(
    place: Place, fast: tuple[str, ...]
) -> None:
    """Prompts read in pieces of four tokens."""
    planted = (*ALONE, "--tune", "--max-time", "2m", "--trials", "6", "-b", "4", "-ub", "4", "-fa", "on")
    told = place.ask(*planted, tiers=fast)

    (finding,) = (one for one in told.result["findings"] if one["id"] == "faster-settings")
    assert "-ub 512 -b 512" in finding["change"]
    assert "n_ubatch=512, n_batch=512" in finding["change"]
    assert finding["gain"]["measured"] is True
    assert 0 < finding["gain"]["low"] <= finding["gain"]["value"] <= finding["gain"]["high"]


def test_the_document_is_what_the_schema_describes_and_the_report_tells_of_the_tuning(
    place: Place, tuned: Told
) -> None:
    jsonschema.validate(json.loads(tuned.out), run("schema", env=place.env).result)
    report = (place.folder / "tuned.md").read_text()

    assert "## Tuning" in report
    assert "## What each tier is bound by" in report
    assert "not worth a try" in report


def test_a_dry_run_tells_how_much_of_the_time_is_kept_for_it(place: Place, fast: tuple[str, ...]) -> None:
    told = run("tier-latency", *fast, *ALONE, "--tune", "--max-time", "100s", "--dry-run", env=place.env)

    assert "52.0 s of the time are kept for what follows the queries" in told.out


def test_an_interrupt_while_tuning_keeps_what_was_measured(place: Place, tmp_path: Path) -> None:
    """The queries take one load, the first process that compares settings another, the next one hangs."""
    hanging = tmp_path / "hang-3-x.gguf"
    os.link(place.small, hanging)
    output = tmp_path / "result.json"
    asked = ("tier-latency", "--tier", f"fast={hanging}", *place.queries, *SHORT, *ONCE, *ALONE, "--tune", "-o", output)

    with started(*asked, env=place.env) as running:
        running.wait_for(lambda: loads(hanging) == 3)
        running.send(signal.SIGINT)
        told = running.end()

    assert told.code == 130, told.err
    kept = json.loads(output.read_text())
    assert kept["workload"]["tuning"]["fast"]["untried_because"] == "interrupted"
    assert [row for row in kept["metrics"] if row["name"] == "query_latency" and "variant" not in row["labels"]]
    assert unfinished(tmp_path, place.folder / "state") == []
