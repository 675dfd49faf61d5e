"""Several models in one process, one after another and at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from synapse_perf.llama.settings import LoadSettings
from synapse_perf.measure.register import Register
from synapse_perf.measure.runner import run_trial
from synapse_perf.model import Trial, TrialSpec
from tests.llama.small_models import Shape, write_model


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    register = Register(tmp_path / "register")
    yield register
    register.end_all()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    return [write_model(folder / f"{layers}.gguf", Shape(layers=layers)) for layers in (1, 2, 3)]


def run(register: Register, models: list[Path], order: str, **more: object) -> Trial:
    settings = [LoadSettings(str(model), n_ctx=512)._replace(**more).as_workload() for model in models]  # type: ignore[arg-type]
    spec = TrialSpec("load_several", order, {}, {"settings": settings, "order": order}, timeout_s=60)
    return run_trial(spec, 1, register=register, observe=lambda event: None)


@pytest.mark.parametrize("order", ["sequential", "parallel"])
def test_all_models_are_loaded_and_the_whole_is_timed(register: Register, models: list[Path], order: str) -> None:
    trial = run(register, models, order)
    assert trial.failure is None
    (sample,) = trial.samples
    values = {value.metric: value.value for value in sample.values}
    assert set(values) == {"model_load_time", "peak_rss"}
    assert 0 < values["model_load_time"] < trial.wall_s
    assert sample.facts["rss_anonymous_bytes"] is None or sample.facts["rss_anonymous_bytes"] > 0  # type: ignore[operator]


@pytest.mark.parametrize("order", ["sequential", "parallel"])
def test_one_model_that_cannot_be_loaded_is_told_in_llama_cpps_words(
    register: Register, models: list[Path], tmp_path: Path, order: str
) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(models[0].read_bytes()[:-4096])
    trial = run(register, [models[1], damaged], order)
    assert trial.failure is not None
    assert "not within the file bounds" in trial.failure.message
    assert "download it again" in trial.failure.remedy
    assert trial.samples == ()


def test_a_fault_in_a_thread_is_not_lost(register: Register, models: list[Path]) -> None:
    trial = run(register, models[:2], "parallel", load_mode="no such mode")
    assert trial.failure is not None
    assert "no such mode" in trial.failure.message
