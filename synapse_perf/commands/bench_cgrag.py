"""How long does a retrieval take, cold and warm, where does the time go, and which index serves best?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from synapse_perf.commands.options import CommonOptions
from synapse_perf.commands.retrieval_options import RetrievalOptions, SourceOptions, TuneOptions
from synapse_perf.errors import ExitCode, InputError, NothingNamedError

if TYPE_CHECKING:
    from synapse_perf.analyze.retrieval_plan import RetrievalRequest
    from synapse_perf.analyze.tuning import Budget
    from synapse_perf.commands.retrieval_run import RetrievalRun
    from synapse_perf.engine import Engine
    from synapse_perf.profiles import Profile


def bench_cgrag(
    *, source: SourceOptions, retrieval: RetrievalOptions, tuning: TuneOptions, common: CommonOptions
) -> int:
    """Benchmark retrieval: text of a query to the packed context, cold and warm, stage by stage."""
    from synapse_perf.commands.conclude import check_outputs, load_baseline
    from synapse_perf.commands.measuring import effort_of
    from synapse_perf.commands.profile_choice import profile_of
    from synapse_perf.commands.retrieval_preparation import PreparationInterrupted
    from synapse_perf.commands.retrieval_request import SOURCES, budget_of, retrieval_request, sources_of
    from synapse_perf.commands.streams import tell
    from synapse_perf.engine import INDEX_COMMAND, Engine

    check_outputs(common)
    baseline = load_baseline(common, "bench-cgrag")
    profile = profile_of(common)
    effort_of(profile, common)  # what is wrong with it is told before hours are spent on embedding
    source = sources_of(source, profile.bench_cgrag)
    if "index" in profile.lacking and all(getattr(source, name) is None for name in SOURCES):
        raise NothingNamedError(profile.lacking["index"], f"make it: {INDEX_COMMAND}; or search a --corpus")
    engine = Engine(source.engine) if source.engine is not None else None
    request = retrieval_request(common, retrieval, profile.bench_cgrag, engine.settings() if engine else None)
    try:
        run = _run(source, engine, request, common, profile, budget_of(tuning))
    except PreparationInterrupted:
        tell("interrupted while the set was prepared", "what was embedded is kept: the same command goes on from there")
        return ExitCode.INTERRUPTED
    return run.dry_run() if common.dry_run else run.measure(baseline)


def _run(
    source: SourceOptions,
    engine: Engine | None,
    request: RetrievalRequest,
    common: CommonOptions,
    profile: Profile,
    budget: Budget | None,
) -> RetrievalRun:
    from synapse_perf.commands.measuring import carry_out
    from synapse_perf.commands.retrieval_preparation import complete_vectors
    from synapse_perf.commands.retrieval_run import RetrievalRun
    from synapse_perf.commands.retrieval_set import (
        choose_encoder_under_test,
        metadata_beside,
        prepare_index_set,
        prepare_texts_set,
        prepare_vectors_set,
    )

    run = None if common.dry_run else partial(carry_out, quiet=common.quiet)
    if source.retriever is not None:
        if budget is not None:
            raise InputError("--tune needs vectors, and a retriever shows none", "give --corpus, --index or --vectors")
        from synapse_perf.commands.retriever_run import RetrieverRun

        return RetrieverRun(profile, source, request, common, run)
    seed = common.seed or 0  # of what is drawn for the set, which has to be the same in every run
    if source.vectors is not None or source.synthetic is not None:
        return RetrievalRun(profile, prepare_vectors_set(source, seed, run), request, common, budget)
    encoder = choose_encoder_under_test(source.encoder, request.encoder_threads[0], quiet=common.quiet)
    if engine is not None:
        files = engine.index_files()
        prepared = prepare_index_set(files.index, files.metadata, source, encoder, seed, run)
        prepared = replace(prepared, warnings=(*prepared.warnings, *engine.warnings), is_engine=True)
    elif source.index is not None:
        metadata = metadata_beside(source.index, source.metadata)
        prepared = prepare_index_set(source.index, metadata, source, encoder, seed, run)
    else:
        prepared = prepare_texts_set(source, encoder, seed, run)
    if budget is not None and run is not None:
        complete_vectors(prepared.searched, run)
    return RetrievalRun(profile, prepared, request, common, budget)
