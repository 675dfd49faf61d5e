"""What a calibration found is kept by class of machine, and a damaged file is never taken for none."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.baselines.noise import Calibration, Day, DaySpread, keep_calibration, load_noise
from synapse_perf.errors import InputError, NotComparableError


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def calibration(hardware_class: str, **metrics: float) -> Calibration:
    return Calibration(hardware_class, "2026-11-23T10:00:00.000Z", 5, metrics)


def test_each_class_of_machine_has_its_own_and_the_newest_counts() -> None:
    keep_calibration(calibration("h2", a=0.02))
    keep_calibration(calibration("h1", a=0.01, b=0.03))
    keep_calibration(calibration("h1", a=0.015))

    assert load_noise().of("h1") == {"a": 0.015, "b": 0.03}
    assert load_noise().of("h2") == {"a": 0.02}
    assert load_noise().of("h3") == {}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"kind": "waivers"}',
        '{"kind": "noise", "schema_version": 1, "calibrations": [{}]}',
        '{"kind": "noise", "calibrations": [{"hardware_class": "h", "calibrated_at": "", "sessions": 5, '
        '"metrics": {"a": -1.0}}]}',
    ],
)
def test_a_damaged_file_is_told(text: str) -> None:
    Path("baselines").mkdir()
    Path("baselines/noise.json").write_text(text)

    with pytest.raises(InputError, match=r"baselines/noise\.json"):
        load_noise()


def test_a_newer_file_is_not_comparable() -> None:
    Path("baselines").mkdir()
    Path("baselines/noise.json").write_text('{"kind": "noise", "schema_version": 9}')

    with pytest.raises(NotComparableError):
        load_noise()


# --- days ------------------------------------------------------------------------------------------------------------


def day(at: str, level: float, tree: str = "t1", scatter: float = 0.0) -> Day:
    return Day(f"{at}T10:00:00.000Z", tree, {"a": level}, {"a": scatter})


def kept(*days: Day) -> DaySpread:
    for one in days:
        keep_calibration(replace(calibration("h1", a=0.01), days=(one,)))
    return load_noise().day_spreads("h1")["a"]


def test_days_of_the_same_code_tell_how_a_run_of_another_day_differs() -> None:
    found = kept(day("2026-01-01", 1.0), day("2026-01-02", math.e**0.02), day("2026-01-03", math.e**0.04))
    assert found.deviation == pytest.approx(0.02)  # by hand: logarithms 0, 0.02, 0.04
    assert found.degrees == 2
    assert load_noise().day_spreads("h2") == {}


def test_what_runs_of_one_day_differ_by_comes_on_top() -> None:
    found = kept(day("2026-01-01", 1.0, scatter=0.03), day("2026-01-02", math.e**0.04 * 1.0, scatter=0.03))
    assert found.deviation == pytest.approx(math.hypot(0.03, 0.04 / math.sqrt(2)))


def test_another_code_is_another_level_and_no_spread_and_a_date_counts_once() -> None:
    assert kept(day("2026-01-01", 1.0), day("2026-01-02", 5.0, tree="t2")) == DaySpread(0.0, 0)
    assert kept(day("2026-01-02", 5.0, tree="t2")).degrees == 0


@pytest.mark.parametrize("levels", ['{"a": 0.0}', '{"a": -1.0}', "{}", '{"b": 1.0}'])
def test_levels_that_cannot_be_are_told(levels: str) -> None:
    kept(day("2026-01-01", 1.0))
    text = Path("baselines/noise.json").read_text()
    Path("baselines/noise.json").write_text(text.replace('{\n            "a": 1.0\n          }', levels))
    with pytest.raises(InputError, match="levels"):
        load_noise()
