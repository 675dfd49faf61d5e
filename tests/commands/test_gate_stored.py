"""`gate [RUN]`: a run that is measured already against stored ones, with the exit codes of the contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf import baselines, results
from synapse_perf.cli import run
from synapse_perf.model import Check, Environment, Result, Suite
from tests.analyze.trials import single
from tests.made_results import made_result

STEADY = (3.00, 3.01, 2.99, 3.02, 2.98, 3.00)


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def level(factor: float = 1.0, day: int = 1) -> Result:
    made = made_result(started_at=f"2026-01-{day:02}T00:00:00Z")
    return replace(made, metrics=(single(*(value * factor for value in STEADY)),), checks=(), failures=())


def five_stored() -> None:
    for day, factor in enumerate((1.0, 1.003, 0.997, 1.002, 0.998), 1):
        results.write("run.json", level(factor, day))
        assert run(["baseline", "save", "run.json", "--add"]) == 0


@pytest.mark.parametrize(("factor", "code"), [(1.0, 0), (1.1, 1), (0.8, 0)])
def test_the_newest_run_is_judged_by_the_baseline_that_fits(
    factor: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    five_stored()
    results.save_run(level(factor, 9))
    capsys.readouterr()

    assert run(["gate"]) == code
    shown = capsys.readouterr().out
    assert "baselines/profile-load.laptop.h1.json" in shown
    assert "slowdowns from about" in " ".join(shown.split())


def test_one_stored_run_alone_is_honest_about_what_it_cannot_see(capsys: pytest.CaptureFixture[str]) -> None:
    baselines.save("main", level())
    results.save_run(level(day=2))

    assert run(["gate"]) == 3
    assert "is assumed" in capsys.readouterr().out
    assert run(["gate", "--allow-inconclusive"]) == 0
    assert run(["gate", "--effect", "50%"]) == 0


def test_no_baseline_is_code_5_and_can_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    results.save_run(level())

    assert run(["gate"]) == 5
    assert "--create-missing" in capsys.readouterr().err
    assert run(["gate", "--create-missing"]) == 0
    assert "PASS: there was no baseline" in capsys.readouterr().out
    assert Path("baselines/profile-load.laptop.h1.json").is_file()
    assert run(["gate", "--baseline", "nowhere"]) == 5


def test_a_missing_baseline_is_made_under_the_name_that_was_asked_for() -> None:
    results.write("run.json", Suite((level(), replace(level(), benchmark="bench-cgrag")), (), "pass"))
    for code in (0, 3):  # then it is there, and a single stored run does not decide
        assert run(["gate", "run.json", "--baseline", "nightly", "--create-missing"]) == code
    assert [path.name for path in Path("baselines").iterdir()] == ["nightly.json"]


def test_a_baseline_that_was_made_for_a_part_of_a_run_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    baselines.save("main", level())
    results.write("run.json", Suite((level(day=2), replace(level(), benchmark="bench-cgrag")), (), "pass"))

    assert run(["gate", "run.json", "--create-missing", "--effect", "50%"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "there was no baseline of a part of this run: it is one now, baselines/bench-cgrag.laptop.h1.json" in told


def test_a_command_that_a_whole_run_has_no_more_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    baselines.save("main", Suite((level(), replace(level(), benchmark="bench-cgrag")), (), "pass"))
    results.write("run.json", Suite((level(day=2),), (), "pass"))
    results.write("part.json", level(day=2))

    assert run(["gate", "run.json", "--baseline", "main", "--effect", "50%"]) == 4
    assert "1 missing, 1 unchanged" in capsys.readouterr().out
    assert run(["gate", "part.json", "--baseline", "main", "--effect", "50%"]) == 0


def test_a_baseline_that_a_whole_run_has_nothing_for_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    baselines.save("one", level())
    baselines.save("other", replace(level(), benchmark="bench-cgrag"))
    baselines.save("elsewhere", replace(level(), benchmark="ui-fps", profile="another"))
    results.write("run.json", Suite((level(day=2),), (), "pass"))

    assert run(["gate", "run.json", "--effect", "50%"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "not judged: baselines/other.json is of bench-cgrag with this profile" in told
    assert "elsewhere" not in told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--pairs", "50"), "--pairs is for --against"),
        (("--max-time", "1m"), "--max-time is for --against"),
        (("--seed", "0"), "--seed is for --against"),
        (("--setup", "true"), "--setup is for --against"),
        (("--metric", "model_startup_time", "--metric", "typo"), "--metric typo: no metric has this name"),
    ],
)
def test_what_would_be_ignored_is_told(
    options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    baselines.save("main", level())
    results.save_run(level(day=2))

    assert run(["gate", *options]) == 2
    assert words in capsys.readouterr().err.splitlines()[0]


def test_another_machine_is_code_4_and_its_fields_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    baselines.save("main", level())
    results.write("now.json", replace(level(), environment=Environment({"digest": "h2", "cores": 16}, {}, {}, {})))

    assert run(["gate", "now.json"]) == 4
    assert "differing: cores" in capsys.readouterr().err
    assert run(["gate", "now.json", "--baseline", "main"]) == 4
    assert "differing: hardware_class.cores" in " ".join(capsys.readouterr().out.split())


def test_several_baselines_that_fit_ask_for_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        baselines.save(name, level())
    results.save_run(level(day=2))

    assert run(["gate"]) == 2
    assert "several baselines fit this run: one, two" in capsys.readouterr().err
    assert run(["gate", "--baseline", "one", "--effect", "50%"]) == 0


def test_a_missed_target_fails_beside_metrics_that_did_not_change() -> None:
    baselines.save("main", level())
    missed = Check("model-startup-cpu", level().metrics[0].key, "median", 1.0, "s", 3.0, "fail", "over the limit")
    results.save_run(replace(level(day=2), checks=(missed,)))

    assert run(["gate", "--effect", "50%"]) == 1


def test_an_empty_run_and_a_metric_that_is_gone_are_no_pass() -> None:
    baselines.save("main", level())
    results.write("empty.json", replace(level(), metrics=()))
    results.write("other.json", replace(level(), metrics=(single(*STEADY, name="other"),)))

    assert run(["gate", "empty.json"]) == 6
    assert run(["gate", "other.json"]) == 4


def test_a_damaged_baseline_is_told_and_never_taken_for_none(capsys: pytest.CaptureFixture[str]) -> None:
    baselines.save("main", level()).write_text('{"kind": "result"')
    results.save_run(level(day=2))

    assert run(["gate", "--create-missing"]) == 2
    assert "baselines/main.json: not a result file: it ends too early" in capsys.readouterr().err
