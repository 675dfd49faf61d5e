"""What a calibration found is kept by class of machine, and a damaged file is never taken for none."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.baselines.noise import Calibration, keep_calibration, load_noise
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
