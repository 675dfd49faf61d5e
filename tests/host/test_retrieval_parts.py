"""Does the check-up say what retrieval needs?"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from synapse_perf.gguf_files.cache import models_directory
from synapse_perf.host import retrieval_parts as parts


def test_faiss_is_told_with_its_version() -> None:
    faiss, _ = parts.retrieval_parts()

    assert faiss.state == "ok"
    assert metadata.version("faiss-cpu") in faiss.what


def test_without_faiss_retrieval_cannot_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "DISTRIBUTIONS", ("no-such-distribution",))

    faiss, _ = parts.retrieval_parts()

    assert (faiss.state, faiss.remedy) == ("unavailable", "pip install faiss-cpu")


def test_without_the_usual_encoder_rankings_mean_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)

    _, encoder = parts.retrieval_parts()

    assert encoder.state == "warning"
    assert "random weights" in encoder.what


def test_an_encoder_that_was_converted_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path))
    models_directory().mkdir(parents=True, exist_ok=True)
    (models_directory() / "all-MiniLM-L6-v2-f16-0123456789ab.gguf").touch()

    _, encoder = parts.retrieval_parts()

    assert encoder.state == "ok"
