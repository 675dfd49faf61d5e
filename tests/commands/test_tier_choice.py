"""Which model answers for which tier: as named, as the engine's rules say, and what is told where several could."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from synapse_perf.analyze.latency_plan import LatencyRequest
from synapse_perf.analyze.load_plan import LoadRequest
from synapse_perf.analyze.query_set import scored
from synapse_perf.commands.tier_choice import Tiers, choose_tiers, with_memory, with_room
from synapse_perf.errors import InputError
from synapse_perf.profiles import load_profile
from tests.gguf_files.small_models import TINY_UNTIED
from tests.llama.starts import TINY_BERT, make

SIMPLE, MODERATE = scored("What is a page?"), scored("Explain a page and what it is for, and what for not.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names and quantisations by which the engine's rules choose a tier."""
    folder = tmp_path_factory.mktemp("tiers")
    make(folder, quant="q4_k_m").rename(folder / "small-4b.gguf")
    make(folder, TINY_UNTIED, "q4_k_m").rename(folder / "other-4b.gguf")
    shutil.copy(folder / "small-4b.gguf", folder / "thinking-4b.gguf")
    make(folder).rename(folder / "middle-8b.gguf")
    make(folder, TINY_BERT)
    return folder


def chosen(*named: str, models: tuple[Path, ...] = ()) -> Tiers:
    return choose_tiers(named, [str(path) for path in models], load_profile(), quiet=True)


def names(tiers: Tiers) -> dict[str, str]:
    return {tier: Path(model.path).name for tier, model in tiers.models.items()}


def test_models_go_where_the_engines_rules_put_them(folder: Path) -> None:
    found = chosen(models=(folder / "thinking-4b.gguf", folder / "middle-8b.gguf", folder / "small-4b.gguf"))
    assert names(found) == {"fast": "small-4b.gguf", "balanced": "middle-8b.gguf", "deep": "thinking-4b.gguf"}
    assert list(found.models) == ["fast", "balanced", "deep"]


def test_a_tier_that_is_named_overrules_them_and_powerful_is_deep(folder: Path) -> None:
    found = chosen(f"powerful={folder / 'small-4b.gguf'}", models=(folder / "middle-8b.gguf",))
    assert names(found) == {"balanced": "middle-8b.gguf", "deep": "small-4b.gguf"}


def test_of_several_models_for_a_tier_the_largest_is_taken_and_told(folder: Path) -> None:
    found = chosen(models=(folder / "small-4b.gguf", folder / "other-4b.gguf"))
    largest = max((folder / name for name in ("small-4b.gguf", "other-4b.gguf")), key=lambda path: path.stat().st_size)
    assert names(found) == {"fast": largest.name}
    (told,) = found.warnings
    assert told.startswith(f"fast: {largest.stem}, the largest of 2; --tier fast=MODEL takes another")


def test_an_encoder_is_left_out_and_the_others_are_kept(folder: Path) -> None:
    found = chosen(f"fast={folder / 'small-4b.gguf'}", f"deep={folder / 'tiny-bert.gguf'}")
    assert list(found.models) == ["fast"]
    assert [failure.message for failure in found.choice.unusable] == ["deep: tiny-bert.gguf is an encoder"]


def test_encoders_alone_are_no_tier(folder: Path) -> None:
    with pytest.raises(InputError, match=r"tiny-bert\.gguf is an encoder"):
        chosen(f"deep={folder / 'tiny-bert.gguf'}")


def test_a_tier_whose_context_is_too_small_is_left_out(folder: Path) -> None:
    found = chosen(f"fast={folder / 'small-4b.gguf'}", f"balanced={folder / 'middle-8b.gguf'}")
    long = replace(MODERATE, max_tokens=512)
    request = LatencyRequest(load=LoadRequest(contexts=(512,)), max_tokens=511)

    assert with_room(found, (SIMPLE, MODERATE), request) == found
    left = with_room(found, (SIMPLE, long), request)
    assert list(left.models) == ["fast"]
    assert [failure.labels for failure in left.choice.unusable] == [{"model": "balanced"}]
    assert list(with_room(found, (SIMPLE, long), replace(request, asked="routed", max_tokens=9)).models) == ["fast"]


def test_every_query_counts_where_each_tier_is_asked_all(folder: Path) -> None:
    found = chosen(f"fast={folder / 'small-4b.gguf'}")
    request = LatencyRequest(load=LoadRequest(contexts=(512,)), asked="every")
    with pytest.raises(InputError, match="an answer of 512 tokens does not fit into the context of 512"):
        with_room(found, (SIMPLE, replace(MODERATE, max_tokens=512)), request)


def test_a_context_as_long_as_the_model_was_trained_for(folder: Path) -> None:
    found = chosen(f"fast={folder / 'small-4b.gguf'}")
    trained = found.models["fast"].n_ctx_train
    request = LatencyRequest(load=LoadRequest(contexts=(0,)), max_tokens=trained or 0)
    with pytest.raises(InputError, match=f"the context of {trained}"):
        with_room(found, (SIMPLE,), request)


def test_models_that_memory_holds_stay_as_they_were_asked_for(folder: Path) -> None:
    found = chosen(f"fast={folder / 'small-4b.gguf'}", f"balanced={folder / 'middle-8b.gguf'}")
    for asked in (LatencyRequest(resident="one"), LatencyRequest(resident="all")):
        tiers, request = with_memory(found, asked)
        assert dict(tiers.models) == dict(found.models)
        assert request == asked


def test_a_context_that_memory_cannot_hold_is_refused_before_anything_is_loaded(folder: Path) -> None:
    found = chosen(f"fast={folder / 'small-4b.gguf'}")
    with pytest.raises(InputError, match="KV cache"):
        with_memory(found, LatencyRequest(load=LoadRequest(contexts=(2**31 - 1,))))
