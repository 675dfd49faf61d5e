from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from synapse_perf.host.checkup import can_measure, check_up, clock, speed, stolen, warnings_before
from synapse_perf.host.condition import Condition
from synapse_perf.host.power import Power


@pytest.fixture(scope="module")
def conditions(tmp_path_factory: pytest.TempPathFactory) -> list[Condition]:
    return check_up({"state": tmp_path_factory.mktemp("state")})


def test_everything_that_matters_has_a_line(conditions: list[Condition]) -> None:
    expected = {"interpreter", "llama.cpp", "devices", "page cache", "py-spy", "contention", "steal", "swap"}
    expected |= {"speed", "memory", "mlock", "disk", "clock", "extra dev", "extra server"}
    assert expected <= {one.name for one in conditions}


def test_every_warning_has_a_remedy_and_says_what_it_spoils(conditions: list[Condition]) -> None:
    for one in conditions:
        if one.state == "warning":
            assert one.remedy
            assert one.spoils


def test_what_is_in_order_spoils_nothing(conditions: list[Condition]) -> None:
    assert all(not one.spoils and not one.remedy for one in conditions if one.state in ("ok", "unknown"))


def test_here_models_can_be_loaded(conditions: list[Condition]) -> None:
    assert can_measure(conditions)


def test_without_llama_cpp_nothing_can_be_measured() -> None:
    assert not can_measure([Condition("llama.cpp", "unavailable", "llama-cpp-python is not installed")])
    assert can_measure([Condition("py-spy", "unavailable", "py-spy is not installed")])


@pytest.mark.skipif(sys.platform != "linux", reason="macOS answers through a process")
def test_the_warnings_before_a_measurement_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> NoReturn:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert isinstance(warnings_before("load"), tuple)


def test_a_hypervisor_that_takes_time_is_a_warning() -> None:
    assert stolen(0.2).state == "warning"
    assert stolen(0.0).state == "ok"
    assert stolen(None).state == "unknown"


def test_a_machine_that_tells_nothing_about_its_speed_is_unknown_not_fine() -> None:
    (line,) = speed(Power())
    assert line.state == "unknown"
    assert "power, low-power mode, governor, turbo, slowed by heat" in line.what


def test_a_laptop_on_its_battery() -> None:
    slow, unknown = speed(Power(on_battery=True, battery_share=0.4, low_power_mode=False, turbo=True))
    assert (slow.state, slow.what) == ("warning", "the machine runs on its battery (40%)")
    assert unknown.what == "this machine does not tell: governor, slowed by heat"


def test_a_desktop_that_tells_everything() -> None:
    everything = Power(on_battery=False, low_power_mode=False, governor="performance", turbo=True, throttle_events=0)
    (line,) = speed(everything)
    told = "power mains, low-power mode off, governor performance, turbo on, slowed by heat 0 times since the start"
    assert (line.state, line.what) == ("ok", told)


def test_the_clock_is_told() -> None:
    assert clock().what.endswith("stated")


def test_the_state_folder_is_left_as_it_was(tmp_path: Path) -> None:
    check_up({"state": tmp_path}, python=str(tmp_path / "no-python"))
    assert list(tmp_path.iterdir()) == []
