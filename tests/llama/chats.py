"""Small models that can chat, opened in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.gguf_files.shapes import Shape
from synapse_perf.gguf_files.synthesis import synthesize
from synapse_perf.llama.generation import ChatModel
from tests.gguf_files.small_models import TINY_QWEN
from tests.llama.starts import loaded

ASKED = [{"role": "user", "content": "What is the name of the page that was read?"}]


@contextlib.contextmanager
def chatting(path: Path, **settings: Any) -> Iterator[ChatModel]:
    """A model that has already decoded something else, as every model has after its load here."""
    with loaded(path, **settings) as found:
        yield ChatModel(found.low_level, found.model, found.log)


def with_template(folder: Path, template: str, monkeypatch: pytest.MonkeyPatch, shape: Shape = TINY_QWEN) -> Path:
    """A model with this chat template; an empty one is left out."""
    monkeypatch.setattr("synapse_perf.gguf_files.model_metadata._CHATML", template)
    return synthesize(shape, "q8_0", folder / "templated.gguf")
