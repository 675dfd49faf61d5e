"""`history`: a creeping slowdown that no single gate sees, in runs that can be compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf import results
from synapse_perf.cli import run
from synapse_perf.model import Environment, Result
from tests.analyze.trials import single
from tests.made_results import made_result


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def level(value: float, day: int) -> Result:
    made = made_result(started_at=f"2026-01-{day:02}T00:00:00Z")
    return replace(made, metrics=(single(*[value] * 6),), checks=())


def saved(*values: float) -> None:
    for day, value in enumerate(values, 1):
        results.save_run(level(value, day))


def test_a_creep_of_a_percent_a_run_is_a_trend_and_a_drift(capsys: pytest.CaptureFixture[str]) -> None:
    saved(*(1.01**day for day in range(10)))
    results.write("release.json", level(1.0, 1))

    assert run(["history", "--pin", "release.json"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "profile-load: 10 runs, 2026-01-01 to 2026-01-10" in shown
    assert "+1.0 %" in shown
    assert "1.08×" in shown
    assert "SLOWER" in shown
    assert "▁▁▂▃▄▅▆▇██" in shown


@pytest.mark.parametrize(
    ("values", "direction"),
    [
        ([1.0, 1.01, 0.99, 1.0, 1.01, 0.99, 1.0], "level"),
        ([1.0, 0.95, 0.9, 0.85, 0.8, 0.75], "faster"),
        ([1.0, 1.1, 1.2, 1.3, 1.4], "too few"),
        ([1.0] * 8, "level"),
        ([1.0, 1.001, 1.002, 1.003, 1.004, 1.005, 1.006], "level"),
    ],
)
def test_directions(values: list[float], direction: str, capsys: pytest.CaptureFixture[str]) -> None:
    saved(*values)

    assert run(["history", "profile-load", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["direction"] for one in document["series"]] == [direction]
    assert document["series"][0]["values"] == values


def test_runs_of_another_machine_are_left_out_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    saved(1.0, 1.0)
    results.save_run(replace(level(9.0, 1), environment=Environment({"digest": "h2"}, {}, {}, {})))

    assert run(["history"]) == 0
    shown = capsys.readouterr().out
    assert "1 run of other machines, workloads or profiles is left out" in shown
    assert "9.00 s" not in shown


def test_a_damaged_run_is_told_and_the_others_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    saved(1.0, 1.0)
    results.list_runs()[0].write_text("{")

    assert run(["history", "profile-load"]) == 0
    shown = capsys.readouterr()
    assert "warning: left out" in shown.err
    assert "1 run" in shown.out


def test_a_drift_says_of_which_runs_and_needs_a_pinned_run_like_them(capsys: pytest.CaptureFixture[str]) -> None:
    saved(1.0, 1.0, 1.2, 1.2)
    results.write("pin.json", level(1.0, 1))
    assert run(["history", "--pin", "pin.json"]) == 0
    shown = capsys.readouterr().out
    assert "Since pin.json: the newest 3 (their median) over what is pinned." in shown
    assert "1.20×" in shown
    results.write("pin.json", replace(level(1.0, 1), environment=Environment({"digest": "h2"}, {}, {}, {})))
    assert run(["history", "--pin", "pin.json"]) == 4
    told = capsys.readouterr().err.splitlines()[0]
    assert "--pin pin.json cannot be compared with the newest run; differing: hardware_class" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere.json",), "no such file"),
        (("bench-cgrag",), "no run of bench-cgrag is saved"),
        (("profile-load", "bench-cgrag"), "one command at a time"),
        (("profile-load", "x.json"), "a command and files at once"),
        (("--metric", "nothing"), "no metric of these runs is asked for"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(1.0, 1.0)

    assert run(["history", *words]) == 2
    assert told in capsys.readouterr().err.splitlines()[0]
