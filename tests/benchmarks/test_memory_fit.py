"""What llama.cpp plans without allocating is what a real load takes, by the log of that load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.llama.load_log import LoadLog, read_load, read_text
from synapse_perf.llama.memory_places import memory_pools
from synapse_perf.llama.memory_pools import Plan, fits, pools_to_workload
from synapse_perf.llama.settings import LoadSettings
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Trial, TrialSpec
from synapse_perf.units import GIB, MIB
from tests.llama.small_models import Shape, write_model

PRINTED = 0.03 * MIB  # the digits that llama.cpp prints, over a few lines
PLAIN = Shape(layers=3, heads=8, kv_heads=4, head_size=64)
WINDOWED = Shape("gemma3", layers=7, kv_heads=2, head_size=64, window=512)


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Register]:
    register = Register(tmp_path_factory.mktemp("register"))
    yield register
    register.end_all()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[Shape, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {shape: write_model(folder / f"{shape.architecture}.gguf", shape) for shape in (PLAIN, WINDOWED)}


def run(register: Register, benchmark: str, workload: dict[str, Any]) -> Trial:
    spec = TrialSpec(benchmark, "test", {"model": "tiny"}, workload, timeout_s=60)
    return run_trial(spec, 1, register=register, observe=lambda event: None)


def plan(register: Register, settings: LoadSettings, contexts: list[int], free_bytes: int = 64 * GIB) -> Trial:
    pools = memory_pools(None, Path(settings.model_path).stat().st_size, free_bytes)
    workload = {"contexts": contexts, "pools": pools_to_workload(pools), "shares": [1.0, 0.6]}
    return run(register, "memory_fit", {"settings": settings.as_workload(), **workload})


def plans_of(trial: Trial) -> dict[int, Plan]:
    assert trial.failure is None
    return {entry["n_ctx"]: Plan(**entry) for entry in trial.facts["plans"]}


def loaded(register: Register, settings: LoadSettings) -> LoadLog:
    trial = run(register, "profile_load", {"settings": settings.as_workload()})
    assert trial.failure is None
    return read_load(read_text(str(trial.facts["log"])))


@pytest.mark.parametrize(
    ("shape", "n_ctx", "kv_type", "load_mode"),
    [(PLAIN, 4096, "f16", "mmap"), (PLAIN, 1000, "q8_0", "read"), (WINDOWED, 3000, "f16", "mmap")],
)
def test_a_planned_context_takes_what_it_was_planned_to_take(
    register: Register, models: dict[Shape, Path], shape: Shape, n_ctx: int, kv_type: str, load_mode: str
) -> None:
    settings = LoadSettings(str(models[shape]), n_ctx, type_k=kv_type, type_v=kv_type, load_mode=load_mode)
    planned = plans_of(plan(register, settings, [n_ctx]))[n_ctx]
    real = loaded(register, settings)
    assert planned.kv_bytes > MIB
    assert planned.kv_bytes == pytest.approx(real.placement.buffer_bytes("KV"), abs=PRINTED)
    assert planned.compute_bytes == pytest.approx(real.placement.buffer_bytes("compute"), abs=PRINTED)


def test_the_largest_context_fills_the_memory_that_there_is(register: Register, models: dict[Shape, Path]) -> None:
    """By llama.cpp's own plans it fits into the 10 MiB beside the margin, and one step more does not."""
    settings = LoadSettings(str(models[PLAIN]), n_ctx=512)
    free = 256 * MIB + 10 * MIB
    trial = plan(register, settings, [512], free)
    pools = memory_pools(None, models[PLAIN].stat().st_size, free)
    largest = trial.facts["fitting"]["1.0"]
    assert 0 < largest < trial.facts["longest"] == 8192
    above = plans_of(plan(register, settings, [largest, largest + 256], free))
    assert fits(pools, above[largest])
    assert not fits(pools, above[largest + 256])
    assert trial.facts["fitting"]["0.6"] < largest


def test_the_trained_context_is_the_longest_that_is_sought(register: Register, models: dict[Shape, Path]) -> None:
    trial = plan(register, LoadSettings(str(models[PLAIN])), [0])
    assert trial.facts["fitting"] == {"1.0": 8192, "0.6": 8192}
    assert 8192 in plans_of(trial)


def test_where_nothing_fits_it_says_so(register: Register, models: dict[Shape, Path]) -> None:
    trial = plan(register, LoadSettings(str(models[PLAIN])), [512], 0)
    assert trial.facts["fitting"] == {"1.0": None, "0.6": None}


def test_a_plan_allocates_nothing(register: Register, models: dict[Shape, Path]) -> None:
    """A context of a million tokens: 3 GiB of cache that nobody has to have."""
    plans = plans_of(plan(register, LoadSettings(str(models[PLAIN])), [2**20]))
    assert plans[2**20].kv_bytes == 2**20 * 3 * 2 * 256 * 2


def test_a_type_that_llama_cpp_refuses_fails_in_its_own_words(register: Register, tmp_path: Path) -> None:
    odd = write_model(tmp_path / "odd.gguf", Shape(kv_heads=1, head_size=16))
    trial = plan(register, LoadSettings(str(odd), type_k="q8_0"), [512])
    assert trial.failure is not None
    assert "q8_0" in trial.failure.message


def test_a_file_that_is_no_model_fails(register: Register, tmp_path: Path) -> None:
    file = tmp_path / "no.gguf"
    file.write_bytes(b"GGUF" + bytes(100))
    trial = plan(register, LoadSettings(str(file)), [512])
    assert trial.failure is not None
    assert trial.failure.kind == "error"
