"""Does a converted encoder give the vectors that BERT gives, and is what cannot be converted told in one line?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synapse_perf.errors import InputError
from synapse_perf.gguf_files import atomic_file
from synapse_perf.gguf_files.encoder_conversion import TYPES, convert
from synapse_perf.gguf_files.header import read_header
from synapse_perf.gguf_files.sentence_transformer import SentenceTransformer, read_sentence_transformer
from synapse_perf.llama.encoder import Encoder
from tests.gguf_files.bert_oracle import Bert
from tests.gguf_files.small_bert import (
    CONFIG,
    MODULES,
    PIECES,
    REAL_FOLDERS,
    make_folder,
    random_tensors,
    write_json,
    write_safetensors,
)

LEAST_COSINE = {"f32": 0.9999, "f16": 0.9999, "q8_0": 0.999}
TEXTS = [
    "A man is eating food.",
    "unbelievably searching, tokenized; re-indexed!",
    "Crème brûlée à la façon de Zoë: ça c'est déjà vu",
    "",
    " \n\t",
    ".",
    "def search(self, query: str) -> list[Chunk]:\n    return self._index[query]  # O(n)",
    "日本語 and 中文",
    "Привет, мир! \U0001f600",
    "the text of which most is cut off " * 60,
]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("bert") / "small")


@pytest.fixture(scope="module", params=["small", "real"])
def folder(request: pytest.FixtureRequest, small: Path) -> Path:
    if request.param == "small":
        return small
    if not REAL_FOLDERS:
        pytest.skip("the weights of all-MiniLM-L6-v2 are not on this machine")
    return REAL_FOLDERS[0]


@pytest.fixture(scope="module")
def source(folder: Path) -> SentenceTransformer:
    return read_sentence_transformer(folder)


@pytest.fixture(scope="module")
def expected(folder: Path, source: SentenceTransformer) -> tuple[list[list[int]], list[Any]]:
    """Token numbers and vectors by the oracle."""
    oracle = Bert(folder)
    return (
        [oracle.tokens(text) for text in TEXTS],
        [oracle.embed(text, max_tokens=source.max_tokens) for text in TEXTS],
    )


@pytest.fixture(scope="module", params=TYPES)
def encoder(
    request: pytest.FixtureRequest, source: SentenceTransformer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Encoder]]:
    path = convert(source, request.param, tmp_path_factory.mktemp("gguf") / "encoder.gguf")
    loaded = Encoder(path, max_tokens=source.max_tokens)
    yield request.param, loaded
    loaded.close()


def test_the_vectors_are_those_of_bert(encoder: tuple[str, Encoder], expected: tuple[Any, list[Any]]) -> None:
    kind, loaded = encoder
    cosines = {text[:20]: float(loaded.embed(text) @ vector) for text, vector in zip(TEXTS, expected[1], strict=True)}
    assert min(cosines.values()) >= LEAST_COSINE[kind], cosines


def test_the_tokens_are_those_of_bert(encoder: tuple[str, Encoder], expected: tuple[list[list[int]], Any]) -> None:
    for text, wanted in zip(TEXTS, expected[0], strict=True):
        tokens, count = encoder[1]._tokenize(text)
        assert list(tokens[:count]) == wanted, text


def test_a_text_beyond_the_limit_is_one_that_the_oracle_cuts(
    source: SentenceTransformer, expected: tuple[list[list[int]], Any]
) -> None:
    assert len(expected[0][-1]) > source.max_tokens


@pytest.mark.parametrize(("stored", "pooling"), [("cls_token", "cls"), ("mean_tokens", "mean")])
def test_the_pooling_is_the_one_of_the_folder(tmp_path: Path, stored: str, pooling: str) -> None:
    folder = make_folder(tmp_path / "model", pooling=stored)
    loaded = Encoder(convert(read_sentence_transformer(folder), "f32", tmp_path / "e.gguf"), max_tokens=48)
    text = "the searcher opened an index"
    cosines = {mode: float(loaded.embed(text) @ Bert(folder).embed(text, pooling=mode)) for mode in ("cls", "mean")}
    loaded.close()
    assert cosines.pop(pooling) > 0.9999
    assert max(cosines.values()) < 0.999


@pytest.mark.parametrize("dtype", ["<f2", "<u2"])
def test_weights_of_half_the_size_are_read(tmp_path: Path, dtype: str) -> None:
    """Float16, and bfloat16, which is the upper half of a float32."""
    tensors = random_tensors()
    if dtype == "<f2":
        halves = {name: values.astype(dtype) for name, values in tensors.items()}
        whole = {name: values.astype("<f4") for name, values in halves.items()}
    else:
        halves = {name: (values.view("<u4") >> 16).astype(dtype) for name, values in tensors.items()}
        whole = {name: (values.astype("<u4") << 16).view("<f4") for name, values in halves.items()}
    written = [
        convert(
            read_sentence_transformer(make_folder(tmp_path / name, tensors=content)), "f32", tmp_path / f"{name}.gguf"
        )
        for name, content in (("half", halves), ("whole", whole))
    ]
    tails = [path.read_bytes()[read_header(path).tensor_data_offset :] for path in written]
    assert tails[0] == tails[1]


def test_names_below_a_task_and_rows_beyond_the_vocabulary_are_understood(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "m", tensors={f"bert.{name}": values for name, values in random_tensors().items()})
    assert len(PIECES) < CONFIG["vocab_size"]
    header = read_header(convert(read_sentence_transformer(folder), "f16", tmp_path / "e.gguf"))
    assert header.n_vocab == CONFIG["vocab_size"]


def test_the_file_says_where_it_comes_from(small: Path, tmp_path: Path) -> None:
    source = read_sentence_transformer(small)
    header = read_header(convert(source, "q8_0", tmp_path / "e.gguf"))
    assert not header.is_sample
    assert not header.generates
    assert header.converted_from is not None
    assert header.converted_from.startswith("small q8_0 of ")
    told = {key: header.metadata[key] for key in ("general.license", "synapse_perf.max_tokens", "bert.pooling_type")}
    assert told == {"general.license": "apache-2.0", "synapse_perf.max_tokens": 48, "bert.pooling_type": 1}
    assert header.metadata["synapse_perf.weights_sha256"] == source.weights_sha256
    assert (header.file_type, header.n_embd, header.n_ctx_train, header.n_layer) == ("Q8_0", 64, 96, 2)


@pytest.mark.parametrize(("name", "limit"), [("my-MiniLM", 256), ("bge-small", 512)])
def test_a_folder_without_a_limit_has_that_of_its_kind(tmp_path: Path, name: str, limit: int) -> None:
    folder = make_folder(tmp_path / name, max_tokens=None)
    tensors = random_tensors() | {"embeddings.position_embeddings.weight": np.zeros((512, 64), "<f4")}
    write_safetensors(folder / "model.safetensors", tensors)
    write_json(folder / "config.json", CONFIG | {"max_position_embeddings": 512})
    assert read_sentence_transformer(folder).max_tokens == limit


@pytest.mark.parametrize("inner", ["0_Transformer", "model", "package/model", "snapshots/0123abcd", ""])
def test_the_model_is_found_below_the_folder(tmp_path: Path, inner: str) -> None:
    make_folder(tmp_path / "models--owner--the-name" / inner)
    found = read_sentence_transformer(tmp_path / "models--owner--the-name")
    assert (found.name, found.licence) == ("the-name", None if inner == "0_Transformer" else "apache-2.0")


def change(path: str, **changed: Any) -> Any:
    """Write a JSON file of the folder with other values."""
    before = {"config.json": CONFIG, "1_Pooling/config.json": {}}.get(path, {})
    return lambda folder: write_json(folder / path, before | changed)


def remove(*names: str) -> Any:
    return lambda folder: [(folder / name).unlink() for name in names]


def only_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def vocabulary(*pieces: str) -> Any:
    return lambda folder: (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (remove("config.json"), "it lacks config.json"),
        (remove("model.safetensors", "vocab.txt"), "it lacks model.safetensors, vocab.txt"),
        (only_a_pickle, "a pickle, which can run code"),
        (change("config.json", model_type="mpnet"), 'its architecture is "mpnet", only BERT'),
        (change("config.json", hidden_act="relu"), 'hidden_act is "relu"'),
        (change("config.json", position_embedding_type="relative_key"), "position_embedding_type"),
        (change("config.json", num_attention_heads=7), "64 dimensions cannot be shared by 7 heads"),
        (change("config.json", num_hidden_layers=10**9), "num_hidden_layers is 1000000000"),
        (change("config.json", hidden_size="big"), 'hidden_size is "big"'),
        (change("config.json", hidden_size=True), "hidden_size is true"),
        (change("config.json", layer_norm_eps=0), "layer_norm_eps is 0"),
        (change("config.json", vocab_size=50), "tokens, config.json beside it says 50"),
        (change("tokenizer_config.json", do_lower_case=False), "capital letters"),
        (change("sentence_bert_config.json", max_seq_length=-1), "max_seq_length is -1"),
        (change("1_Pooling/config.json", pooling_mode_max_tokens=True), 'the pooling is "max"'),
        (
            change("1_Pooling/config.json", pooling_mode_mean_tokens=True, pooling_mode_cls_token=True),
            '"mean" and "cls"',
        ),
        (change("1_Pooling/config.json"), "the pooling is nothing"),
        (lambda folder: (folder / "config.json").write_text("{", encoding="utf-8"), "config.json is no JSON"),
        (lambda folder: (folder / "config.json").write_text("[" * 10**6, encoding="utf-8"), "config.json is no JSON"),
        (lambda folder: write_json(folder / "config.json", []), "config.json is no JSON table"),
        (lambda folder: write_json(folder / "modules.json", [*MODULES, {"type": "a.Dense"}]), 'a module "Dense"'),
        (vocabulary("[PAD]", "a"), "no BERT vocabulary, it lacks [UNK], [CLS], [SEP], [MASK]"),
        (vocabulary(*PIECES, "a"), "names a token twice"),
    ],
)
def test_what_cannot_be_converted_is_told(tmp_path: Path, spoil: Any, told: str) -> None:
    folder = make_folder(tmp_path / "model")
    spoil(folder)
    with pytest.raises(InputError) as caught:
        read_sentence_transformer(folder)
    assert told in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(("name", "told"), [("missing", "does not exist"), ("file", "is no folder"), ("", "it lacks")])
def test_a_place_that_is_no_model_is_told(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=told):
        read_sentence_transformer(tmp_path / name)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"encoder.layer.1.output.dense.bias": None}, "it has no tensor 'encoder.layer.1.output.dense.bias'"),
        ({"embeddings.LayerNorm.bias": np.zeros(65, "<f4")}, "has the shape [65], its config.json says [64]"),
        ({"embeddings.LayerNorm.bias": np.zeros(64, "<f8")}, "is stored as F64"),
        ({"embeddings.LayerNorm.bias": np.full(64, np.nan, "<f4")}, "no numbers"),
        ({"encoder.layer.0.output.dense.weight": np.full((64, 128), 1e5, "<f4")}, "too large for f16"),
    ],
)
def test_a_tensor_that_is_wrong_leaves_no_file(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    tensors = {name: values for name, values in (random_tensors() | changed).items() if values is not None}
    folder = make_folder(tmp_path / "model", tensors=tensors)
    with pytest.raises(InputError) as caught:
        convert(read_sentence_transformer(folder), "f16", tmp_path / "e.gguf")
    assert told in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_full_disk_is_told_before_anything_is_written(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic_file, "_SPARE_BYTES", 2**70)
    with pytest.raises(InputError, match="the disk has"):
        convert(read_sentence_transformer(small), "f16", tmp_path / "e.gguf")
    assert list(tmp_path.iterdir()) == []


def test_only_its_own_conversion_is_replaced(small: Path, tmp_path: Path) -> None:
    source, path = read_sentence_transformer(small), tmp_path / "e.gguf"
    path.write_bytes(b"precious")
    with pytest.raises(InputError, match="was not converted by this tool"):
        convert(source, "f16", path)
    assert path.read_bytes() == b"precious"
    path.unlink()
    convert(source, "f16", path)
    convert(source, "q8_0", path)
    assert read_header(path).file_type == "Q8_0"


def test_progress_goes_from_the_header_to_the_end(small: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = convert(read_sentence_transformer(small), "f16", tmp_path / "e.gguf", observe=lambda *at: seen.append(at))
    assert seen == sorted(seen)
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
