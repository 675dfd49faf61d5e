"""What ends a run before anything is timed: too little memory, a file that kills or holds FAISS, a part that fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from synapse_perf.analyze.retrieval_plan import RetrievalRequest, RetrievalSet
from synapse_perf.commands.retrieval_examination import check_memory, examine
from synapse_perf.commands.retrieval_preparation import PreparationInterrupted
from synapse_perf.errors import InputError, MeasurementError
from synapse_perf.host.free_memory import MainMemory
from synapse_perf.measure.session import Outcome
from synapse_perf.model import Failure, Measurement, Policy, Sample, Trial
from synapse_perf.units import MIB


@pytest.fixture
def searched(tmp_path: Path) -> RetrievalSet:
    for name, size in (("docs.index", 100 * MIB), ("docs_metadata.json", 10 * MIB)):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, size)
    return RetrievalSet(
        label="made",
        description="",
        directory=str(tmp_path),
        index=str(tmp_path / "docs.index"),
        metadata=str(tmp_path / "docs_metadata.json"),
        queries=str(tmp_path / "queries.jsonl"),
        query_vectors=str(tmp_path / "query_vectors.npy"),
        digest="digest",
        is_sample=False,
        encoder=None,
    )


class Worker:
    """Stands in for the workers: each trial ends as it is told to."""

    def __init__(self, *endings: Failure | dict[str, Any], is_interrupted: bool = False) -> None:
        self._endings = list(endings)
        self._is_interrupted = is_interrupted
        self.asked: list[str] = []

    def __call__(self, policy: Policy, planned: int) -> Outcome:
        spec = policy(())
        assert spec is not None
        self.asked.append(spec.benchmark)
        ending = self._endings.pop(0)
        failure = ending if isinstance(ending, Failure) else None
        samples = () if failure else (Sample((Measurement("recall", 1.0, {"k": "25"}),)),)
        facts = {} if isinstance(ending, Failure) else ending
        return Outcome((Trial(spec, 1, samples, 1.0, facts, failure),), self._is_interrupted)


def refused(searched: RetrievalSet, failure: Failure) -> InputError | MeasurementError:
    with pytest.raises((InputError, MeasurementError)) as raised:
        examine(searched, RetrievalRequest(), Worker(failure))
    assert isinstance(raised.value, InputError | MeasurementError)
    assert raised.value.remedy
    return raised.value


def test_an_examination_has_the_facts_of_both_and_the_trial_that_measured_recall(searched: RetrievalSet) -> None:
    workers = Worker({"k": 25}, {"truth": "stored"})

    examination = examine(searched, RetrievalRequest(), workers)

    assert workers.asked == ["examine_index", "index_recall"]
    assert examination.facts == {"examined": {"k": 25}, "judged": {"truth": "stored"}}
    assert [trial.spec.benchmark for trial in examination.trials] == ["index_recall"]
    assert (examination.findings, examination.warnings) == ((), ())


def test_an_index_that_is_an_engines_is_told_what_the_engine_does_with_it(searched: RetrievalSet) -> None:
    examination = examine(searched, RetrievalRequest(), Worker({"open_s": 1.0}, {}), is_engine=True)

    assert [finding.id for finding in examination.findings] == ["engine-loads-index-on-every-query"]


def test_a_recall_that_cannot_be_measured_is_a_warning(searched: RetrievalSet) -> None:
    failed = Failure("out-of-memory", "no memory left")

    examination = examine(searched, RetrievalRequest(), Worker({}, failed))

    assert examination.warnings == ("recall was not measured: no memory left",)
    assert examination.trials == ()


def test_what_the_worker_says_is_told_as_it_is(searched: RetrievalSet) -> None:
    error = refused(searched, Failure("error", "docs.index: the index is empty", "index some documents first"))

    assert isinstance(error, InputError)
    assert error.message == "docs.index: the index is empty"


@pytest.mark.parametrize("stage", ["opening the index", "searching the index", "reading the vectors of the index"])
def test_a_file_that_kills_faiss_is_wrong_input(searched: RetrievalSet, stage: str) -> None:
    error = refused(searched, Failure("crash", f"the worker died of SIGSEGV in the stage: {stage}", "a model"))

    assert isinstance(error, InputError)
    assert error.message == f"FAISS died of SIGSEGV while {stage.replace('the index', 'docs.index')}"


def test_a_death_elsewhere_is_a_failed_measurement(searched: RetrievalSet) -> None:
    message = "the worker died of SIGABRT in the stage: loading the encoder"

    error = refused(searched, Failure("crash", message, "another encoder"))

    assert isinstance(error, MeasurementError)
    assert error.message == message


def test_a_file_that_holds_faiss_is_told_with_the_time_waited(searched: RetrievalSet) -> None:
    error = refused(searched, Failure("time-out", "no end after 2 min, in the stage: searching the index", "a model"))

    assert isinstance(error, MeasurementError)
    assert "FAISS did not come back in 2 min from searching docs.index" in error.message


def test_no_memory_is_told_with_a_remedy_for_an_index(searched: RetrievalSet) -> None:
    error = refused(searched, Failure("out-of-memory", "the system killed the worker", "a smaller model"))

    assert "smaller index" in error.remedy


def test_a_user_who_stops_it_is_heard(searched: RetrievalSet) -> None:
    with pytest.raises(PreparationInterrupted):
        examine(searched, RetrievalRequest(), Worker({}, is_interrupted=True))


# --- memory ----------------------------------------------------------------------------------------------------------


def test_more_than_is_free_is_refused_before_a_worker_starts(searched: RetrievalSet) -> None:
    with pytest.raises(InputError) as raised:
        check_memory(searched, RetrievalRequest(), MainMemory(None, 129 * MIB))

    words = "129 MiB of memory are available, 100 MiB for docs.index and about 30.0 MiB for its metadata are needed"
    assert raised.value.message == words


def test_what_just_fits_is_not_refused(searched: RetrievalSet) -> None:
    check_memory(searched, RetrievalRequest(), MainMemory(None, 130 * MIB))


def test_a_mapped_index_may_be_larger_than_memory(searched: RetrievalSet) -> None:
    check_memory(searched, RetrievalRequest(open_modes=("ifc",)), MainMemory(None, 30 * MIB))
