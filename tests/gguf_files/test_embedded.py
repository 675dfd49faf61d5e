"""Are the embedded models made once, whole, and different from tier to tier?"""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.gguf_files.embedded import EMBEDDED_SHAPES, embedded_models, embedded_path
from synapse_perf.gguf_files.header import read_header
from synapse_perf.gguf_files.synthesis import plan_file


@pytest.fixture(scope="module")
def made() -> dict[str, Path]:
    return embedded_models()


def test_there_is_a_model_for_each_tier(made: dict[str, Path]) -> None:
    assert list(made) == ["fast", "balanced", "deep"]
    assert all(read_header(path).is_sample for path in made.values())


def test_each_tier_is_clearly_larger_than_the_one_before(made: dict[str, Path]) -> None:
    fast, balanced, deep = (path.stat().st_size for path in made.values())
    assert 20e6 < fast < balanced / 2 < deep / 4 < 100e6


def test_they_are_reused(made: dict[str, Path]) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.values()}
    seen: list[tuple[int, int]] = []
    again = embedded_models(lambda done, total: seen.append((done, total)))
    assert {path: path.stat().st_mtime_ns for path in again.values()} == before
    assert seen == []


def test_a_damaged_one_is_made_again_and_progress_counts_that_one_only(made: dict[str, Path]) -> None:
    path = made["fast"]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1000])
    seen: list[tuple[int, int]] = []
    embedded_models(lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == whole
    assert seen[-1] == (len(whole), len(whole))


def test_the_name_changes_with_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    before = embedded_path("fast")
    monkeypatch.setattr("synapse_perf.gguf_files.embedded.GENERATOR_VERSION", 999)
    assert embedded_path("fast") != before


def test_vocabularies_are_large_enough_to_be_seen_loading() -> None:
    for shape in EMBEDDED_SHAPES.values():
        assert len(plan_file(shape, "q4_k_m", 0).header) > 1_000_000
