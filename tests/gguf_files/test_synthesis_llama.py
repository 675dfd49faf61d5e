"""Does llama.cpp itself take synthesised models for what they are, and generate exactly as long as it is told?"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import llama_cpp
import numpy as np
import pytest

from synapse_perf.gguf_files.header import read_header
from synapse_perf.gguf_files.shapes import SHAPES, Shape, make_vocabulary
from synapse_perf.gguf_files.synthesis import synthesize
from synapse_perf.gguf_files.tensor_plan import plan_tensors
from tests.gguf_files.small_models import TINY_LLAMA, TINY_QWEN, TINY_UNTIED

DECODERS = [TINY_QWEN, TINY_UNTIED, TINY_LLAMA]
FILE_TYPES = {"q4_k_m": "Q4_K - Medium", "q8_0": "Q8_0", "f16": "F16"}
LLAMA_FTYPE_MOSTLY_Q4_K_M = 15
PROMPTS = [
    "The quick brown fox jumps over the lazy dog.",
    "привет, мир",
    "日本語 \U0001f600",  # characters that only single bytes spell: each is a held-back token
    "<|im_end|>",  # ends generation in Qwen's vocabulary
    "<|eot_id|>",  # and in Llama's
    "x",
]


@contextmanager
def native_log() -> Iterator[list[str]]:
    lines: list[str] = []

    def keep(_level: int, text: bytes, _data: object) -> None:
        lines.append(text.decode("utf-8", "replace"))

    callback = llama_cpp.llama_log_callback(keep)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    try:
        yield lines
    finally:
        llama_cpp.llama_log_set(llama_cpp._logger.llama_log_callback, ctypes.c_void_p(0))


def load(path: Path, **options: object) -> llama_cpp.Llama:
    return llama_cpp.Llama(str(path), n_ctx=256, n_threads=1, n_threads_batch=1, verbose=False, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("llama")


def made(folder: Path, shape: Shape, quant: str) -> Path:
    path = folder / f"{shape.name}-{quant}.gguf"
    return path if path.exists() else synthesize(shape, quant, path)


@pytest.mark.parametrize("quant", FILE_TYPES)
@pytest.mark.parametrize("shape", [*DECODERS, SHAPES["minilm-l6"]], ids=lambda shape: shape.name)
def test_its_loader_reports_the_right_type_size_and_layers(folder: Path, shape: Shape, quant: str) -> None:
    path = made(folder, shape, quant)
    with native_log() as lines:
        params = llama_cpp.llama_model_default_params()
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        assert model is not None
        parameters, size_bytes = llama_cpp.llama_model_n_params(model), llama_cpp.llama_model_size(model)
        llama_cpp.llama_model_free(model)
    log, header = "".join(lines), read_header(path)
    assert re.search(r"file type\s+= (.+)", log)[1].strip() == FILE_TYPES[quant]  # type: ignore[index]
    assert int(re.search(r"n_layer\s+= (\d+)", log)[1]) == shape.n_layer  # type: ignore[index]
    assert int(re.search(r"n_vocab\s+= (\d+)", log)[1]) == shape.n_vocab  # type: ignore[index]
    assert int(re.search(r"n_merges\s+= (\d+)", log)[1]) == shape.n_merges  # type: ignore[index]
    # A shared matrix counts once here, and llama.cpp leaves out no tensor of the file.
    assert parameters == header.parameters
    assert size_bytes == sum(tensor.size_bytes for tensor in header.tensors)


@pytest.mark.parametrize("shape", [*DECODERS, SHAPES["minilm-l6"]], ids=lambda shape: shape.name)
def test_llama_quantize_chooses_the_same_type_for_every_tensor(folder: Path, shape: Shape) -> None:
    source, target = made(folder, shape, "f16"), folder / f"{shape.name}-requantised.gguf"
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = LLAMA_FTYPE_MOSTLY_Q4_K_M
    params.nthread = 2
    with native_log():
        assert llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)) == 0
    theirs = {tensor.name: tensor.type for tensor in read_header(target).tensors}
    assert {tensor.name: tensor.type for tensor in plan_tensors(shape, "q4_k_m")} == theirs
    assert [tensor.name for tensor in plan_tensors(shape, "q4_k_m")] == list(theirs)


@pytest.mark.parametrize("shape", DECODERS, ids=lambda shape: shape.name)
def test_generation_gives_exactly_as_many_tokens_as_asked_for(folder: Path, shape: Shape) -> None:
    model = load(made(folder, shape, "q4_k_m"))
    settings = ({"temperature": 0.0}, {"temperature": 1.5, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "seed": 7})
    for prompt in PROMPTS:
        for sampling in settings:
            for wanted in (1, 23):
                answer = model.create_completion(prompt, max_tokens=wanted, **sampling)
                assert answer["usage"]["completion_tokens"] == wanted
                assert answer["choices"][0]["finish_reason"] == "length"
    model.close()


@pytest.mark.parametrize("shape", DECODERS, ids=lambda shape: shape.name)
def test_streaming_gives_one_piece_of_whole_text_for_each_token(folder: Path, shape: Shape) -> None:
    model = load(made(folder, shape, "q4_k_m"))
    pieces = list(model.create_completion("Say it:", max_tokens=20, temperature=1.0, seed=3, stream=True))
    texts = [piece["choices"][0]["text"] for piece in pieces]
    assert len([text for text in texts if text]) == 20
    model.close()


@pytest.mark.parametrize("quant", FILE_TYPES)
@pytest.mark.parametrize("shape", DECODERS, ids=lambda shape: shape.name)
def test_every_ordinary_token_is_likelier_than_every_held_back_one(folder: Path, shape: Shape, quant: str) -> None:
    """By at least 3, even right after a held-back token; then no sampler ever picks one out of thousands."""
    model = load(made(folder, shape, quant), logits_all=True)
    held_back = np.array(make_vocabulary(shape).held_back)
    for prompt in PROMPTS:
        model.reset()
        model.eval(model.tokenize(prompt.encode(), special=True))
        logits = np.array(model.scores[: model.n_tokens])[:, : shape.n_vocab]
        assert np.isfinite(logits).all()
        assert (logits[:, ~held_back].min(axis=1) > logits[:, held_back].max(axis=1) + 3).all()
    model.close()


@pytest.mark.parametrize("shape", DECODERS, ids=lambda shape: shape.name)
def test_text_survives_the_tokenizer(folder: Path, shape: Shape) -> None:
    model = load(made(folder, shape, "q4_k_m"), vocab_only=True)
    for text in [*PROMPTS, "def f(x):\n\treturn  x\r\n", "naïve café", "a" * 50]:
        tokens = model.tokenize(text.encode(), add_bos=False, special=True)
        assert model.detokenize(tokens, special=True).decode() == text
    model.close()


def test_english_comes_to_as_few_tokens_as_with_a_true_vocabulary(folder: Path) -> None:
    """Qwen3's own tokenizer gives 10 tokens for each."""
    model = load(made(folder, TINY_QWEN, "q4_k_m"), vocab_only=True)
    for text in ("The quick brown fox jumps over the lazy dog.", "What is the answer to the question about memory?"):
        assert len(model.tokenize(text.encode(), add_bos=False)) <= 13
    model.close()


def test_what_it_says_varies(folder: Path) -> None:
    model = load(made(folder, TINY_QWEN, "q8_0"))
    answer = model.create_completion("Tell me a story", max_tokens=30, temperature=0.0)
    assert len(set(model.tokenize(answer["choices"][0]["text"].encode()))) > 5
    model.close()


def test_chat_uses_the_template_of_the_family(folder: Path) -> None:
    for shape in (TINY_QWEN, TINY_LLAMA):
        model = load(made(folder, shape, "q4_k_m"))
        answer = model.create_chat_completion([{"role": "user", "content": "hello"}], max_tokens=5)
        assert answer["usage"]["completion_tokens"] == 5
        model.close()


def test_the_encoder_gives_finite_embeddings_that_differ(folder: Path) -> None:
    model = load(made(folder, SHAPES["minilm-l6"], "q8_0"), embedding=True)
    first, second = (np.array(model.embed(text)) for text in ("a fast answer", "the history of glass"))
    assert first.shape == (384,)
    assert np.isfinite(first).all()
    assert not np.allclose(first, second)
    model.close()
