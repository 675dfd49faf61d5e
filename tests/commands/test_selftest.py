"""doctor --selftest: planted leaks are seen by real workers, and where they are not it says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from synapse_perf.commands import selftest
from synapse_perf.commands.doctor import doctor
from synapse_perf.commands.selftest import Case
from synapse_perf.errors import InputError

SILENT = Case("a leak that is none", "keeps_nothing", leaks=("descriptors",))


def test_every_planted_leak_is_seen_here_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    code = doctor(selftest=True, format="json")
    told = json.loads(capsys.readouterr().out)

    assert {case["case"]: case["outcome"] for case in told["cases"]} == dict.fromkeys(
        [case.name for case in selftest.CASES], "ok"
    )
    assert (code, told["passed"]) == (0, True)


@pytest.mark.parametrize(
    ("cases", "expected", "beginning"),
    [
        ((SILENT,), 3, "NOT FIT: leak-hunt cannot be trusted here: a leak that is none."),
        ((Case("a function that is missing", "no_such_plant"),), 6, "NOT MEASURED: a function that is missing."),
    ],
)
def test_what_is_not_seen_or_not_measured_is_told_in_the_first_line(
    cases: Sequence[Case],
    expected: int,
    beginning: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(selftest, "CASES", cases)
    monkeypatch.setenv("COLUMNS", "120")

    assert doctor(selftest=True) == expected
    assert capsys.readouterr().out.startswith(beginning)


def test_what_has_no_part_in_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--models has no part"):
        doctor(selftest=True, models=[str(tmp_path)])
    with pytest.raises(InputError, match="no program that can be run"):
        doctor(selftest=True, python=str(tmp_path / "python"))
