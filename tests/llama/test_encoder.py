"""Is the vector of a text the one that llama.cpp's own bindings give, cut as a sentence-transformer cuts?"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.llama.encoder import Encoder
from synapse_perf.llama.loading import LoadFailed
from tests.benchmarks.retrieval_sets import make_encoder
from tests.llama.small_models import Shape, write_model

LIMIT = 24
WORDS = "search the index of text for a vector"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder")).path


@pytest.fixture(scope="module")
def encoder(path: Path) -> Iterator[Encoder]:
    encoder = Encoder(path, 1, LIMIT)
    yield encoder
    encoder.close()


def causal(folder: Path, pooling: int) -> Path:
    """A model that reads from left to right and says how its vectors become one."""
    with pytest.MonkeyPatch.context() as patch:
        add_file_type = gguf.GGUFWriter.add_file_type

        def add_both(writer: Any, kind: int) -> None:
            writer.add_pooling_type(gguf.PoolingType(pooling))
            add_file_type(writer, kind)

        patch.setattr(gguf.GGUFWriter, "add_file_type", add_both)
        return write_model(folder / f"causal-{pooling}.gguf", Shape())


def of_the_bindings(path: Path, text: str) -> Any:
    """The vector by llama-cpp-python's high-level interface."""
    import llama_cpp

    model = llama_cpp.Llama(str(path), embedding=True, n_ctx=512, n_batch=512, n_ubatch=512, n_threads=1, verbose=False)
    vector = np.array(model.create_embedding(text)["data"][0]["embedding"], dtype=np.float64)
    model.close()
    return vector / np.linalg.norm(vector)


# --- the vector ------------------------------------------------------------------------------------------------------


@given(st.text(max_size=200))
def test_every_text_has_a_vector_of_length_one(encoder: Encoder, text: str) -> None:
    vector = encoder.embed(text)

    assert vector.shape == (encoder.dimension,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_an_empty_text_has_one_too(encoder: Encoder) -> None:
    assert np.linalg.norm(encoder.embed("")) == pytest.approx(1, abs=1e-5)


def test_the_same_text_has_the_same_vector_whatever_came_before(encoder: Encoder) -> None:
    first = encoder.embed(WORDS)
    other = encoder.embed("cold start")

    assert np.array_equal(encoder.embed(WORDS), first)
    assert not np.allclose(first, other)


def test_the_vector_is_that_of_the_bindings_own_interface(path: Path, encoder: Encoder) -> None:
    for text in (WORDS, "", "Größe, 日本 и 42!"):
        assert encoder.embed(text) @ of_the_bindings(path, text) == pytest.approx(1, abs=1e-4)


def test_half_a_character_is_replaced_and_embedded(encoder: Encoder) -> None:
    assert np.isfinite(encoder.embed("half \ud800 a pair")).all()


def test_two_encoders_live_in_one_process_and_end_in_any_order(path: Path) -> None:
    """llama.cpp goes on to speak to the log that was opened last, also when its encoder has gone."""
    first = Encoder(path, 1, LIMIT)
    expected = first.embed(WORDS)
    second = Encoder(path, 1, LIMIT)
    assert np.array_equal(second.embed(WORDS), expected)
    second.close()
    del second
    gc.collect()

    assert np.array_equal(first.embed(WORDS), expected)
    first.close()
    first.close()


# --- long texts ------------------------------------------------------------------------------------------------------


def test_tokens_are_counted_before_the_text_is_cut(encoder: Encoder) -> None:
    assert encoder.count_tokens("") == 2  # the opening and the closing token
    assert encoder.count_tokens(WORDS * 50) > LIMIT


def test_a_long_text_is_cut_and_keeps_its_closing_token(encoder: Encoder) -> None:
    """As if only as many words had been given as have room between the opening and the closing token."""
    words = [word for word in WORDS.split() * 20 if encoder.count_tokens(word) == 3]
    fitting = " ".join(words[: LIMIT - 2])
    assert encoder.count_tokens(fitting) == LIMIT

    assert np.array_equal(encoder.embed(" ".join(words)), encoder.embed(fitting))
    assert not np.array_equal(encoder.embed(" ".join(words[: LIMIT - 3])), encoder.embed(fitting))


def test_a_model_without_a_closing_token_is_cut_at_its_end(tmp_path: Path) -> None:
    encoder = Encoder(causal(tmp_path, pooling=3), 1, 16)
    text = "abcdefghijklmnopqrstuvwxyz"
    fitting = next(text[:length] for length in range(26) if encoder.count_tokens(text[:length]) == 16)

    assert np.array_equal(encoder.embed(text), encoder.embed(fitting))
    encoder.close()


def test_a_limit_above_the_models_own_is_that_of_the_model(path: Path) -> None:
    encoder = Encoder(path, 1, 100_000)
    assert encoder.max_tokens == 512
    assert np.isfinite(encoder.embed(WORDS * 500)).all()
    encoder.close()


# --- other models ----------------------------------------------------------------------------------------------------


def test_a_model_that_reads_from_left_to_right_embeds_as_well(tmp_path: Path) -> None:
    path = causal(tmp_path, pooling=3)
    encoder = Encoder(path, 1, 64)
    vector = encoder.embed("abcd")

    assert encoder.embed("zzzz") @ vector < 0.9
    assert np.array_equal(encoder.embed("abcd"), vector)
    assert vector @ of_the_bindings(path, "abcd") == pytest.approx(1, abs=1e-4)
    encoder.close()


def test_a_token_that_is_shorter_than_a_byte_is_no_matter(tmp_path: Path) -> None:
    """Each blank of this vocabulary is three tokens."""
    encoder = Encoder(causal(tmp_path, pooling=1), 1, 64)
    assert encoder.count_tokens("a b c d e f g h i j") > 30
    assert np.isfinite(encoder.embed("a b c d e f g h i j")).all()
    encoder.close()


@pytest.mark.parametrize("pooling", [0, 4])
def test_a_model_that_gives_no_single_vector_is_no_encoder(tmp_path: Path, pooling: int) -> None:
    with pytest.raises(LoadFailed, match="it is no text encoder"):
        Encoder(causal(tmp_path, pooling), 1, 64)


def test_a_missing_file_is_told_in_the_words_of_llama_cpp(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match=r"failed to open GGUF file '.*missing\.gguf' \(No such file or directory\)"):
        Encoder(tmp_path / "missing.gguf")


@pytest.mark.parametrize(("kept", "words"), [(0.9, "not within the file bounds"), (0.01, "failed to"), (0.0, "failed")])
def test_a_truncated_file_is_told_in_the_words_of_llama_cpp(
    path: Path, tmp_path: Path, kept: float, words: str
) -> None:
    whole = path.read_bytes()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(whole[: int(len(whole) * kept)])

    with pytest.raises(LoadFailed, match=words):
        Encoder(broken)


def test_a_file_of_another_kind_is_told_in_the_words_of_llama_cpp(tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"PK\3\4" * 100)

    with pytest.raises(LoadFailed, match="invalid magic"):
        Encoder(other)


def test_after_a_failure_another_encoder_opens(path: Path, tmp_path: Path) -> None:
    with pytest.raises(LoadFailed):
        Encoder(tmp_path / "missing.gguf")
    gc.collect()

    encoder = Encoder(path, 1, LIMIT)
    assert encoder.dimension == 64
    encoder.close()
