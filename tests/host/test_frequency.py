"""Is the clock of a working core read, and its absence told apart from a slow one?"""

from __future__ import annotations

from pathlib import Path

from synapse_perf.host.frequency import fastest_core_hz


def core(cpus: Path, number: int, text: str) -> None:
    folder = cpus / f"cpu{number}" / "cpufreq"
    folder.mkdir(parents=True)
    (folder / "scaling_cur_freq").write_text(text)


def test_the_fastest_of_the_cores_counts(tmp_path: Path) -> None:
    core(tmp_path, 0, "800000\n")
    core(tmp_path, 1, "3400000\n")

    assert fastest_core_hz(tmp_path) == 3.4e9


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    core(tmp_path, 0, "<unknown>\n")
    core(tmp_path, 1, "1200000\n")

    assert fastest_core_hz(tmp_path) == 1.2e9


def test_a_machine_that_does_not_tell(tmp_path: Path) -> None:
    assert fastest_core_hz(tmp_path) is None


def test_this_machine_gives_a_clock_or_nothing() -> None:
    found = fastest_core_hz()
    assert found is None or 1e8 < found < 1e10
