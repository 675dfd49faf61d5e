from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.host.power import Power, battery, from_pmset, governor, power, slowed_by, throttle_events, turbo

ON_BATTERY = """\
Now drawing from 'Battery Power'
 -InternalBattery-0 (id=24313955)\t27%; discharging; 3:32 remaining present: true
"""
ON_MAINS = """\
Now drawing from 'AC Power'
 -InternalBattery-0 (id=22806627)\t83%; charging; 1:00 remaining present: true
"""
DESKTOP = "Now drawing from 'AC Power'\n"
SETTINGS = """\
System-wide power settings:
Currently in use:
 standby              1
 hibernatefile        /var/vm/sleepimage
 sleep                1 (sleep prevented by powerd)
 lowpowermode         {mode}
 womp                 0
"""
COOL = """\
Note: No thermal warning level has been recorded
Note: No performance warning level has been recorded
Note: No CPU power status has been recorded
"""
HOT = """\
2026-08-20 05:08:37 -0700 CPU Power notify
\tCPU_Scheduler_Limit \t= 80
\tCPU_Available_CPUs \t= 12
\tCPU_Speed_Limit \t= 62
"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def test_a_macbook_on_its_battery_in_low_power_mode() -> None:
    found = from_pmset(ON_BATTERY, SETTINGS.format(mode=1), COOL)
    assert found == Power(on_battery=True, battery_share=0.27, low_power_mode=True, throttle_events=0)
    assert [reason for reason, _ in slowed_by(found)] == [
        "the machine runs on its battery (27%)",
        "low-power mode is on",
    ]


def test_a_macbook_on_mains_is_silent() -> None:
    found = from_pmset(ON_MAINS, SETTINGS.format(mode=0), COOL)
    assert found == Power(on_battery=False, battery_share=0.83, low_power_mode=False, throttle_events=0)
    assert slowed_by(found) == ()


def test_a_mac_with_power_modes_writes_another_name() -> None:
    assert from_pmset(DESKTOP, " powermode            1\n", COOL).low_power_mode is True
    assert from_pmset(DESKTOP, " powermode            2\n", COOL).low_power_mode is False


def test_a_hot_mac_is_limited() -> None:
    found = from_pmset(DESKTOP, "", HOT)
    assert (found.speed_limit, found.low_power_mode, found.battery_share) == (0.62, None, None)
    assert slowed_by(found) == (("heat limits the processor to 62% of its speed", "let the machine cool down"),)


def test_no_answer_is_unknown_and_silent() -> None:
    assert from_pmset("", "", "") == Power()
    assert slowed_by(Power()) == ()


def test_a_laptop_under_linux(tmp_path: Path) -> None:
    files = {"AC/type": "Mains", "AC/online": "0", "BAT0/type": "Battery", "BAT0/capacity": "41"}
    assert battery(write(tmp_path, files)) == (True, 0.41)
    assert battery(write(tmp_path, {"AC/online": "1"})) == (False, 0.41)


def test_a_mouse_is_no_battery_of_the_machine(tmp_path: Path) -> None:
    files = {"hid-1/type": "Battery", "hid-1/scope": "Device", "hid-1/capacity": "9", "hid-1/status": "Discharging"}
    assert battery(write(tmp_path, files)) == (None, None)


def test_a_desktop_has_no_battery(tmp_path: Path) -> None:
    assert battery(write(tmp_path, {"AC/type": "Mains", "AC/online": "1"})) == (None, None)


def test_the_governors_that_differ_are_all_named(tmp_path: Path) -> None:
    write(tmp_path, {f"cpu{n}/cpufreq/scaling_governor": name for n, name in enumerate(("performance", "powersave"))})
    assert governor(tmp_path) == "powersave, performance"
    assert governor(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("files", "on"),
    [
        ({"intel_pstate/no_turbo": "1"}, False),
        ({"intel_pstate/no_turbo": "0"}, True),
        ({"cpufreq/boost": "0"}, False),
        ({}, None),
    ],
)
def test_turbo(tmp_path: Path, files: dict[str, str], on: bool | None) -> None:
    assert turbo(write(tmp_path, files)) is on


def test_throttle_events_are_summed(tmp_path: Path) -> None:
    write(tmp_path, {f"cpu{n}/thermal_throttle/core_throttle_count": str(n) for n in (3, 4)})
    assert throttle_events(tmp_path) == 7
    assert throttle_events(tmp_path / "none") is None


def test_this_machine_can_be_asked() -> None:
    assert isinstance(power(), Power)
