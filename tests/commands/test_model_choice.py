"""Which models are measured, on real small files in the places that people keep them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from synapse_perf.commands.model_choice import choose_models
from synapse_perf.errors import InputError
from synapse_perf.gguf_files.embedded import embedded_models
from synapse_perf.profiles import load_profile


@pytest.fixture(scope="module")
def sample() -> Path:
    return embedded_models()["fast"]


@pytest.fixture
def bare_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HOME", "HF_HUB_CACHE", "OLLAMA_MODELS", "LLAMA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_nothing_named_and_nothing_found_means_the_samples(bare_home: Path) -> None:
    choice = choose_models([], load_profile(), quiet=True)

    assert choice.profile_name == "embedded"
    assert [model.label for model in choice.models] == ["fast", "balanced", "deep"]
    assert all(model.is_sample for model in choice.models)


def test_a_path_is_taken_as_it_is(sample: Path, tmp_path: Path) -> None:
    path = tmp_path / "my-model.gguf"
    shutil.copy(sample, path)

    choice = choose_models([str(path)], load_profile(), quiet=True)

    assert [(model.label, model.path) for model in choice.models] == [("my-model", str(path))]


def test_tiers_of_the_profile_can_be_named(sample: Path) -> None:
    choice = choose_models(["powerful", "fast"], load_profile("embedded"), quiet=True)

    assert [model.label for model in choice.models] == ["deep", "fast"]


def test_a_damaged_file_among_others_is_a_recorded_failure(sample: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(sample.read_bytes()[:1000])

    choice = choose_models([str(damaged), str(sample)], load_profile(), quiet=True)

    assert len(choice.models) == 1
    assert [failure.labels["model"] for failure in choice.unusable] == ["damaged.gguf"]


def test_a_damaged_file_alone_is_wrong_input(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF" + b"\x00" * 3)

    with pytest.raises(InputError, match=r"damaged\.gguf"):
        choose_models([str(damaged)], load_profile(), quiet=True)


def test_the_same_model_twice_gets_two_names(sample: Path) -> None:
    choice = choose_models([str(sample), str(sample)], load_profile(), quiet=True)

    first, second = (model.label for model in choice.models)
    assert second == f"{first}-2"


def test_a_link_keeps_its_name_while_its_target_is_evicted(sample: Path, tmp_path: Path) -> None:
    """llama.cpp finds the parts of a split model by the names, which lead to nameless blobs in a cache."""
    link = tmp_path / "named.gguf"
    link.symlink_to(sample)

    model = choose_models([str(link)], load_profile(), quiet=True).models[0]

    assert (model.path, model.files) == (str(link), (str(sample.resolve()),))
