"""One start of a small model, in a worker as the program makes it, or in this process to look at what is loaded."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from synapse_perf.gguf_files.shapes import Shape, find_shape
from synapse_perf.gguf_files.synthesis import synthesize
from synapse_perf.llama.load_log import LoadLog, join_fragments, read_load, read_text
from synapse_perf.llama.loading import LoadedModel, first_token, load_model, low_level_api, make_context, start_backend
from synapse_perf.llama.native_log import NativeLog
from synapse_perf.llama.settings import LoadSettings
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import CacheState, Fact, Trial, TrialSpec
from tests.gguf_files.small_models import TINY_QWEN

TINY_BERT = replace(find_shape("minilm-l6"), name="tiny-bert", n_layer=2, n_embd=64, n_head=2, n_head_kv=2, n_ff=128)
N_EMBD = 64
LAYERS = TINY_QWEN.n_layer


def make(folder: Path, shape: Shape = TINY_QWEN, quant: str = "q8_0") -> Path:
    return synthesize(shape, quant, folder / f"{shape.name}.gguf")


def start(
    model: Path, folder: Path, *, cache: CacheState | None = None, python: str | None = None, **settings: Any
) -> Trial:
    """One trial of profile-load; `folder` is for the register."""
    spec = TrialSpec(
        "profile_load",
        "test",
        {"model": "tiny", "cache": cache or "warm"},
        {"settings": LoadSettings(str(model), n_ctx=256, n_threads=1)._replace(**settings).as_workload()},
        timeout_s=60,
        page_cache=cache,
        files=(str(model),) if cache else (),
        python=python,
    )
    register = Register(folder / "register")
    try:
        return run_trial(spec, 1, register=register, observe=lambda event: None)
    finally:
        register.end_all()


def facts_of(trial: Trial) -> dict[str, Fact]:
    assert trial.failure is None, trial.failure
    (sample,) = trial.samples
    return dict(sample.facts)


def log_of(trial: Trial) -> LoadLog:
    assert trial.failure is None, trial.failure
    return read_load(read_text(str(trial.facts["log"])))


def device_of(trial: Trial) -> str:
    """By the label that decides which target judges the start."""
    (sample,) = trial.samples
    return sample.values[0].labels["device"]


@dataclass
class Loaded:
    """A model with its context in this process, after its first token."""

    low_level: Any
    model: LoadedModel
    log: NativeLog

    @property
    def said(self) -> LoadLog:
        return read_load(join_fragments(self.log.texts()))


@contextlib.contextmanager
def loaded(path: Path, **settings: Any) -> Iterator[Loaded]:
    """Released at the end, and llama-cpp-python's own log callback is back."""
    from llama_cpp import _logger

    low_level, log = low_level_api(), NativeLog()
    wanted = LoadSettings(str(path), n_ctx=256, n_threads=1)._replace(**settings)
    model: LoadedModel | None = None
    log.install(low_level)
    try:
        start_backend(low_level)
        model = load_model(low_level, wanted, log)
        make_context(low_level, wanted, model, log)
        first_token(low_level, model)
        yield Loaded(low_level, model, log)
    finally:
        if model is not None:
            model.release(low_level)
        low_level.llama_log_set(_logger.llama_log_callback, ctypes.c_void_p(0))
