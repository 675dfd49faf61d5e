"""Are models found where people keep them, and does a name mean the right one?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.cache import ensure_models_directory
from synapse_perf.gguf_files.discovery import FoundModel, find_models, resolve_model
from synapse_perf.gguf_files.formats import STRING
from synapse_perf.gguf_files.synthesis import synthesize
from tests.gguf_files.small_models import (
    ARCHITECTURE,
    TINY_QWEN,
    Tensor,
    entry,
    gguf,
    split_names,
    split_part,
    text,
    write,
)

MODEL = "application/vnd.ollama.image.model"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without any model in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(folder / "own"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "OLLAMA_MODELS", "LLAMA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


def hub(home: Path) -> Path:
    return home / ".cache" / "huggingface" / "hub"


def in_hub(cache: Path, repository: str, name: str, content: bytes, revision: str = "abc") -> Path:
    """As the client lays it out: the file among the blobs, a link to it in the snapshot."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    blob = write(folder / "blobs", content, f"sha-{len(content)}-{name.replace('/', '_')}")
    link = folder / "snapshots" / revision / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(blob)
    return link


def in_ollama(root: Path, name: str, tag: str, content: bytes, media: str = MODEL, owner: str = "library") -> Path:
    blob = write(root / "blobs", content, f"sha256-{name}")
    manifest = root / "manifests" / "registry.ollama.ai" / owner / name / tag
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"layers": [{"mediaType": media, "digest": f"sha256:{name}"}]}), encoding="utf-8")
    return blob


def only(models: list[FoundModel]) -> FoundModel:
    (model,) = models
    return model


# --- places ----------------------------------------------------------------------------------------------------------


def test_an_empty_machine_has_no_models() -> None:
    assert find_models() == []


def test_a_model_of_the_hugging_face_cache_is_found(home: Path) -> None:
    link = in_hub(hub(home), "Qwen/Qwen3-4B-GGUF", "Qwen3-4B-Q4_K_M.gguf", gguf())
    model = only(find_models())
    assert (model.name, model.path, model.source, model.problem) == ("Qwen3-4B-Q4_K_M", link, "huggingface", None)
    assert model.header is not None
    assert (model.tier, model.is_sample) == ("balanced", False)


@pytest.mark.parametrize(("variable", "below"), [("HF_HUB_CACHE", ""), ("HF_HOME", "hub")])
def test_variables_move_the_hugging_face_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, below: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "moved"))
    in_hub(tmp_path / "moved" / below, "a/b", "m.gguf", gguf())
    assert only(find_models()).source == "huggingface"


def test_two_snapshots_of_the_same_blob_are_one_model(home: Path) -> None:
    for revision in ("abc", "def"):
        in_hub(hub(home), "a/b", "m.gguf", gguf(), revision)
    assert only(find_models()).name == "m"


def test_models_of_lm_studio_and_llama_cpp_are_found(home: Path) -> None:
    write(home / ".lmstudio" / "models" / "someone" / "repo", gguf(), "a.gguf")
    write(home / ".cache" / "lm-studio" / "models" / "someone" / "repo", gguf(), "b.gguf")
    write(home / ".cache" / "llama.cpp", gguf(), "c.gguf")
    assert [(model.name, model.source) for model in find_models()] == [
        ("a", "lm-studio"),
        ("b", "lm-studio"),
        ("c", "llama.cpp"),
    ]


def test_the_folder_chosen_in_lm_studio_is_looked_at(home: Path, tmp_path: Path) -> None:
    settings = json.dumps({"downloadsFolder": str(tmp_path / "moved")})
    write(home / ".lmstudio", settings.encode(), "settings.json")
    write(tmp_path / "moved" / "someone" / "repo", gguf(), "m.gguf")
    assert only(find_models()).source == "lm-studio"


@pytest.mark.parametrize("settings", [b"", b"{", b"[]", b"{}", b'{"downloadsFolder": 5}', b"\xff"])
def test_damaged_settings_of_lm_studio_change_nothing(home: Path, settings: bytes) -> None:
    write(home / ".lmstudio", settings, "settings.json")
    assert find_models() == []


def test_models_of_ollama_have_their_name_and_tag(home: Path) -> None:
    blob = in_ollama(home / ".ollama" / "models", "qwen3", "4b", gguf())
    model = only(find_models())
    assert (model.name, model.path, model.source) == ("qwen3:4b", blob, "ollama")


def test_another_owner_is_part_of_an_ollama_name(home: Path) -> None:
    in_ollama(home / ".ollama" / "models", "tiny", "latest", gguf(), owner="someone")
    assert only(find_models()).name == "someone/tiny:latest"


def test_a_variable_moves_ollama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "moved"))
    in_ollama(tmp_path / "moved", "qwen3", "4b", gguf())
    assert only(find_models()).name == "qwen3:4b"


def test_a_tag_without_a_local_model_is_no_model(home: Path) -> None:
    in_ollama(home / ".ollama" / "models", "cloud", "latest", gguf(), media="application/vnd.ollama.image.params")
    assert find_models() == []


def test_a_damaged_manifest_and_a_lost_blob_are_problems_of_their_models(home: Path) -> None:
    root = home / ".ollama" / "models"
    in_ollama(root, "lost", "1", gguf()).unlink()
    in_ollama(root, "torn", "1", gguf())
    (root / "manifests" / "registry.ollama.ai" / "library" / "torn" / "1").write_text("{", encoding="utf-8")
    assert {model.name: model.problem for model in find_models()} == {
        "lost:1": "does not exist",
        "torn:1": "its manifest is damaged",
    }


def test_files_and_folders_that_are_named_are_looked_at(tmp_path: Path) -> None:
    first, second = write(tmp_path / "x", gguf(), "a.gguf"), write(tmp_path / "y" / "z", gguf(), "b.gguf")
    models = find_models([first, tmp_path / "y"])
    assert [(model.name, model.path, model.source) for model in models] == [
        ("a", first, "profile"),
        ("b", second, "profile"),
    ]


def test_samples_come_after_real_models(tmp_path: Path) -> None:
    synthesize(TINY_QWEN, "q8_0", ensure_models_directory() / "a-sample.gguf")
    models = find_models([write(tmp_path, gguf(), "real.gguf")])
    assert [(model.name, model.source, model.is_sample) for model in models] == [
        ("real", "profile", False),
        ("a-sample", "synthesised", True),
    ]


def test_folders_that_link_to_each_other_end(tmp_path: Path) -> None:
    write(tmp_path / "a", gguf(), "m.gguf")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    assert only(find_models([tmp_path / "a"])).name == "m"


# --- what is listed --------------------------------------------------------------------------------------------------


def test_what_lies_beside_models_is_not_listed(tmp_path: Path) -> None:
    adapter = entry("general.type", STRING, text("adapter"))
    write(tmp_path, gguf([ARCHITECTURE, adapter]), "lora.gguf")
    write(tmp_path, gguf([entry("general.architecture", STRING, text("clip"))]), "vision.gguf")
    write(tmp_path, gguf(), "mmproj-model-f16.gguf")
    write(tmp_path, gguf(tensors=[]), "vocab.gguf")
    assert find_models([tmp_path]) == []


def test_a_corrupt_file_is_listed_with_its_problem_after_the_others(tmp_path: Path) -> None:
    write(tmp_path, gguf()[:-10], "a-cut.gguf")
    write(tmp_path, b"", "b-empty.gguf")
    write(tmp_path, gguf(), "c-good.gguf")
    models = find_models([tmp_path])
    assert [model.name for model in models] == ["c-good", "a-cut", "b-empty"]
    assert [model.problem is None for model in models] == [True, False, False]
    assert "10 of 256 bytes are missing" in str(models[1].problem)


def test_an_encoder_is_listed_without_a_tier(tmp_path: Path) -> None:
    write(tmp_path, gguf([entry("general.architecture", STRING, text("bert"))]), "minilm.gguf")
    model = only(find_models([tmp_path]))
    assert (model.name, model.tier, model.problem) == ("minilm", None, None)


def test_parts_of_a_split_model_are_one_model(tmp_path: Path) -> None:
    for index, name in enumerate(split_names("big", 3)):
        write(tmp_path, split_part(index, 3, [Tensor(f"t{index}")]), name)
    model = only(find_models([tmp_path]))
    assert (model.name, model.path.name) == ("big", "big-00001-of-00003.gguf")
    assert model.header is not None
    assert model.header.split_count == 3


def test_a_split_model_without_its_first_part_is_one_problem(tmp_path: Path) -> None:
    for index, name in enumerate(split_names("big", 3)[1:], start=1):
        write(tmp_path, split_part(index, 3, [Tensor(f"t{index}")]), name)
    assert "part 2 of 3" in str(only(find_models([tmp_path])).problem)


def test_models_of_the_same_name_are_told_apart_by_where_they_are(home: Path, tmp_path: Path) -> None:
    in_hub(hub(home), "one/repo", "m.gguf", gguf())
    in_hub(hub(home), "two/repo", "m.gguf", gguf([ARCHITECTURE, entry("x", STRING, text("y"))]))
    assert [model.name for model in find_models()] == ["one/repo/m", "two/repo/m"]


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("Qwen3-4B-Q4_K_M", "Qwen3-8B-Q4_K_M", "Qwen3-8B", "gemma-3-4b-it")):
        write(tmp_path / "models", gguf(tensors=[Tensor(f"t{number}")]), f"{name}.gguf")
    return tmp_path / "models"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("qwen3-4b", "Qwen3-4B-Q4_K_M.gguf"),
        ("Qwen3-8B", "Qwen3-8B.gguf"),
        ("qwen3-8b-q", "Qwen3-8B-Q4_K_M.gguf"),
        ("gemma", "gemma-3-4b-it.gguf"),
        ("qwen3-8b.gguf", "Qwen3-8B.gguf"),
        ("4b-it", "gemma-3-4b-it.gguf"),
    ],
)
def test_a_name_or_a_part_of_it_means_one_model(folder: Path, name: str, file: str) -> None:
    assert resolve_model(name, [folder]) == folder / file


def test_a_path_means_that_file_whatever_is_in_it(tmp_path: Path) -> None:
    path = write(tmp_path, b"anything", "x.bin")
    assert resolve_model(path) == path


def test_a_name_that_fits_several_models_lists_them(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        resolve_model("qwen", [folder])
    assert "Qwen3-4B-Q4_K_M, Qwen3-8B, Qwen3-8B-Q4_K_M" in caught.value.message


def test_an_unknown_name_lists_what_there_is(folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        resolve_model("mistral", [folder])
    assert "gemma-3-4b-it" in caught.value.message


def test_an_unknown_name_on_an_empty_machine_says_so() -> None:
    with pytest.raises(InputError, match="no model was found"):
        resolve_model("mistral")


def test_a_missing_path_is_told_as_a_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        resolve_model(tmp_path / "none.gguf")


def test_a_folder_with_one_model_means_that_model(tmp_path: Path) -> None:
    path = write(tmp_path / "one", gguf(), "m.gguf")
    assert resolve_model(tmp_path / "one") == path


def test_a_folder_with_several_or_none_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="several models"):
        resolve_model(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="without a GGUF model"):
        resolve_model(tmp_path / "empty")


def test_a_name_of_a_corrupt_model_tells_its_problem(tmp_path: Path) -> None:
    write(tmp_path, gguf()[:-10], "cut.gguf")
    with pytest.raises(InputError, match="cut off"):
        resolve_model("cut", [tmp_path])


def test_a_real_model_is_meant_before_a_sample(folder: Path) -> None:
    synthesize(TINY_QWEN, "q8_0", ensure_models_directory() / "gemma-sample.gguf")
    assert resolve_model("gemma", [folder]).name == "gemma-3-4b-it.gguf"
    assert resolve_model("gemma-s", [folder]).name == "gemma-sample.gguf"


def test_a_link_to_nothing_is_told_with_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").symlink_to("../gone")
    with pytest.raises(InputError, match=r"x\.gguf is a link to \.\./gone, which does not exist"):
        resolve_model(tmp_path / "x.gguf")


def test_what_is_no_folder_is_left_to_the_reader_of_headers() -> None:
    assert resolve_model("/dev/null") == Path("/dev/null")


@pytest.mark.parametrize("name", ["", " ", "\t"])
def test_an_empty_name_is_not_the_folder_that_one_is_in(name: str) -> None:
    with pytest.raises(InputError, match="the name of a model is empty"):
        resolve_model(name)


def test_a_home_of_nobody_is_a_name_as_any_other() -> None:
    with pytest.raises(InputError, match="no model is named '~no-such-user'"):
        resolve_model("~no-such-user")
