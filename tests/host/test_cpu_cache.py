"""Is the largest cache found that the machine names?"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from synapse_perf.host.cpu_cache import last_level_cache_bytes, parse_size


@pytest.mark.parametrize(
    ("text", "size"), [("32768K\n", 32 << 20), ("36M", 36 << 20), ("512", 512), ("", None), ("lots", None)]
)
def test_a_size_is_read_with_its_unit(text: str, size: int | None) -> None:
    assert parse_size(text) == size


def test_the_largest_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synapse_perf.host.cpu_cache.MACOS", False)
    for place, text in enumerate(("32K", "32K", "1024K", "32768K")):
        (tmp_path / f"index{place}").mkdir()
        (tmp_path / f"index{place}" / "size").write_text(text + "\n")

    assert last_level_cache_bytes(tmp_path) == 32 << 20


def test_a_machine_that_names_none_has_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synapse_perf.host.cpu_cache.MACOS", False)

    assert last_level_cache_bytes(tmp_path) is None


def test_this_machine_is_asked() -> None:
    found = last_level_cache_bytes()

    assert found is None or 128 << 10 < found < 4 << 30
    assert found is not None or sys.platform != "darwin"
