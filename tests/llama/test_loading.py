"""A model really loads in every way that the program offers, and llama.cpp's own words tell what came of it."""

from __future__ import annotations

import math
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from synapse_perf.llama import loading
from synapse_perf.llama.loading import LoadFailed
from synapse_perf.llama.settings import KV_TYPES, LOAD_MODES
from tests.gguf_files.small_models import TINY_QWEN
from tests.llama.restricted_python import can_restrict, without_direct_io, without_locked_memory
from tests.llama.starts import N_EMBD, TINY_BERT, facts_of, loaded, log_of, make, start

NATIVE_NAMES = {"mmap": "mmap", "read": "none", "mlock": "mmap+mlock", "direct": "dio"}
SHARED_MEMORY = Path("/dev/shm")
linux_only = pytest.mark.skipif(not can_restrict(), reason="the kernel of Linux refuses what is refused here")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("loading"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("encoder"), TINY_BERT)


# --- load modes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", LOAD_MODES)
def test_every_mode_loads_to_a_first_token_and_llama_cpp_names_the_mode(model: Path, mode: str) -> None:
    with loaded(model, load_mode=mode) as found:
        assert found.said.mode.requested == NATIVE_NAMES[mode]
        assert found.model.first_token
        assert found.model.stamps_ns["first_token"] > found.model.stamps_ns["context_ended"]


@pytest.mark.parametrize("mode", ["mmap", "read"])
def test_modes_that_cannot_fail_are_effective(model: Path, tmp_path: Path, mode: str) -> None:
    facts = facts_of(start(model, tmp_path, load_mode=mode))

    assert (facts["load_mode_effective"], facts["load_mode_problem"]) == (True, None)


@linux_only
def test_memory_that_may_not_be_locked_is_told_in_llama_cpps_words(model: Path, tmp_path: Path) -> None:
    trial = start(model, tmp_path, load_mode="mlock", python=without_locked_memory(tmp_path))

    facts = facts_of(trial)
    assert facts["load_mode_effective"] is False
    assert facts["load_mode_problem"] == "mlock failed: Cannot allocate memory"
    assert any("failed to mlock" in warning for warning in trial.facts["warnings"])


@linux_only
def test_direct_io_that_is_refused_falls_back_and_says_so(model: Path, tmp_path: Path) -> None:
    trial = start(model, tmp_path, load_mode="direct", python=without_direct_io(tmp_path))

    facts = facts_of(trial)
    assert facts["load_mode_effective"] is False
    assert facts["load_mode_problem"] == "direct I/O fell back to buffered reads"
    assert log_of(trial).model.tensors  # the line after the one that llama.cpp does not end is read all the same


@linux_only
def test_direct_io_is_effective_where_the_kernel_takes_it(model: Path, tmp_path: Path) -> None:
    """The file system may refuse it; then the log says so."""
    facts = facts_of(start(model, tmp_path, load_mode="direct"))

    assert facts["load_mode_effective"] is (facts["load_mode_problem"] is None)


@pytest.mark.skipif(not os.access(SHARED_MEMORY, os.W_OK), reason="there is no /dev/shm")
def test_direct_io_in_memory_is_what_llama_cpp_says_it_is(model: Path, tmp_path: Path) -> None:
    """A kernel before 6.6 refuses it on a tmpfs, later ones take it and copy as ever."""
    copy = SHARED_MEMORY / f"synapse-perf-{os.getpid()}.gguf"
    copy.write_bytes(model.read_bytes())
    try:
        trial = start(copy, tmp_path, load_mode="direct")
    finally:
        copy.unlink()

    assert facts_of(trial)["load_mode_effective"] is ("alling back" not in str(trial.facts["log"]))


# --- settings of the context -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kv_type", sorted(KV_TYPES))
def test_every_kv_type_is_what_the_cache_gets(model: Path, kv_type: str) -> None:
    with loaded(model, type_k=kv_type, type_v=kv_type, flash_attn=True) as found:
        (cache,) = found.said.context.kv_caches
        assert (cache.type_k, cache.type_v) == (kv_type, kv_type)
        assert found.model.first_token


@pytest.mark.parametrize(("wanted", "said"), [(True, "on"), (False, "off")])
def test_flash_attention_is_what_was_asked_for(model: Path, wanted: bool, said: str) -> None:
    with loaded(model, flash_attn=wanted) as found:
        assert found.said.context.flash_attention == said


def test_flash_attention_that_is_left_to_llama_cpp_is_decided(model: Path) -> None:
    with loaded(model) as found:
        assert found.said.context.flash_attention in ("on", "off")


def test_a_context_of_0_is_the_trained_one(model: Path) -> None:
    with loaded(model, n_ctx=0) as found:
        assert found.low_level.llama_n_ctx(found.model.context) == TINY_QWEN.n_ctx_train


def test_the_batch_is_never_longer_than_the_context(model: Path) -> None:
    with loaded(model, n_ctx=256, n_batch=2048, n_ubatch=2048) as found:
        assert found.low_level.llama_n_batch(found.model.context) == 256


def test_a_batch_of_one_token_does_not_abort(model: Path) -> None:
    with loaded(model, n_batch=1, n_ubatch=1) as found:
        assert found.model.first_token


def test_the_progress_of_the_tensors_is_stamped(model: Path) -> None:
    with loaded(model, load_mode="read") as found:
        shares = [share for _, share in found.model.progress]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_released_twice_is_released_once(model: Path) -> None:
    with loaded(model) as found:
        found.model.release(found.low_level)
        found.model.release(found.low_level)

        assert (found.model.model, found.model.context) == (None, None)


# --- models that do not continue a text ------------------------------------------------------------------------------


def embedding_of(found: Any) -> list[float]:
    pointer = found.low_level.llama_get_embeddings_seq(found.model.context, 0)
    return [float(pointer[index]) for index in range(N_EMBD)]


def test_an_encoder_gives_its_first_embedding_instead_of_a_token(encoder: Path) -> None:
    with loaded(encoder) as found:
        embedding = embedding_of(found)

        assert found.model.is_encoder
        assert found.model.first_token == b""
        assert all(math.isfinite(value) for value in embedding)
        assert any(embedding)


def test_an_encoder_is_known_by_its_context_where_its_metadata_do_not_tell(
    encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_is_encoder", lambda *_: False)
    with loaded(encoder) as found:
        assert found.model.is_encoder
        assert any(embedding_of(found))


def test_the_start_of_an_encoder_has_every_phase(encoder: Path, tmp_path: Path) -> None:
    trial = start(encoder, tmp_path)

    assert trial.failure is None
    (sample,) = trial.samples
    assert {"vocabulary", "tensors", "context", "first_token"} <= {
        value.labels.get("phase") for value in sample.values if value.metric == "phase_time"
    }


# --- refusals --------------------------------------------------------------------------------------------------------


def test_what_llama_cpp_refuses_is_told_in_its_words(model: Path) -> None:
    with (
        pytest.raises(LoadFailed, match="requires flash_attn"),
        loaded(model, type_v="q8_0", flash_attn=False),
    ):
        pass


def test_a_damaged_file_is_told_by_its_cause(tmp_path: Path) -> None:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(b"GGUF" + bytes(64))

    with pytest.raises(LoadFailed) as caught, loaded(path):
        pass

    assert "gguf_init" in str(caught.value)


def test_bindings_that_are_too_old_are_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import llama_cpp

    monkeypatch.setattr(llama_cpp, "llama_cpp", SimpleNamespace())

    with pytest.raises(ImportError, match="too old, it has no llama_model_load_from_file"):
        loading.low_level_api()


class OldModelParameters(SimpleNamespace):
    """What llama_model_params had until 2026: booleans instead of a mode."""

    def __init__(self, **more: bool) -> None:
        super().__init__(n_gpu_layers=0, use_mmap=True, use_mlock=False, devices=None, **more)


@pytest.mark.parametrize(
    ("mode", "mmap", "mlock", "direct"),
    [
        ("mmap", True, False, False),
        ("read", False, False, False),
        ("mlock", True, True, False),
        ("direct", False, False, True),
    ],
)
def test_older_bindings_get_the_mode_as_booleans(mode: str, mmap: bool, mlock: bool, direct: bool) -> None:
    parameters = OldModelParameters(use_direct_io=False)

    loading.set_load_mode(parameters, mode)

    assert (parameters.use_mmap, parameters.use_mlock, parameters.use_direct_io) == (mmap, mlock, direct)


def test_older_bindings_without_direct_io_refuse_it() -> None:
    with pytest.raises(LoadFailed, match="has no direct I/O"):
        loading.set_load_mode(OldModelParameters(), "direct")
