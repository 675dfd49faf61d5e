"""Are planted leaks told, and look-alikes not, by whole hunts? A few of the corpus; all of it is for `make bench`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import leak_cases
from tests.faults.leak_cases import CASES, Case, hunt, is_still_fresh

BY_NAME = {case.name: case for case in CASES}
QUICK = (
    "kept_bytes:shared_mapping 100000",
    "kept_bytes:model_in_a_cycle 1000000",
    "kept_handles:orphan",
    "innocent:cache_that_fills_for_40_calls",
    "innocent:freed_later",
    "innocent:page_cache_that_grows",
)


@pytest.mark.parametrize("case", [BY_NAME[name] for name in QUICK], ids=lambda case: case.name)
def test_a_whole_hunt_is_right(case: Case, tmp_path: Path) -> None:
    told = hunt(case, tmp_path)

    assert told.is_right(case), {probe: leak.status for probe, leak in told.leaks.items()}


def test_a_case_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(CASES)


def test_once_the_rules_change_no_family_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Case("innocent:steady_churn", "innocent", is_fresh=True)
    monkeypatch.setattr(leak_cases, "FROZEN", leak_cases.rules_digest())
    assert is_still_fresh(fresh)
    monkeypatch.setattr(leak_cases, "FROZEN", "0" * 16)
    assert not is_still_fresh(fresh)
