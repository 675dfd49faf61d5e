"""A baseline is a result that somebody blessed: kept by name, never replaced unasked, and missed with exit code 5."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf import baselines, results
from synapse_perf.errors import ExitCode, InputError, NoBaselineError, NotComparableError
from synapse_perf.model import Result
from tests.made_results import made_result, made_suite, with_samples


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_saved_baseline_is_found_by_its_name() -> None:
    path = baselines.save("main", made_result())

    assert path == Path("baselines/main.json")
    assert baselines.load("main") == made_result()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc/x", ".hidden", "a b", "x.json", "last", "last~1", "ä", "a\n"]
)
def test_a_name_that_is_another_file_or_a_run_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot name a baseline"):
        baselines.save(name, made_result())
    assert not Path("baselines").exists()


def test_an_old_baseline_is_replaced_only_when_asked() -> None:
    baselines.save("main", made_result())

    with pytest.raises(InputError, match=r"baselines/main.json exists already") as caught:
        baselines.save("main", made_result("bench-cgrag"))
    assert "--force" in caught.value.remedy
    assert baselines.load("main") == made_result()
    baselines.save("main", made_result("bench-cgrag"), force=True)
    assert baselines.load("main") == made_result("bench-cgrag")


def test_a_run_without_a_metric_is_no_baseline() -> None:
    with pytest.raises(InputError, match="no metric"):
        baselines.save("main", replace(made_result(), metrics=()))


@pytest.mark.parametrize(
    ("samples", "kept"),
    [
        ((3.123456789,), (3.12346,)),
        ((3.123456789, 3.123512345, 3.123487654), (3.12346, 3.12351, 3.12349)),  # steady to a few in 100,000
        ((3.123456789, 3.223512345, 3.023487654), (3.123, 3.224, 3.023)),  # scattered by per cents
        ((270532609.0, 3.123456789, 0.000123456789), (270532609.0, 3.123, 0.0001235)),  # whole numbers stay exact
    ],
)
def test_samples_are_rounded_to_their_noise(samples: tuple[float, ...], kept: tuple[float, ...]) -> None:
    baselines.save("main", with_samples(made_result(), *samples))

    loaded = baselines.load("main")

    assert isinstance(loaded, Result)
    assert tuple(trial.samples[0] for trial in loaded.metrics[0].trials) == kept


def test_what_is_compared_exactly_is_kept_exactly() -> None:
    result = with_samples(made_result(), 0.923456789012, 0.923456789012)
    exact = replace(result, metrics=(replace(result.metrics[0], better="exact"),))
    baselines.save("main", exact)

    loaded = baselines.load("main")

    assert isinstance(loaded, Result)
    assert loaded.metrics[0].trials[0].samples == (0.923456789012,)


def test_saving_a_loaded_baseline_again_changes_nothing() -> None:
    first = baselines.save("one", with_samples(made_result(), 3.123456789)).read_text()

    assert baselines.save("two", baselines.load("one")).read_text() == first


def test_a_suite_can_be_a_baseline() -> None:
    baselines.save("all", made_suite())

    assert baselines.load("all") == made_suite()


def test_baselines_are_listed_by_name() -> None:
    assert baselines.list_baselines() == ()

    for name in ("b", "a"):
        baselines.save(name, made_result())

    assert baselines.list_baselines() == (Path("baselines/a.json"), Path("baselines/b.json"))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("main", "synapse-perf baseline save main"), ("x/main.json", "check the path"), ("last", "measure first")],
)
def test_a_missing_baseline_has_its_own_exit_code_and_a_remedy(name: str, remedy: str) -> None:
    with pytest.raises(NoBaselineError) as caught:
        baselines.load(name)
    assert caught.value.exit_code == ExitCode.NO_BASELINE
    assert remedy in caught.value.remedy


def test_a_path_and_a_saved_run_serve_as_a_baseline() -> None:
    results.write("some.json", made_result("bench-cgrag"))
    results.save_run(made_result())

    assert baselines.load("some.json") == made_result("bench-cgrag")
    assert baselines.load("last") == made_result()


def test_a_damaged_baseline_is_wrong_input_not_a_missing_one() -> None:
    baselines.save("main", made_result()).write_text("{")

    with pytest.raises(InputError, match=r"baselines/main.json: not a result file: it ends too early"):
        baselines.load("main")


def test_for_a_command_a_suite_gives_its_part_and_a_run_is_one_of_that_command() -> None:
    baselines.save("all", made_suite())
    results.save_run(made_result("bench-cgrag", "2026-01-01T00:00:00Z"))
    results.save_run(made_result("profile-load", "2026-01-02T00:00:00Z"))

    assert baselines.load_for("all", "bench-cgrag").started_at == "2026-11-23T10:20:00.000Z"
    assert baselines.load_for("last", "bench-cgrag").started_at == "2026-01-01T00:00:00Z"


def test_a_baseline_of_another_command_is_not_comparable() -> None:
    baselines.save("main", made_result())

    with pytest.raises(NotComparableError, match="the baseline main is of profile-load, not of bench-cgrag"):
        baselines.load_for("main", "bench-cgrag")


COMMITTED = sorted((Path(__file__).parents[2] / "baselines").glob("*.*.*.json"))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_a_committed_baseline_is_what_saving_it_again_would_write(path: Path) -> None:
    loaded = results.load(path)

    assert baselines.name_for(baselines.results_of(loaded)[0]) == path.stem
    assert baselines.save("again", loaded).read_text() == path.read_text()
