"""Is what shall be searched fit to be measured, and what is wrong with how it is set up?

Asked before anything is timed. Wrong input ends the run here with one line; what the doctor finds is told beside the
figures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.errors import InputError, MeasurementError
from synapse_perf.model import TrialSpec
from synapse_perf.units import format_bytes, format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_perf.analyze.retrieval_plan import RetrievalRequest, RetrievalSet
    from synapse_perf.commands.retrieval_preparation import CarryOut
    from synapse_perf.host.free_memory import MainMemory
    from synapse_perf.model import Failure, Finding, Json, Trial

ROOM = 0.8  # of what the index leaves free, for a copy of its vectors
PARSED = 3  # times the size of the metadata file: its bytes, the values out of them, and the texts
RECALL_PATIENCE = 5  # times that for a retrieval: an exact search of a million vectors takes half a minute
AS_MANY_AS_COME = 10**9
EXAMINATION = "examining"
RECALL = "recall"
REBUILD = "the file is damaged, or not made by FAISS: build the index anew"


@dataclass(frozen=True, slots=True)
class Examination:
    """What was seen, the trials that measured it (recall, one sample a query), what it means, and what to tell."""

    facts: Mapping[str, Json] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()


def examine(
    searched: RetrievalSet, request: RetrievalRequest, carry_out: CarryOut, *, is_engine: bool = False
) -> Examination:
    """Look at the index, its metadata and its encoder, then judge its recall.

    InputError for what cannot be searched, MeasurementError where the look itself failed; a recall that cannot be
    measured is a warning. `is_engine`: the files are an engine's, which loads them for every query.
    """
    from synapse_perf.analyze.retrieval_doctor import diagnose
    from synapse_perf.commands.retrieval_preparation import finished_or_interrupted
    from synapse_perf.host.free_memory import main_memory

    memory = main_memory()
    check_memory(searched, request, memory)
    trial = finished_or_interrupted(carry_out, _examine_spec(searched, request))
    if trial.failure is not None:
        raise _told(trial.failure, Path(searched.index).name, request)
    judged = finished_or_interrupted(carry_out, _recall_spec(searched, request, memory))
    facts = {"examined": dict(trial.facts), "judged": dict(judged.facts)}
    warnings = () if judged.failure is None else (f"recall was not measured: {judged.failure.message}",)
    findings = diagnose(facts["examined"], facts["judged"], Path(searched.index).name, is_engine=is_engine)
    return Examination(facts, (judged,) if judged.samples else (), tuple(findings), warnings)


def check_memory(searched: RetrievalSet, request: RetrievalRequest, memory: MainMemory) -> None:
    """Refuse what the free memory cannot hold, before anything is loaded.

    The index counts only where it is read into memory; a mapped one may be larger.
    """
    is_read = request.open_modes[0] in ("read", "mmap")  # what FAISS maps with mmap is not known before it is open
    index_bytes = _size(searched.index) if is_read else 0
    metadata_bytes = PARSED * _size(searched.metadata)
    if index_bytes + metadata_bytes <= memory.available_bytes:
        return
    parts = [f"{format_bytes(index_bytes)} for {Path(searched.index).name}"] if index_bytes else []
    parts += [f"about {format_bytes(metadata_bytes)} for its metadata"] if metadata_bytes else []
    raise InputError(
        f"{format_bytes(memory.available_bytes)} of memory are available, {' and '.join(parts)} are needed",
        "close other programs, build a smaller index (--factory SQ8), or map it (--open ifc)",
    )


def _size(path: str) -> int:
    file = Path(path)
    return file.stat().st_size if path and file.is_file() else 0


# --- the two workers -------------------------------------------------------------------------------------------------


def _examine_spec(searched: RetrievalSet, request: RetrievalRequest) -> TrialSpec:
    encoder = searched.encoder
    workload: dict[str, Json] = {
        **_both(searched, request),
        "omp_threads": request.omp_threads[0],
        "encoder": encoder
        and {
            "path": encoder.path,
            "label": encoder.label,
            "model_name": encoder.model_name,
            "is_sample": encoder.is_sample,
            "max_tokens": encoder.max_tokens,
            "threads": request.encoder_threads[0] or encoder.threads,
        },
    }
    return TrialSpec("examine_index", EXAMINATION, {}, workload, timeout_s=request.timeout_s, python=request.python)


def _recall_spec(searched: RetrievalSet, request: RetrievalRequest, memory: MainMemory) -> TrialSpec:
    indexed = Path(searched.directory) / "vectors.npy"
    is_own = Path(searched.index).parent == Path(searched.directory) and indexed.is_file()
    workload = {
        **_both(searched, request),
        "queries": _existing(searched.queries),
        "vectors": str(indexed) if is_own else "",
        "room_bytes": int(ROOM * (memory.available_bytes - _size(searched.index))),
    }
    patience_s = RECALL_PATIENCE * request.timeout_s
    return TrialSpec("index_recall", RECALL, {}, workload, AS_MANY_AS_COME, timeout_s=patience_s, python=request.python)


def _both(searched: RetrievalSet, request: RetrievalRequest) -> dict[str, Json]:
    return {
        "name": Path(searched.index).name,
        "index": searched.index,
        "metadata": _existing(searched.metadata),
        "query_vectors": searched.query_vectors,
        "open": request.open_modes[0],
        "parameters": request.parameters(),
        "k": request.k,
    }


def _existing(path: str) -> str:
    return path if path and Path(path).is_file() else ""


def _told(failure: Failure, name: str, request: RetrievalRequest) -> InputError | MeasurementError:
    """A process that dies or hangs on the index file itself does so because of what is in it."""
    from synapse_perf.benchmarks.examine_index import OPENING, READING, SEARCHING

    stage = next((one for one in (OPENING, SEARCHING, READING) if f"in the stage: {one}" in failure.message), "")
    doing = stage.replace("the index", name)
    if failure.kind == "crash" and stage:
        died = failure.message.partition(" in the stage")[0].removeprefix("the worker ")
        return InputError(f"FAISS {died} while {doing}", REBUILD)
    if failure.kind == "time-out" and stage:
        patience = format_duration(request.timeout_s)
        return MeasurementError(f"FAISS did not come back in {patience} from {doing}", REBUILD)
    if failure.kind == "out-of-memory":
        return MeasurementError(failure.message, "close other programs, or build a smaller index (--factory SQ8)")
    # One that the worker did not foresee comes with its traceback: no fault of what was given.
    is_wrong_input = failure.kind == "error" and not failure.detail
    return (InputError if is_wrong_input else MeasurementError)(failure.message, failure.remedy)
