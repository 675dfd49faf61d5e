"""Prepares what is searched, in a worker, once: the folder of a prepared set in the cache, and what fills it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from synapse_perf.errors import InputError, MeasurementError

if TYPE_CHECKING:
    from synapse_perf.analyze.retrieval_plan import EncoderUnderTest, RetrievalSet
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Json, Policy, Trial, TrialSpec

CarryOut: TypeAlias = "Callable[[Policy, int], Outcome] | None"  # None: a dry run, which prepares nothing
PREPARATION_TIMEOUT_S = 24 * 3600.0
FORMAT = 1  # of a prepared set; raised when its files mean something else
SYNTHETIC_DIMENSION = 384  # of all-MiniLM-L6-v2
DONE = "set.json"
KEPT = ("texts", "queries", "vectors", "dimension", "factory")  # what two preparations of one set agree on


class PreparationInterrupted(KeyboardInterrupt):
    """Stopped by the user while the set was prepared; what was embedded is kept."""


def set_directory(*parts: str) -> Path:
    """The folder of a prepared set, made or not: another for other texts, another encoder, or another index."""
    from synapse_perf.gguf_files.cache import sets_directory

    digest = hashlib.sha256("\0".join([str(FORMAT), *parts]).encode("utf-8", "surrogatepass")).hexdigest()
    return sets_directory() / digest[:16]


def is_prepared(directory: Path) -> bool:
    """Whether everything in the folder of a set is there."""
    return (directory / DONE).exists()


def embed_and_index(directory: Path, encoder: EncoderUnderTest, factory: str | None, carry_out: CarryOut) -> Json:
    """Embed the texts and queries in the folder and index them, unless that was done before; the facts about it.

    Without a factory there is an index already, and only the queries are embedded.
    """
    from synapse_perf.gguf_files.cache import vectors_directory
    from synapse_perf.host.cpu import usable_cores

    workload = {
        "directory": str(directory),
        "encoder": {
            "path": encoder.path,
            "label": encoder.label,
            "max_tokens": encoder.max_tokens,
            "threads": max(1, int(usable_cores())),
        },
        "cache": str(vectors_directory() / f"{encoder.digest[:16]}-{encoder.max_tokens}.vectors"),
        "factory": factory,
    }
    return _once(directory, "build_index", workload, carry_out)


def prepare_vectors(
    file: Path | None, count: int, factory: str | None, seed: int, carry_out: CarryOut
) -> tuple[Path, Json]:
    """Index the vectors of a file, or so many made ones; the folder, and the facts about them."""
    if file is not None:
        with file.open("rb") as stream:  # its content: a copy in another place is the same set
            what = hashlib.file_digest(stream, "sha256").hexdigest()
    else:
        what = f"synthetic {count} {SYNTHETIC_DIMENSION}"
    directory = set_directory(what, str(seed), factory or "")
    workload = {
        "directory": str(directory),
        "file": str(file.resolve()) if file else None,
        "count": count,
        "dimension": SYNTHETIC_DIMENSION,
        "seed": seed,
        "factory": factory,
    }
    return directory, _once(directory, "build_vectors", workload, carry_out)


def complete_vectors(searched: RetrievalSet, carry_out: CarryOut) -> None:
    """For an index that was there before: its vectors as a file, and the index itself beside them, to be tuned on.

    InputError for an index that keeps no exact vectors.
    """
    directory, index = Path(searched.directory), Path(searched.index)
    own = directory / "docs.index"
    if index == own or (directory / "vectors.npy").exists():
        return
    from synapse_perf.model import TrialSpec

    workload = {"index": searched.index, "output": str(directory / "vectors.npy")}
    _finished(carry_out, TrialSpec("extract_vectors", "preparing", {}, workload, timeout_s=PREPARATION_TIMEOUT_S))
    own.unlink(missing_ok=True)
    own.symlink_to(index)


def write_file(path: Path, text: str) -> None:
    """Write a file of a set, in a folder that is made if need be."""
    from synapse_perf.atomic_files import write_atomically

    _make(path.parent)
    write_atomically(path, text)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{directory} cannot be made: {error.strerror}", "free some space, or set another cache"
        ) from error


def finished_or_interrupted(carry_out: CarryOut, spec: TrialSpec) -> Trial:
    """The one trial of a preparation, whatever came of it; raises only where the user stopped it."""
    from synapse_perf.analyze.sampling import fixed

    assert carry_out is not None
    outcome = carry_out(fixed([spec]), 1)
    if outcome.is_interrupted:
        raise PreparationInterrupted
    return outcome.trials[0]


def _finished(carry_out: CarryOut, spec: TrialSpec) -> Trial:
    """The same, finished; raises what has to be told where it did not finish."""
    trial = finished_or_interrupted(carry_out, spec)
    failure = trial.failure
    if failure is None:
        return trial
    # One that the worker did not foresee comes with its traceback: no fault of what was given.
    is_wrong_input = failure.kind == "error" and not failure.detail
    raise (InputError if is_wrong_input else MeasurementError)(failure.message, failure.remedy)


def _once(directory: Path, benchmark: str, workload: Json, carry_out: CarryOut) -> Json:
    """Run the worker and remember its facts; from then on the facts are read."""
    from synapse_perf.model import TrialSpec

    done = directory / DONE
    if done.exists():
        try:
            return json.loads(done.read_text("utf-8"))["facts"]
        except (ValueError, KeyError, TypeError):
            done.unlink()
    if carry_out is None:
        return {}
    _make(directory)
    spec = TrialSpec(benchmark, "preparing", {}, workload, timeout_s=PREPARATION_TIMEOUT_S)
    trial = _finished(carry_out, spec)
    facts = {name: value for name, value in trial.samples[0].facts.items() if name in KEPT}
    write_file(done, json.dumps({"format": FORMAT, "facts": facts}))
    return facts
