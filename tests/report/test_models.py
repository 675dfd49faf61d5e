"""Are models, shapes and cached files readable at 80 columns without colour?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.gguf_files.cache import CachedFile
from synapse_perf.gguf_files.discovery import FoundModel
from synapse_perf.gguf_files.header import GgufHeader, read_header
from synapse_perf.gguf_files.shapes import SHAPES
from synapse_perf.report.console import to_console
from synapse_perf.report.models import cache_document, models_document, shapes_document
from tests.gguf_files.small_models import gguf, write

LISTED = """\
2 models.

Hugging Face cache
------------------
  name                           arch   params  quant       size  context  tier
  Qwen3-4B-Instruct-2507-Q4_K_M  qwen3   4.02B  Q4_K_M  2.33 GiB    40960  fast
  broken
      unusable: the file is cut off in its tensor data, 10 of 256 bytes are
      missing

Ollama
------
  name               arch  params  quant      size  context  tier
  all-minilm:latest  bert   22.6M  F16    44.0 MiB      512  encoder
"""


@pytest.fixture
def header(tmp_path: Path) -> GgufHeader:
    return read_header(write(tmp_path, gguf()))


def found(header: GgufHeader) -> list[FoundModel]:
    qwen = replace(
        header,
        architecture="qwen3",
        parameters=4_022_468_096,
        file_type="Q4_K_M",
        size_bytes=2_500_000_000,
        n_ctx_train=40960,
    )
    encoder = replace(
        header, architecture="bert", parameters=22_565_376, file_type="F16", size_bytes=46_100_000, n_ctx_train=512
    )
    problem = "the file is cut off in its tensor data, 10 of 256 bytes are missing"
    return [
        FoundModel("Qwen3-4B-Instruct-2507-Q4_K_M", Path("a"), qwen, "fast", "huggingface", None),
        FoundModel("all-minilm:latest", Path("b"), encoder, None, "ollama", None),
        FoundModel("broken", Path("c"), None, None, "huggingface", problem),
    ]


def test_models_are_listed_by_place_with_what_is_wrong_below(header: GgufHeader) -> None:
    assert to_console(models_document(found(header)), width=80) == LISTED


def test_no_line_is_wider_than_the_terminal(header: GgufHeader) -> None:
    for document in (models_document(found(header)), shapes_document(SHAPES.values())):
        assert max(len(line) for line in to_console(document, width=80).splitlines()) <= 80


def test_what_a_file_does_not_say_is_a_question_mark(header: GgufHeader) -> None:
    shown = to_console(models_document([FoundModel("m", Path("m"), header, "fast", "profile", None)]), width=80)
    assert " ? " in shown


def test_a_cached_file_that_was_never_finished_says_so() -> None:
    shown = to_console(cache_document([CachedFile(Path(".x.partial"), 1024, None)], "/x"), width=80)
    assert "unfinished" in shown
    assert "1 file, 1.00 KiB, in /x" in shown
