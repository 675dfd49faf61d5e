"""The good model, and what each fault makes of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from synapse_perf.gguf_files.synthesis import synthesize
from tests.gguf_files.small_models import TINY_QWEN


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(TINY_QWEN, "q4_k_m", tmp_path_factory.mktemp("models") / "good.gguf")


@pytest.fixture
def good(tmp_path: Path, original: Path) -> Path:
    """A whole model in the test's own folder."""
    path = tmp_path / "good.gguf"
    os.link(original, path)
    return path


@pytest.fixture
def model(tmp_path: Path, original: Path) -> Callable[[str], Path]:
    """The same model under a name that the stand-in knows: model("hang-2-x")."""

    def named(stem: str) -> Path:
        path = tmp_path / f"{stem}.gguf"
        os.link(original, path)
        return path

    return named
