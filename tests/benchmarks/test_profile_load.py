"""One start, taken apart: the parts are the whole, and its facts prove in which state it began."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_perf.benchmarks.profile_load import METRICS
from synapse_perf.gguf_files.header import read_header
from synapse_perf.host.page_cache import COLD_AT_MOST
from synapse_perf.model import CacheState, Sample, Trial
from tests.llama.starts import facts_of, make, start

PHASES = [
    "interpreter",
    "import",
    "harness",
    "backend",
    "metadata",
    "vocabulary",
    "tensors",
    "context",
    "first_token",
    "residual",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("profile-load"))


@pytest.fixture(scope="module")
def cold(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return started(model, "cold", tmp_path_factory)


@pytest.fixture(scope="module")
def warm(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return started(model, "warm", tmp_path_factory)


def started(model: Path, cache: CacheState, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    trial = start(model, tmp_path_factory.mktemp(cache), cache=cache)
    if trial.spec.labels["cache"] == "uncertified":
        pytest.skip("the temporary directory lies on a file system that cannot be evicted")
    return trial


def sample_of(trial: Trial) -> Sample:
    assert trial.failure is None, trial.failure
    (sample,) = trial.samples
    return sample


def phases_of(trial: Trial) -> dict[str, float]:
    return {one.labels["phase"]: one.value for one in sample_of(trial).values if one.metric == "phase_time"}


def value_of(trial: Trial, metric: str) -> float:
    return next(one.value for one in sample_of(trial).values if one.metric == metric)


def tensor_bytes(model: Path) -> int:
    header = read_header(model)
    return header.size_bytes - header.tensor_data_offset


def test_every_metric_is_measured_once(warm: Trial) -> None:
    metrics = [one.metric for one in sample_of(warm).values if one.metric != "phase_time"]

    assert metrics == ["model_startup_time", "model_load_time", "peak_rss"]
    assert set(metrics) | {"phase_time"} == set(METRICS)


def test_the_phases_and_the_residual_are_the_whole_start(cold: Trial) -> None:
    whole = [seconds for phase, seconds in phases_of(cold).items() if "." not in phase]

    assert sum(whole) == pytest.approx(value_of(cold, "model_startup_time"), abs=1e-9)


def test_no_phase_is_missing_and_none_is_negative(cold: Trial) -> None:
    phases = phases_of(cold)

    assert set(PHASES) <= set(phases)
    assert min(seconds for phase, seconds in phases.items() if phase != "residual") >= 0


def test_parts_lie_within_their_phase(cold: Trial) -> None:
    phases = phases_of(cold)
    parts = {phase.partition(".")[0] for phase in phases if "." in phase}

    assert parts >= {"tensors", "context"}
    for phase in parts:
        inner = sum(seconds for name, seconds in phases.items() if name.startswith(f"{phase}."))
        assert inner <= phases[phase] + 1e-9


def test_the_load_is_a_part_of_the_start(cold: Trial) -> None:
    assert 0 < value_of(cold, "model_load_time") < value_of(cold, "model_startup_time")


def test_nothing_of_llama_cpps_log_is_missing_for_the_phases(cold: Trial) -> None:
    assert cold.facts["warnings"] == []


def test_a_cold_start_carries_its_certificate(cold: Trial) -> None:
    facts = facts_of(cold)

    assert facts["cold_proven"] is True
    assert isinstance(facts["resident_before"], float)
    assert facts["resident_before"] <= COLD_AT_MOST


def test_a_cold_start_reads_at_least_the_tensors(cold: Trial, model: Path) -> None:
    read = facts_of(cold)["read_bytes"]
    if read is None:
        pytest.skip("this platform does not count what a process reads")

    assert isinstance(read, int)
    assert read >= tensor_bytes(model) * (1 - COLD_AT_MOST)


def test_a_warm_start_carries_its_certificate(warm: Trial) -> None:
    facts = facts_of(warm)

    assert facts["warm_proven"] is True
    assert isinstance(facts["resident_before"], float)
    assert facts["resident_before"] > COLD_AT_MOST


def test_a_warm_start_does_not_read_the_file_from_the_disk(warm: Trial, model: Path) -> None:
    """Phases that were too short on a crowded machine to be counted apart have no figure, not 0.

    Where memory is short, pages of the libraries may have been dropped, and are read again: far less than the model.
    """
    facts = facts_of(warm)

    read = {name: facts.get(f"{name}.read_bytes") for name in ("metadata", "vocabulary", "tensors")}
    assert sum(float(str(count or 0)) for count in read.values()) < tensor_bytes(model) / 10


def test_the_peak_is_taken_with_the_model_in_memory(warm: Trial, model: Path) -> None:
    assert value_of(warm, "peak_rss") > tensor_bytes(model)


def test_every_value_has_the_device_that_llama_cpp_used(warm: Trial) -> None:
    assert len({one.labels["device"] for one in sample_of(warm).values}) == 1
