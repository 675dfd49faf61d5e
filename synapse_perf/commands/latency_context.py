"""What does a two-stage query retrieve from? What bench-cgrag would search: documents, an index, or a user's code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.analyze.retrieval_plan import RetrievalRequest
    from synapse_perf.commands.latency_options import ContextOptions
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.retrieval_options import SourceOptions
    from synapse_perf.engine import Engine
    from synapse_perf.model import Json
    from synapse_perf.profiles import Profile


@dataclass(frozen=True, slots=True)
class TwoStageContext:
    """The retrieval part of a two-stage workload, and what to tell of it."""

    workload: Mapping[str, Json]
    description: str
    digest: str
    is_sample: bool
    warnings: tuple[str, ...] = ()


def two_stage_context(options: ContextOptions, profile: Profile, common: CommonOptions) -> TwoStageContext:
    """From the options, else from [bench-cgrag] of the profile, else from the built-in sample; prepared once."""
    from synapse_perf.commands.retrieval_options import RetrievalOptions
    from synapse_perf.commands.retrieval_request import retrieval_request, sources_of
    from synapse_perf.engine import Engine

    source = sources_of(_as_source(options), profile.bench_cgrag)
    if source.vectors is not None or source.synthetic is not None:
        raise InputError(
            "[bench-cgrag] searches vectors alone, which hold no text for a prompt",
            "give documents with --corpus, an index with --index, or --no-two-stage",
        )
    if source.retriever is not None:
        return _of_a_retriever(source.retriever)
    engine = Engine(source.engine) if source.engine is not None else None
    settings = engine.settings() if engine else None
    asked = RetrievalOptions(min_relevance=options.min_relevance)
    request = retrieval_request(common, asked, profile.bench_cgrag, settings)
    is_sample = source.corpus is None and source.index is None and engine is None
    if is_sample and options.min_relevance is None:
        request = replace(request, min_relevance=-1.0)  # the queries are not about it, and still need a context
    return _prepared(source, engine, request, common)


def _as_source(options: ContextOptions) -> SourceOptions:
    from synapse_perf.commands.retrieval_options import SourceOptions

    return SourceOptions(
        corpus=options.corpus,
        index=options.index,
        metadata=options.metadata,
        engine=options.engine,
        retriever=options.retriever,
        encoder=options.encoder,
    )


def _of_a_retriever(reference: str) -> TwoStageContext:
    """The user's code, found as with ``python -m`` from the working directory; it is first called in a trial."""
    from synapse_perf.commands.retriever_choice import parse_factory

    factory = parse_factory(reference)
    workload = {"factory": factory, "paths": [str(Path.cwd())]}
    return TwoStageContext(workload, f"{factory}, a retriever of the user's", factory, is_sample=False)


def _prepared(
    source: SourceOptions, engine: Engine | None, request: RetrievalRequest, common: CommonOptions
) -> TwoStageContext:
    from synapse_perf.analyze.latency_plan import retrieval_workload
    from synapse_perf.commands.measuring import carry_out
    from synapse_perf.commands.retrieval_set import (
        choose_encoder_under_test,
        metadata_beside,
        prepare_index_set,
        prepare_texts_set,
    )

    run = None if common.dry_run else partial(carry_out, quiet=common.quiet)
    seed = common.seed or 0
    encoder = choose_encoder_under_test(source.encoder, request.encoder_threads[0], quiet=common.quiet)
    warnings: tuple[str, ...] = ()
    if engine is not None:
        files, warnings = engine.index_files(), tuple(engine.warnings)
        prepared = prepare_index_set(files.index, files.metadata, source, encoder, seed, run)
    elif source.index is not None:
        metadata = metadata_beside(source.index, source.metadata)
        prepared = prepare_index_set(source.index, metadata, source, encoder, seed, run)
    else:
        prepared = prepare_texts_set(source, encoder, seed, run)
    searched = prepared.searched
    return TwoStageContext(
        retrieval_workload(searched, request),
        f"{searched.label}: {searched.description}",
        searched.digest,
        searched.is_sample,
        (*prepared.warnings, *warnings),
    )
