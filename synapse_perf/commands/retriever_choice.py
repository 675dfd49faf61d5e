"""Which trials measure a user's own retriever, as ``package.module:factory``, and what did the probe see of it?"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from synapse_perf.analyze.retriever_seen import LARGE_BYTES, OneByOne, ReadFile, Seen
from synapse_perf.analyze.sampling import Arm
from synapse_perf.errors import InputError, MeasurementError, SynapsePerfError
from synapse_perf.measure.death import NOT_STARTED, TOO_LONG
from synapse_perf.model import Failure, Json, TrialSpec

if TYPE_CHECKING:
    from synapse_perf.model import Trial

BENCHMARK = "user_retriever"
PROBE_ARM = "probe"
STATES = ("cold", "process-cold", "preloaded", "warm")
WARM_S = 10.0  # what the queries of one warm process may take together
LEAST_QUERIES = 5  # of a warm process
WARM_UP_RESERVE = 10  # queries of the file that are left for warming up
_EXAMPLE = "write package.module:factory, such as search.index:build_retriever"
_FRAME = re.compile(r'File "([^"]+)", line (\d+),? in (\S+)')
_NOT_THE_USERS = re.compile(
    r"[/\\]synapse_perf[/\\](?:benchmarks|measure)[/\\]|[/\\]lib[/\\]python3\.\d+[/\\](?!(?:site|dist)-packages)"
)


@dataclass(frozen=True, slots=True)
class RetrieverRequest:
    """A user's retriever and how it is asked; paths are absolute, as the code may change the working directory."""

    factory: str  # checked by parse_factory
    queries: str  # queries.jsonl
    query_count: int
    python: str | None = None
    cwd: str | None = None
    paths: tuple[str, ...] = ()  # searched for modules after the working directory
    env: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 120.0
    warm_queries: int = 50  # of each process


def parse_factory(text: str) -> str:
    """Check ``package.module:factory``; raises InputError with what would be right."""
    module, colon, attribute = text.strip().partition(":")
    if module.endswith(".py") or "/" in module:
        name = ".".join(part for part in module.removesuffix(".py").split("/") if part not in ("", ".", ".."))
        raise InputError(
            f"--retriever {text}: '{module}' is a file, not a module",
            f"write {name}:{attribute or 'factory'}, and start in the folder that holds {name.split('.')[0]}",
        )
    if not colon or not attribute:
        raise InputError(f"--retriever {text}: no factory is named", _EXAMPLE)
    for name in (*module.split("."), *attribute.split(".")):
        if not name.isidentifier():
            raise InputError(f"--retriever {text}: '{name}' cannot be a name in Python", _EXAMPLE)
    return f"{module}:{attribute}"


def probe_spec(request: RetrieverRequest) -> TrialSpec:
    """The trial that finds the retriever's files and its faults before anything is measured."""
    return retriever_spec(request, PROBE_ARM, {"mode": "files"})


def read_probe(trial: Trial) -> Seen:
    """What the probe saw; raises for a retriever that cannot be measured: InputError where the names are wrong."""
    if trial.failure is not None:
        raise error_of(trial.failure)
    facts = trial.facts
    return Seen(
        files=tuple(ReadFile(*file) for file in facts["files"]),
        imports=tuple((name, seconds) for name, seconds in facts["imports"]),
        late_imports=tuple((name, seconds, during) for name, seconds, during in facts["late_imports"]),
        libraries=tuple(facts["libraries"]),
        import_s=facts["import_s"],
        build_s=facts["build_s"],
        first_retrieve_s=facts["first_retrieve_s"],
        next_retrieve_s=facts["next_retrieve_s"],
        is_async=facts["asynchronous"],
        results=facts["results"],
        warnings=(*facts.get("warnings", ()), *_warnings(facts)),
        embedding=OneByOne(**facts["embedding"]) if facts.get("embedding") else None,
    )


def retriever_arms(request: RetrieverRequest, seen: Seen) -> list[Arm]:
    """One arm for each state; the files of the retriever are evicted before all but the warm one."""
    files = tuple(file.path for file in seen.files if os.path.isfile(file.path))  # noqa: PTH113
    arms = []
    for state in STATES:
        if state == "warm":
            count = warm_count(request, seen.next_retrieve_s)
            spec = replace(retriever_spec(request, state, {"mode": state, "count": count}), samples=count)
        else:
            spec = retriever_spec(request, state, {"mode": state})
            if state == "process-cold":
                spec = _with_first_import(spec, request)
            spec = replace(spec, page_cache="cold" if files else None, files=files)
        arms.append(Arm(state, spec))
    return arms


def warm_count(request: RetrieverRequest, retrieve_s: float) -> int:
    """How many queries a warm process is asked: as many as it has time for, and some are left for warming up."""
    affordable = max(LEAST_QUERIES, int(WARM_S / max(retrieve_s, 1e-6)))
    available = max(request.query_count - WARM_UP_RESERVE, (request.query_count + 1) // 2)
    return max(1, min(request.warm_queries, affordable, available))


def explained(failure: Failure) -> Failure:
    """A failure of a trial with what a user can do about it in code of their own."""
    if failure.kind == "time-out" and failure.remedy == TOO_LONG:
        remedy = "see why it does not come back, or give it more time with --max-time"
        return replace(failure, remedy=remedy)
    if failure.kind == "out-of-memory":
        return replace(failure, remedy="close other programs, or take less data")
    if failure.kind != "crash" or failure.remedy == NOT_STARTED:
        return failure
    place = _crashed_at(failure.detail)
    message = f"{failure.message}, at {place}" if place and " died of " in failure.message else failure.message
    return replace(failure, message=message, remedy="--debug shows what it wrote and where each thread was")


def error_of(failure: Failure) -> SynapsePerfError:
    """The probe's failure as the end of a run.

    What raised, crashed or hung has failed while it was measured; a name that is not there, or a factory that gives no
    retriever, is wrong input: there no line of the user's is to blame, so there is no traceback.
    """
    failure = explained(failure)
    kind = InputError if failure.kind == "error" and not failure.detail else MeasurementError
    return kind(failure.message, failure.remedy)


def retriever_spec(
    request: RetrieverRequest, arm: str, workload: dict[str, Json], benchmark: str = BENCHMARK
) -> TrialSpec:
    """A trial over the user's code, in their interpreter."""
    return TrialSpec(
        benchmark=benchmark,
        arm=arm,
        labels={"subject": request.factory},
        workload={
            "factory": request.factory,
            "paths": list(request.paths),
            "queries": request.queries,
            "patience_s": request.timeout_s,
            **workload,
        },
        timeout_s=request.timeout_s,
        python=request.python,
        cwd=request.cwd,
        env=request.env,
    )


def _with_first_import(spec: TrialSpec, request: RetrieverRequest) -> TrialSpec:
    """The module is imported before anything of the tool's, so that it costs what it costs in a bare script."""
    workload = {**spec.workload, "first_import": request.factory.partition(":")[0]}
    inherited = request.env.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    searched = [*request.paths, *([inherited] if inherited else [])]
    env = {**request.env, "PYTHONPATH": os.pathsep.join(searched)} if request.paths else request.env
    return replace(spec, workload=workload, env=env)


def _warnings(facts: Mapping[str, Json]) -> list[str]:
    """What keeps the states from meaning what they say."""
    files = [ReadFile(*file) for file in facts["files"]]
    early = [file for file in files if file.during == "import" and file.size_bytes >= LARGE_BYTES]
    warnings = []
    if early:
        name = os.path.basename(early[0].path)  # noqa: PTH119
        warnings.append(
            f"{name} is read while the module is imported: the state cold begins after that, process-cold has it"
        )
    if not files:
        warnings.append("the retriever was not seen to read a file: nothing is evicted before the cold states")
    return warnings


def _crashed_at(dump: str) -> str:
    """The innermost line of the user's in a dump of Python's fault handler."""
    _, _, of_crash = dump.partition("Current thread")
    for path, line, function in _FRAME.findall(of_crash or dump):
        if not _NOT_THE_USERS.search(path):
            return f"{os.path.basename(path)} line {line} ({function})"  # noqa: PTH119
    return ""
