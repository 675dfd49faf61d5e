"""Do made vocabularies have the true sizes, and merges and tokens that fit together?"""

from __future__ import annotations

from functools import cache

import pytest

from synapse_perf.gguf_files.shapes import SHAPES, Shape, make_vocabulary
from synapse_perf.gguf_files.vocabulary import CONTROL, NORMAL, UNUSED, Vocabulary, bpe_vocabulary
from tests.gguf_files.small_models import TINY_LLAMA, TINY_QWEN

# As the published tokenizers have them: tokens, merges, ids of special tokens.
PUBLISHED = {
    "qwen3-0.6b": (151936, 151387, {"<|endoftext|>": 151643, "<|im_end|>": 151645, "</think>": 151668}),
    "llama-3.1-8b": (128256, 280147, {"<|begin_of_text|>": 128000, "<|eot_id|>": 128009, "<|python_tag|>": 128010}),
    "minilm-l6": (30522, 0, {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, "▁!": 999}),
}


@pytest.fixture(scope="module", params=sorted(PUBLISHED))
def published(request: pytest.FixtureRequest) -> tuple[str, Vocabulary]:
    return request.param, make_vocabulary(SHAPES[request.param])


def test_tokens_and_merges_are_as_many_as_in_the_published_model(published: tuple[str, Vocabulary]) -> None:
    name, vocabulary = published
    tokens, merges, special = PUBLISHED[name]
    assert (len(vocabulary.tokens), len(vocabulary.merges)) == (tokens, merges)
    assert {text: vocabulary.token_id(text) for text in special} == special


def test_no_token_and_no_merge_comes_twice(published: tuple[str, Vocabulary]) -> None:
    vocabulary = published[1]
    assert len(set(vocabulary.tokens)) == len(vocabulary.tokens) == len(vocabulary.types) == len(vocabulary.held_back)
    assert len(set(vocabulary.merges)) == len(vocabulary.merges)


def test_each_merge_joins_two_earlier_tokens_into_a_later_one() -> None:
    vocabulary = make_vocabulary(TINY_QWEN)
    rank = {token: number for number, token in enumerate(vocabulary.tokens)}
    for merge in vocabulary.merges:
        left, right = merge.split(" ")
        assert max(rank[left], rank[right]) < rank[left + right]


def test_every_split_joins_two_tokens_into_a_token() -> None:
    vocabulary = make_vocabulary(TINY_LLAMA)
    known = set(vocabulary.tokens[:4096])
    for merge in vocabulary.merges:
        left, right = merge.split(" ")
        assert {left, right, left + right} <= known
    assert len(vocabulary.merges) == 6000


@pytest.mark.parametrize("shape", [TINY_QWEN, TINY_LLAMA], ids=lambda shape: shape.name)
def test_each_ordinary_token_but_the_bytes_can_be_merged(shape: Shape) -> None:
    vocabulary = make_vocabulary(shape)
    assert {merge.replace(" ", "") for merge in vocabulary.merges} == set(vocabulary.tokens[256:4096])


def test_exactly_the_tokens_that_are_no_readable_text_are_held_back() -> None:
    vocabulary = make_vocabulary(TINY_QWEN)
    ordinary = [token for token, held in zip(vocabulary.tokens, vocabulary.held_back, strict=True) if not held]
    for token in ordinary:
        assert decoded(token).isprintable() or decoded(token).strip(" ") in {"\n", "\t", "\r", "\n\n"}
    held = [token for token, held in zip(vocabulary.tokens, vocabulary.held_back, strict=True) if held]
    assert len(held) == 128 + 33 - 3 + 3  # high bytes, controls but tab and line ends, special tokens


def test_tokens_are_as_long_on_average_as_published_ones() -> None:
    """Qwen's tokens take 9.03 bytes on average, its merges 10.04: loading a tokenizer takes time by their length."""
    vocabulary = make_vocabulary(SHAPES["qwen3-0.6b"])
    assert mean_bytes(vocabulary.tokens) == pytest.approx(9.03, rel=0.05)
    assert mean_bytes(vocabulary.merges) == pytest.approx(10.04, rel=0.05)


def test_the_rest_is_filled_with_unused_tokens() -> None:
    vocabulary = bpe_vocabulary("qwen2", 300, 44, [("<end>", CONTROL)], 310)
    assert vocabulary.types == (*(NORMAL,) * 300, CONTROL, *(UNUSED,) * 9)
    assert vocabulary.tokens[301:303] == ("[PAD301]", "[PAD302]")
    assert all(vocabulary.held_back[300:])


def mean_bytes(texts: tuple[str, ...]) -> float:
    return sum(len(text.encode()) for text in texts) / len(texts)


@cache
def byte_table() -> dict[str, int]:
    """GPT-2's table of characters for bytes, as its published code builds it."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


def decoded(token: str) -> str:
    """The text of a byte-level token; UnicodeDecodeError where it is no whole UTF-8."""
    return bytes(byte_table()[character] for character in token).decode("utf-8")
