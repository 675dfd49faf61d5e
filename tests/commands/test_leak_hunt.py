"""leak-hunt from the command line to the report: planted leaks are seen, innocent code is not, wrong input is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest

from synapse_perf.commands.leak_hunts import parse_reference
from synapse_perf.errors import InputError
from tests.faults.program import Told, run, saved_runs
from tests.llama.small_models import Shape, write_model

FOLDER = Path(__file__).parent
VARIABLE = "SYNAPSE_PERF_STATE_DIR"


def hunt(*functions: str, more: tuple[str, ...] = (), max_time: str = "40s") -> Told:
    """With one call a sample, which is quick; the tests of short calls leave that to the command."""
    named = [f"leaky_code:{function}" for function in functions]
    limits = ("--calls", "1", "--max-time", max_time)
    return run("leak-hunt", *named, *limits, *more, "--format", "json", cwd=FOLDER)


def rows(told: Told, function: str = "") -> dict[str, dict[str, Any]]:
    """The rows by their probe, of one function where several were hunted."""
    labels = {metric_key(metric): metric["labels"] for metric in told.result["metrics"]}
    found = ((labels[leak["metric"]], leak) for leak in told.result["leaks"])
    return {own["probe"]: leak for own, leak in found if own["hunt"].endswith(function)}


def metric_key(metric: dict[str, Any]) -> str:
    inside = ",".join(f"{name}={value}" for name, value in sorted(metric["labels"].items()))
    return f"{metric['name']}{{{inside}}}"


def leaking(told: Told) -> set[str]:
    return {probe for probe, leak in rows(told).items() if leak["status"] == "leak"}


# --- planted leaks ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def leaked() -> Told:
    """With a setup, a teardown and arguments: 100 KB for each call."""
    around = ("--setup", "leaky_code:make_list", "--teardown", "leaky_code:empties")
    return hunt("appends", more=(*around, "--arg", "text", "--arg", "times=25000"))


def test_a_leak_is_told_with_its_rate_and_ends_with_1(leaked: Told) -> None:
    heap = rows(leaked)["heap"]

    assert (leaked.code, leaked.result["verdict"], heap["status"]) == (1, "fail", "leak"), leaked.err
    assert leaking(leaked) == {"heap", "anonymous"}
    assert heap["growth"] == pytest.approx(100_000, rel=0.05)
    assert heap["low"] <= heap["growth"] <= heap["high"]
    assert heap["full_after"] > 1000


def test_the_file_is_saved_and_valid_and_holds_the_whole_series(leaked: Told) -> None:
    jsonschema.validate(leaked.result, run("schema").result)
    heap = next(metric for metric in leaked.result["metrics"] if metric["labels"]["probe"] == "heap")

    lengths = [len(trial["samples"]) for trial in heap["trials"]]
    assert lengths == [23, 46, 92, 184][: len(lengths)]  # the last ones where there is time
    assert sum(heap["trials"][-1]["samples"][-40:]) == pytest.approx(4_000_000, rel=0.05)


def test_arguments_are_not_told_and_the_cost_of_the_hunt_is(leaked: Told) -> None:
    assert "text" not in json.dumps(leaked.result["workload"])
    assert leaked.result["plan"]["hunt_over_iterations"] > 1


def test_a_leak_of_each_kind_is_seen_by_its_probe() -> None:
    """A file, a thread, a task and tuples in each call of one function."""
    told = hunt("leaves_everything")
    each = {"descriptors": 1, "python_threads": 1, "tasks": 1}

    assert told.code == 1, told.err
    assert {"heap", *each} <= leaking(told)
    assert {probe: rows(told)[probe]["growth"] for probe in each} == each


def test_children_that_nobody_waits_for_are_a_leak_and_none_is_left_behind() -> None:
    told = hunt("forks")

    assert (told.code, rows(told)["zombies"]["growth"]) == (1, 1), told.err
    assert [run["benchmark"] for run in saved_runs()] == ["leak-hunt"]
    state = os.environ[VARIABLE]  # of this test alone
    left = [one for one in psutil.process_iter(["environ"]) if (one.info["environ"] or {}).get(VARIABLE) == state]
    assert left == []


# --- the innocent ----------------------------------------------------------------------------------------------------


INNOCENT = ("collects_late", "starts_late", "keeps_random_places", "waits", "fills_a_cache")


@pytest.fixture(scope="module")
def innocent() -> Told:
    return hunt(*INNOCENT, max_time="2m")


@pytest.mark.parametrize("name", INNOCENT)
def test_innocent_code_is_clean_with_the_smallest_leak_that_would_have_been_seen(innocent: Told, name: str) -> None:
    judged = rows(innocent, name).values()

    assert innocent.code == 0, innocent.out
    assert {leak["status"] for leak in judged} in ({"clean"}, {"clean", "retained"})
    assert all(leak["smallest_seen"] > 0 for leak in judged if leak["status"] == "clean")


def test_a_bounded_cache_is_no_leak_once_it_is_full(innocent: Told) -> None:
    heap = rows(innocent, "fills_a_cache")["heap"]

    assert heap["status"] == "clean"
    assert "no more" in heap["reason"]


def test_short_calls_are_repeated_so_that_a_smaller_leak_would_have_been_seen() -> None:
    told = run("leak-hunt", "leaky_code:works", "--format", "json", cwd=FOLDER)
    (facts,) = (m["trials"][0]["facts"] for m in told.result["metrics"] if m["labels"]["probe"] == "heap")

    assert told.code == 0
    assert set(facts["calls"]) == {facts["calls"][0]}
    assert facts["calls"][0] > 10
    assert rows(told)["heap"]["smallest_seen"] < 4096 / 2


def test_without_time_for_a_longer_look_growth_is_inconclusive() -> None:
    told = run("leak-hunt", "leaky_code:fills_a_cache", "--arg", "100000", "--max-time", "1s", cwd=FOLDER)

    assert told.code == 3
    assert told.out.startswith("INCONCLUSIVE")


# --- wrong input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("leaky_code", "leaky_code: neither a hunt that is known nor a function"),
        ("leaky_code.py:works", "leaky_code.py:works: 'leaky_code.py' is a file, not a module"),
        ("leaky_code:no name", "leaky_code:no name: 'no name' cannot be a name in Python"),
    ],
)
def test_what_names_no_function_is_wrong_input(what: str, message: str) -> None:
    with pytest.raises(InputError) as told:
        parse_reference(what, what)

    assert told.value.message == message
    assert told.value.remedy


WRONG = {
    "no_such_module:works": "finds no module no_such_module",
    "leaky_code:nothing": "leaky_code has no nothing",
    "leaky_code:KEPT": "leaky_code:KEPT is an object of type list, which cannot be called",
    "leaky_code:appends": "appends() missing 2 required positional arguments",
    "cannot_be_imported:works": "importing cannot_be_imported: RuntimeError: no configuration",
    "leaky_code:yields": "leaky_code:yields is a generator: calling it runs none of its lines",
}
FAILING = {
    "leaky_code:raises_in_the_seventh": "call 7 of leaky_code:raises_in_the_seventh: ValueError: the seventh",
    "leaky_code:exits": "the worker ended with status 3",
    "leaky_code:asks_to_exit": "it called sys.exit('enough')",
    "leaky_code:never_returns": "at leaky_code.py line",
}


@pytest.fixture(scope="module")
def refused() -> Told:
    """In one run, which is as wrong as each of them."""
    return run("leak-hunt", *WRONG, "--max-time", "20s", cwd=FOLDER)


@pytest.fixture(scope="module")
def failed() -> Told:
    return run("leak-hunt", *FAILING, "--calls", "1", "--max-time", "4s", cwd=FOLDER)


def error_of(told: Told, what: str) -> str:
    (found,) = (text for text in told.errors if text.startswith(f"{what}, look 1: "))
    return found


@pytest.mark.parametrize(("what", "message"), WRONG.items())
def test_what_cannot_be_called_is_wrong_input(refused: Told, what: str, message: str) -> None:
    assert refused.code == 2
    assert message in error_of(refused, what)
    assert "\nhint: " in error_of(refused, what)


@pytest.mark.parametrize(("what", "message"), FAILING.items())
def test_what_goes_wrong_in_a_call_is_told_in_one_line(failed: Told, what: str, message: str) -> None:
    assert failed.code == 6
    assert message in error_of(failed, what).splitlines()[0]
    assert error_of(failed, what).splitlines()[1].startswith("hint: ")


def test_a_dry_run_starts_nothing() -> None:
    told = run("leak-hunt", "leaky_code:exits", "--dry-run", cwd=FOLDER)

    assert told.code == 0
    assert "23 iterations" in told.out


# --- model-switch ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("models")
    shapes = {"small": Shape(), "wide": Shape(layers=4, heads=8)}
    return [str(write_model(folder / f"{name}.gguf", shape)) for name, shape in shapes.items()]


def switch(models: list[str], *arguments: str, max_time: str = "1m", **env: str | None) -> Told:
    """With an allocator that gives large blocks back by itself, so that no look has to tell what it would keep."""
    named = [part for model in models for part in ("-m", model)]
    limits = ("--max-time", max_time, "-c", "64")
    env |= {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    return run("leak-hunt", "model-switch", *named, *arguments, *limits, "--format", "json", env=env)


def test_switching_models_is_clean_in_every_way_and_a_cycle_is_told(models: list[str]) -> None:
    told = switch(models)
    hunts = {leak["metric"].partition("hunt=")[2].partition(",probe")[0] for leak in told.result["leaks"]}

    assert told.code == 0, told.out
    assert hunts == {"model-switch", "model-switch, del", "model-switch, cycle"}
    gone = {
        metric["labels"]["hunt"]: set(metric["trials"][0]["facts"]["is_gone_without_gc"])
        for metric in told.result["metrics"]
        if metric["labels"]["probe"] == "heap"
    }
    assert gone == {"model-switch": {True}, "model-switch, del": {True}, "model-switch, cycle": {False}}


def test_a_planted_reference_to_each_old_model_is_found(models: list[str], tmp_path: Path) -> None:
    """As a registry that never forgets has it: with del alone every model stays."""
    (tmp_path / "sitecustomize.py").write_text(
        "import llama_cpp\nkept = []\nopened = llama_cpp.Llama.__init__\n"
        "def keep(self, *given, **named):\n    kept.append(self)\n    opened(self, *given, **named)\n"
        "llama_cpp.Llama.__init__ = keep\n"
    )
    told = switch(models[:1], "--release", "del", max_time="30s", PYTHONPATH=str(tmp_path))

    assert told.code == 1, told.err
    assert {"heap", "mapped_files"} <= leaking(told)
    assert "sitecustomize.kept" in {finding["evidence"].get("owner") for finding in told.result["findings"]}


def test_a_way_to_let_go_that_nobody_knows_is_refused(models: list[str]) -> None:
    told = switch(models, "--release", "burn")

    assert (told.code, told.errors[-1].splitlines()[0]) == (2, "--release burn: 'burn' is not known")
