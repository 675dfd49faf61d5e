"""Does the cache know its own files, and leave all others alone?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from synapse_perf.errors import InputError
from synapse_perf.gguf_files import cache
from synapse_perf.gguf_files.cache import (
    DOWNLOAD_RECORD,
    cache_directory,
    cached_files,
    encoders_directory,
    ensure_models_directory,
    models_directory,
    remove_cached_files,
)
from synapse_perf.gguf_files.synthesis import synthesize
from tests.gguf_files.small_models import TINY_QWEN, gguf


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path / "cache"))
    return ensure_models_directory()


def test_the_variable_names_the_directory(tmp_path: Path, models: Path) -> None:
    assert cache_directory() == tmp_path / "cache"
    assert models == models_directory() == tmp_path / "cache" / "models"


def test_without_it_the_directory_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNAPSE_PERF_CACHE_DIR")
    assert cache_directory().name == "synapse-perf"


def test_a_cache_that_was_never_used_is_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path / "none"))
    assert cached_files() == []
    assert not (tmp_path / "none").exists()


def test_a_sample_is_listed_with_its_recipe(models: Path) -> None:
    path = synthesize(TINY_QWEN, "q8_0", models / "tiny.gguf")
    (cached,) = cached_files()
    assert (cached.path, cached.size_bytes) == (path, path.stat().st_size)
    assert cached.made_by is not None
    assert cached.made_by.startswith("tiny-qwen q8_0")


def test_only_what_the_tool_made_is_removed(models: Path) -> None:
    sample = synthesize(TINY_QWEN, "q8_0", models / "tiny.gguf")
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    half = models / f".other.gguf.{process.pid}.partial"
    half.write_bytes(b"half")
    foreign = models / "mine.gguf"
    foreign.write_bytes(gguf())
    (models / "notes.txt").write_text("keep", encoding="utf-8")
    linked = models / "linked.gguf"
    linked.symlink_to(sample)
    assert {cached.path for cached in remove_cached_files()} == {sample, half}
    assert {path.name for path in models.iterdir()} == {"mine.gguf", "notes.txt", "linked.gguf"}


def test_what_the_set_up_fetched_is_listed_and_removed_and_no_other_folder(models: Path) -> None:
    encoders = encoders_directory()
    for name in ("fetched", "mine", "broken"):
        (encoders / name).mkdir(parents=True)
        (encoders / name / "model.safetensors").write_bytes(b"weights")
    (encoders / "fetched" / DOWNLOAD_RECORD).write_text('{"package": "some-encoder==1.0"}', encoding="utf-8")
    (encoders / "broken" / DOWNLOAD_RECORD).write_text("[]", encoding="utf-8")
    (encoders / "linked").symlink_to(encoders / "fetched")
    (cached,) = cached_files()
    assert (cached.path, cached.size_bytes) == (encoders / "fetched", 7 + 32)
    assert cached.made_by == "downloaded by the set-up: some-encoder==1.0"
    assert remove_cached_files() == [cached]
    assert {path.name for path in encoders.iterdir()} == {"mine", "broken", "linked"}


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(InputError) as caught:
        ensure_models_directory()
    assert "SYNAPSE_PERF_CACHE_DIR" in caught.value.remedy


def test_prepared_sets_and_embedded_texts_are_listed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path))
    prepared = cache.sets_directory() / "0123456789abcdef"
    prepared.mkdir(parents=True)
    (prepared / "docs.index").write_bytes(b"12345")
    cache.vectors_directory().mkdir(parents=True)
    (cache.vectors_directory() / "abc-256.vectors").write_bytes(b"123")

    listed = {cached.path.name: cached.size_bytes for cached in cache.remove_cached_files()}

    assert listed == {"0123456789abcdef": 5, "abc-256.vectors": 3}
    assert not prepared.exists()
