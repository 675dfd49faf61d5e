"""What do the profile and the options together ask of a retrieval? Options replace single values of the profile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_perf.analyze.retrieval_plan import OPEN_MODES, STATES, RetrievalRequest
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.analyze.tuning import Budget
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.retrieval_options import RetrievalOptions, SourceOptions, TuneOptions
    from synapse_perf.engine import EngineSettings
    from synapse_perf.profiles import BenchCgragSettings

THREADS_AT_MOST = 1024
SOURCES = ("corpus", "index", "engine", "retriever", "vectors", "synthetic")
BUILDING = ("chunk_size", "chunk_overlap", "factory")
PATHS = ("corpus", "index", "metadata", "engine", "vectors", "queries")


def sources_of(source: SourceOptions, settings: BenchCgragSettings) -> SourceOptions:
    """The options, and what they leave open from the profile; an option replaces whatever source the profile names."""
    check_source(source)
    named = {name: getattr(settings, name) for name in SOURCES}
    if any(getattr(source, name) is not None for name in SOURCES):
        named = dict.fromkeys(SOURCES)
    profile = {**named, **{name: getattr(settings, name) for name in ("queries", "encoder", *BUILDING)}}
    if source.index is None and named.get("index"):
        profile["metadata"] = settings.metadata
    missing = {name: value for name, value in profile.items() if value is not None and getattr(source, name) is None}
    paths = {name: Path(value) for name, value in missing.items() if name in PATHS}
    together = replace(source, **{**missing, **paths})
    check_source(together)
    return together


def check_source(source: SourceOptions) -> None:
    """Raises InputError where two things are to be searched."""
    given = [name for name in SOURCES if getattr(source, name) is not None]
    if len(given) > 1:
        both = " and ".join(f"--{name}" for name in given)
        raise InputError(f"{both} name different things to search", "give one of them")
    if source.metadata is not None and source.index is None:
        raise InputError("--metadata belongs to --index", "give the index as well")


def retrieval_request(
    common: CommonOptions, options: RetrievalOptions, settings: BenchCgragSettings, engine: EngineSettings | None
) -> RetrievalRequest:
    """The request in full: options, then the profile, then the engine's settings; InputError for what has no sense."""
    defaults = RetrievalRequest()

    def first(name: str) -> Any:
        candidates = (getattr(options, name), getattr(settings, name), getattr(engine, name, None))
        return next((value for value in candidates if value is not None), getattr(defaults, name))

    if first("max_artifacts") < 1:
        raise InputError(f"--max-artifacts {first('max_artifacts')}: nothing would be searched", "ask for 1 or more")
    if not -1 <= first("min_relevance") <= 1:  # the option's own bounds let NaN pass
        raise InputError(f"--min-relevance {first('min_relevance')} is no cosine", "give a number from -1 to 1")
    search = {"nprobe": options.nprobe or settings.nprobe, "efSearch": options.ef_search or settings.ef_search}
    return RetrievalRequest(
        max_artifacts=first("max_artifacts"),
        min_relevance=first("min_relevance"),
        token_budget=first("token_budget"),
        search={name: value for name, value in search.items() if value is not None},
        open_modes=_words(options.open_modes, "--open", OPEN_MODES) or settings.open or OPEN_MODES,
        states=_words(options.states, "--state", STATES) or settings.states or STATES,
        omp_threads=_numbers(options.omp_threads, "--omp-threads") or settings.omp_threads or defaults.omp_threads,
        encoder_threads=_numbers(options.threads, "--threads") or settings.threads or defaults.encoder_threads,
        wants_openings=options.openings,
        wants_caches=options.caches,
        wants_load=options.concurrency,
        python=str(common.python) if common.python else None,
    )


def budget_of(options: TuneOptions) -> Budget | None:
    """What an index has to keep to; None where none is looked for."""
    if not options.tune:
        if options.latency is not None or options.memory is not None:
            raise InputError("--latency and --memory belong to --tune", "add --tune")
        return None
    from synapse_perf.analyze.tuning import Budget
    from synapse_perf.units import parse_bytes, parse_duration

    latency_s = parse_duration(options.latency) if options.latency is not None else None
    memory_bytes = parse_bytes(options.memory) if options.memory is not None else None
    return Budget(options.recall, latency_s, memory_bytes)


def _words(text: str | None, flag: str, known: tuple[str, ...]) -> tuple[str, ...]:
    if text is None:
        return ()
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",")))
    for word in words:
        if word not in known:
            raise InputError(f"{flag} {text}: '{word}' is not known", f"give some of {', '.join(known)}")
    return words


def _numbers(text: str | None, flag: str) -> tuple[int, ...]:
    if text is None:
        return ()
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError as error:
        raise InputError(f"{flag} {text}: not a list of whole numbers", "write 1 or 1,2,4") from error
    if not all(0 <= number <= THREADS_AT_MOST for number in numbers):
        raise InputError(f"{flag} {text}: threads go from 0 to {THREADS_AT_MOST}", "write 1 or 1,2,4")
    return numbers
