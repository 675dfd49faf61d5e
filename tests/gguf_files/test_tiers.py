"""Does each model get the tier that the engine would give it?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.gguf_files.header import GgufHeader, read_header
from synapse_perf.gguf_files.tiers import tier_of
from tests.gguf_files.small_models import gguf, write


@pytest.fixture
def header(tmp_path: Path) -> GgufHeader:
    return read_header(write(tmp_path, gguf()))


@pytest.mark.parametrize(
    ("name", "quant", "tier"),
    [
        ("Qwen3-4B-Q4_K_M", "Q4_K_M", "fast"),
        ("Qwen3-4B-Q8_0", "Q8_0", "balanced"),
        ("Qwen3-8B-Q4_K_M", "Q4_K_M", "balanced"),
        ("llama-2-7b-q4_0", "Q4_0", "balanced"),
        ("qwen2.5-coder-14b-instruct-q4_k_m", "Q4_K_M", "deep"),
        ("gpt-oss-20b-Q4_K_M", "Q4_K_M", "deep"),
        ("DeepSeek-R1-0528-Qwen3-8B-Q4_K_M", "Q4_K_M", "deep"),
        ("Qwen3-4B-Thinking-2507-Q4_K_M", "Q4_K_M", "deep"),
        ("Qwen3-30B-A3B-Q4_K_M", "Q4_K_M", "deep"),
        ("qwen2.5-1.5b-instruct-q4_k_m", "Q4_K_M", "fast"),
    ],
)
def test_the_name_decides_as_in_the_engine(header: GgufHeader, name: str, quant: str, tier: str) -> None:
    assert tier_of(name, replace(header, file_type=quant, parameters=1)) == tier


@pytest.mark.parametrize(
    ("parameters", "tier"), [(4_000_000_000, "fast"), (8_000_000_000, "balanced"), (46_700_000_000, "deep")]
)
def test_the_header_decides_where_the_name_says_no_size(header: GgufHeader, parameters: int, tier: str) -> None:
    assert tier_of("Mixtral-8x7B-Q4_K_M", replace(header, file_type="Q4_K_M", parameters=parameters)) == tier
