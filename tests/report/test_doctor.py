from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from synapse_perf.host.condition import Condition
from synapse_perf.report.console import to_console
from synapse_perf.report.doctor import document, to_json
from tests.report.examples import ENVIRONMENT

CONDITIONS = (
    Condition("llama.cpp", "ok", "llama-cpp-python 0.3.36"),
    Condition("page cache", "warning", "models (tmpfs): the file lies in memory", "use a local disk", ("load",)),
    Condition("py-spy", "unavailable", "macOS lets only root look into processes", "sudo", ("flame graph",)),
    Condition("speed", "unknown", "this machine does not tell: governor"),
)
GOLDEN = """\
Ready, but 1 condition spoils measurements: load.

Conditions
----------
  state        what        found
  ok           llama.cpp   llama-cpp-python 0.3.36
  warning      page cache  models (tmpfs): the file lies in memory
      remedy: use a local disk
  unavailable  py-spy      macOS lets only root look into processes
      remedy: sudo
  unknown      speed       this machine does not tell: governor

Environment
-----------
  hardware class  sha256:4d1f: AMD Ryzen 7 7840U, 8 cores, 32 GiB class, no GPU
  software class  sha256:77aa: Linux debian 12, glibc 2.36, CPython 3.11
"""
SOFTWARE = {"digest": "sha256:77aa", "os": "Linux debian 12", "libc": "glibc 2.36", "python": "CPython 3.11"}


def text(conditions: tuple[Condition, ...], *, can_measure: bool = True, ascii_only: bool = False) -> str:
    shown = document(conditions, replace(ENVIRONMENT, software_class=SOFTWARE), can_measure=can_measure)
    return to_console(shown, width=80, ascii_only=ascii_only)


def test_the_whole_report() -> None:
    assert text(CONDITIONS) == GOLDEN


def test_it_reads_the_same_in_a_terminal_without_unicode() -> None:
    assert text(CONDITIONS, ascii_only=True) == GOLDEN


def test_no_line_is_wider_than_the_terminal() -> None:
    long = Condition("devices", "warning", "word " * 60, "remedy " * 40, ("load",))
    assert max(len(line) for line in text((long,)).splitlines()) <= 80


def test_a_machine_in_order_says_so_first() -> None:
    assert text(CONDITIONS[:1]).startswith("Ready: nothing was found that would spoil a measurement.\n")


def test_a_machine_that_can_load_nothing_says_so_first() -> None:
    assert text(CONDITIONS, can_measure=False).startswith("Models cannot be loaded here")


def test_several_warnings_name_each_thing_that_they_spoil_once() -> None:
    more = Condition("steal", "warning", "x", "y", ("load", "latency"))
    assert text((CONDITIONS[1], more)).startswith("Ready, but 2 conditions spoil measurements: latency, load.\n")


def test_the_home_path_is_shortened_so_that_the_command_can_still_be_copied() -> None:
    command = Condition("llama.cpp", "unavailable", "not installed", f"{Path.home()}/env/bin/python -m pip install x")
    if len(str(Path.home())) > 1:
        assert "remedy: ~/env/bin/python -m pip install x" in text((command,))


def test_json_carries_the_same_as_data() -> None:
    data = json.loads(to_json(CONDITIONS, ENVIRONMENT, can_measure=True))
    assert (data["kind"], data["schema_version"], data["can_measure"]) == ("doctor", 1, True)
    assert data["conditions"][1] == {
        "name": "page cache",
        "state": "warning",
        "what": "models (tmpfs): the file lies in memory",
        "remedy": "use a local disk",
        "spoils": ["load"],
    }
    assert data["environment"]["hardware_class"]["digest"] == "sha256:4d1f"
