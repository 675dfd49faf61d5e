"""Which trials answer what was asked of bench-cgrag?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from synapse_perf.model import CacheState, Json, TrialSpec

OPEN_MODES = ("read", "mmap", "ifc", "readahead")
STATES = ("process-cold", "cold", "preloaded", "warm")
FILE_CACHED = "file-cached"  # the index is in the page cache, but not opened
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class EncoderUnderTest:
    """The encoder of the queries: a GGUF file."""

    path: str
    label: str
    digest: str
    dimension: int
    max_tokens: int
    is_sample: bool
    threads: int
    model_name: str = ""  # as indexes name it


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """What is searched, as files; without an encoder (vectors alone) only the search can be measured."""

    label: str
    description: str
    directory: str
    index: str
    metadata: str
    queries: str
    query_vectors: str
    digest: str
    is_sample: bool
    encoder: EncoderUnderTest | None


@dataclass(frozen=True, slots=True)
class RetrievalRequest:
    """What the profile and the options ask for; the first value of each list is the one that is judged."""

    max_artifacts: int = 5
    min_relevance: float = 0.7
    token_budget: int = 8000
    search: Mapping[str, int] = field(default_factory=dict)
    open_modes: tuple[str, ...] = OPEN_MODES
    states: tuple[str, ...] = STATES
    omp_threads: tuple[int, ...] = (0, 1)  # the engine leaves it to FAISS; one thread is often faster
    encoder_threads: tuple[int, ...] = (0,)
    wants_openings: bool = True
    wants_caches: bool = True
    wants_load: bool = False
    queries_per_process: int = 100
    timeout_s: float = PATIENCE_S
    python: str | None = None

    @property
    def k(self) -> int:
        return self.max_artifacts * 5

    def parameters(self) -> dict[str, Json]:
        """As the pipeline takes them."""
        return {
            "max_artifacts": self.max_artifacts,
            "min_relevance": self.min_relevance,
            "token_budget": self.token_budget,
            "search": dict(self.search),
        }


@dataclass(frozen=True, slots=True)
class RetrievalCase:
    """One kind of trial; a target is judged by those that are."""

    name: str
    spec: TrialSpec
    is_judged: bool


def plan_retrieval(subject: RetrievalSet, request: RetrievalRequest) -> list[RetrievalCase]:
    """Every case once: the states of the whole retrieval, its variants, then the ways to open the index."""
    cases: list[RetrievalCase] = []
    if subject.encoder is not None:
        cases += [_retrieval(subject, request, state) for state in request.states]
        if "warm" in request.states:
            cases += _variants(subject, request)
    elif "warm" in request.states:
        cases += [_search(subject, request, threads) for threads in request.omp_threads]
    caches: tuple[tuple[CacheState, str], ...] = (("cold", "cold"), ("warm", FILE_CACHED))
    for cache, state in caches if request.wants_openings else ():
        cases += [_opening(subject, request, mode, cache, state) for mode in request.open_modes]
    return [replace(case, spec=replace(case.spec, python=request.python)) for case in cases]


def _retrieval(
    subject: RetrievalSet, request: RetrievalRequest, state: str, variant: str = "", **changes: int
) -> RetrievalCase:
    encoder = subject.encoder
    assert encoder is not None
    omp_threads = changes.get("omp_threads", request.omp_threads[0])
    threads = changes.get("encoder_threads", request.encoder_threads[0])
    index_files = (subject.index, subject.metadata)
    spec = TrialSpec(
        benchmark="bench_cgrag",
        arm=variant or state,
        labels={"variant": variant} if variant else {},
        workload={
            "state": state,
            "index": subject.index,
            "metadata": subject.metadata,
            "queries": subject.queries,
            "open": request.open_modes[0],
            "omp_threads": omp_threads,
            "encoder": {
                "path": encoder.path,
                "label": encoder.label,
                "max_tokens": encoder.max_tokens,
                "threads": threads or encoder.threads,
            },
            "parameters": request.parameters(),
            "count": request.queries_per_process,
        },
        samples=request.queries_per_process if state == "warm" else 1,
        timeout_s=request.timeout_s,
        page_cache=None if state == "warm" else "cold",  # warm is what queries make it
        files=(*index_files, encoder.path) if state in ("process-cold", "warm") else index_files,
    )
    return RetrievalCase(variant or state, spec, is_judged=not variant and state in ("cold", "warm"))


def _variants(subject: RetrievalSet, request: RetrievalRequest) -> list[RetrievalCase]:
    """The warm state again with another number of threads, one thing changed at a time."""
    changed: Sequence[tuple[str, int]] = [
        *(("omp_threads", value) for value in request.omp_threads[1:]),
        *(("encoder_threads", value) for value in request.encoder_threads[1:]),
    ]
    return [_retrieval(subject, request, "warm", f"{name}={value}", **{name: value}) for name, value in changed]


def _search(subject: RetrievalSet, request: RetrievalRequest, omp_threads: int) -> RetrievalCase:
    """The search alone, where there is no text that could be embedded."""
    variant = "" if omp_threads == request.omp_threads[0] else f"omp_threads={omp_threads}"
    spec = TrialSpec(
        benchmark="vector_search",
        arm=variant or "warm",
        labels={"variant": variant} if variant else {},
        workload={
            "index": subject.index,
            "query_vectors": subject.query_vectors,
            "open": request.open_modes[0],
            "omp_threads": omp_threads,
            "parameters": request.parameters(),
            "k": request.k,
            "count": request.queries_per_process,
        },
        samples=request.queries_per_process,
        timeout_s=request.timeout_s,
        files=(subject.index,),
    )
    return RetrievalCase(variant or "warm", spec, is_judged=False)


def _opening(
    subject: RetrievalSet, request: RetrievalRequest, mode: str, cache: CacheState, state: str
) -> RetrievalCase:
    spec = TrialSpec(
        benchmark="index_opening",
        arm=f"open={mode}",
        labels={},
        workload={
            "index": subject.index,
            "query_vectors": subject.query_vectors,
            "open": mode,
            "state": state,
            "omp_threads": request.omp_threads[0],
            "parameters": request.parameters(),
            "k": request.k,
        },
        timeout_s=request.timeout_s,
        page_cache=cache,
        files=(subject.index,),
    )
    return RetrievalCase(f"open={mode} {state}", spec, is_judged=False)
