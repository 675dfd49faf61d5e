"""`baseline save|list|show|waive|prune`: bless runs, see what is blessed, agree to a slowdown for a while."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from synapse_perf import baselines, results
from synapse_perf.baselines.waivers import Waiver, load_waivers, save_waivers
from synapse_perf.commands.baseline import app
from synapse_perf.errors import InputError, NoBaselineError, NotComparableError
from synapse_perf.report.render import render
from tests.made_results import made_result, made_suite


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_save_takes_the_newest_run_and_prints_its_file() -> None:
    results.save_run(made_result())

    done = run("save", "main")

    assert (done.exit_code, done.stdout) == (0, "baselines/main.json\n")
    assert baselines.load("main") == made_result()


def test_save_takes_the_run_that_is_named_and_replaces_only_with_force() -> None:
    results.write("other.json", made_result("bench-cgrag"))
    results.save_run(made_result())
    run("save", "main")

    assert isinstance(run("save", "main", "other.json").exception, InputError)
    assert run("save", "main", "other.json", "--force").exit_code == 0
    assert baselines.load("main") == made_result("bench-cgrag")


def test_list_shows_each_baseline_and_the_damaged_one_with_its_fault() -> None:
    baselines.save("main", made_result())
    baselines.save("whole", made_suite())
    Path("baselines/bad.json").write_text("")

    assert run("list").stdout.splitlines() == [
        "NAME   COMMAND       RUNS  STARTED           COMMIT      VERDICT",
        "bad    the file is empty",
        "main   profile-load  1     2026-11-23 10:15  c0ffee1234  pass",
        "whole  run           2     2026-11-23 10:15  c0ffee1234  pass",
    ]


def test_list_without_baselines_says_so_beside_an_empty_stdout() -> None:
    done = run("list")

    assert (done.exit_code, done.stdout) == (0, "")
    assert "no baselines here" in done.stderr


def test_show_renders_the_baseline() -> None:
    baselines.save("main", made_result())

    assert run("show", "main").stdout == render(made_result(), "console")
    assert run("show", "main", "--format", "md").stdout == render(made_result(), "md")


def test_show_of_a_missing_one_is_told() -> None:
    assert isinstance(run("show", "main").exception, NoBaselineError)


# --- several runs ----------------------------------------------------------------------------------------------------


def test_a_baseline_without_a_name_is_called_by_command_profile_and_class_of_machine() -> None:
    results.save_run(made_result())

    assert run("save").stdout == "baselines/profile-load.laptop.h1.json\n"
    assert isinstance(run("save").exception, InputError)


def test_runs_are_added_to_a_baseline_each_once_and_the_newest_leads() -> None:
    for day in (1, 2, 3):
        results.write(f"{day}.json", made_result(started_at=f"2026-01-0{day}T00:00:00Z"))

    run("save", "main", "2.json")
    assert run("save", "main", "3.json", "1.json", "--add").stdout == "baselines/main.json: 3 runs\n"
    assert isinstance(run("save", "main", "1.json", "--add").exception, InputError)
    assert [one.started_at[:10] for one in baselines.results_of(baselines.load("main"))] == [
        "2026-01-03",
        "2026-01-02",
        "2026-01-01",
    ]
    assert baselines.load_for("main", "profile-load").started_at == "2026-01-03T00:00:00Z"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"benchmark": "bench-cgrag"}, "another benchmark"),
        ({"profile": "ci"}, "another profile"),
        ({"subject": "sample"}, "another subject"),
        ({"workload": {"digest": "w"}}, "another workload"),
    ],
)
def test_a_run_that_is_not_like_the_others_is_not_added(change: dict[str, Any], words: str) -> None:
    baselines.save("main", made_result())
    results.write("other.json", replace(made_result(started_at="2026-01-01T00:00:00Z"), **change))

    error = run("save", "main", "other.json", "--add").exception

    assert isinstance(error, NotComparableError)
    assert words in error.message
    assert baselines.load("main") == made_result()


def test_prune_keeps_the_newest_runs_and_drops_waivers_that_ran_out() -> None:
    for day in (1, 2, 3):
        results.write(f"{day}.json", made_result(started_at=f"2026-01-0{day}T00:00:00Z"))
    run("save", "main", "1.json", "2.json", "3.json")
    save_waivers((Waiver("old", "meant", "2020-01-01"), Waiver("new", "meant", "2999-01-01")))

    done = run("prune", "--keep", "2")

    assert done.stdout.splitlines() == [
        "baselines/main.json: 1 run dropped, the newest 2 kept",
        "old: the waiver that ran out on 2020-01-01 is dropped",
    ]
    assert [one.started_at[:10] for one in baselines.results_of(baselines.load("main"))] == ["2026-01-03", "2026-01-02"]
    assert [waiver.metric for waiver in load_waivers()] == ["new"]
    assert run("prune", "--keep", "2").stderr == "nothing to drop\n"


# --- waivers ---------------------------------------------------------------------------------------------------------


def test_a_waiver_is_kept_listed_and_replaced_by_a_newer_one_of_its_metric() -> None:
    run("waive", "--metric", "a{b=c}", "--reason", "first", "--expires", "2d")
    done = run("waive", "--metric", "a{b=c}", "--reason", "meant, see 12", "--expires", "2999-12-31", "--up-to", "15%")

    assert done.stdout == "baselines/waivers.json: a{b=c} is waived through 2999-12-31\n"
    assert load_waivers() == (Waiver("a{b=c}", "meant, see 12", "2999-12-31", 0.15),)
    assert run("list").stdout == "a{b=c}: waived through 2999-12-31: meant, see 12\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--metric", "a", "--reason", "r", "--expires", "yesterday"), "not a day"),
        (("--metric", "a", "--reason", "r", "--expires", "2020-01-01"), "has passed"),
        (("--metric", "a", "--reason", "r", "--expires", "99999999d"), "not a day"),
        (("--metric", "a", "--reason", " ", "--expires", "2d"), "--reason is empty"),
        (("--metric", "a\nb", "--reason", "r", "--expires", "2d"), "cannot be printed"),
        (("--metric", "a", "--reason", "r", "--expires", "2d", "--up-to", "0.15"), "--up-to 0.15"),
    ],
)
def test_a_waiver_needs_a_metric_a_reason_and_a_day_to_come(options: tuple[str, ...], words: str) -> None:
    error = run("waive", *options).exception

    assert isinstance(error, InputError)
    assert words in error.message
    assert load_waivers() == ()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"kind": "waivers", "schema_version": 1}',
        '{"kind": "waivers", "schema_version": 1, "waivers": [{"metric": "a", "reason": "r", "expires": "soon"}]}',
        '{"kind": "waivers", "schema_version": 1, "waivers": [{"metric": "a", "reason": "r", "expires": 5}]}',
        "\xff\xfe",
    ],
)
def test_a_damaged_file_of_waivers_is_told_and_never_taken_for_none(text: str) -> None:
    Path("baselines").mkdir()
    Path("baselines/waivers.json").write_text(text, "latin-1")

    with pytest.raises(InputError, match=r"baselines/waivers\.json"):
        load_waivers()
