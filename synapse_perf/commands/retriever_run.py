"""Carries out a run of bench-cgrag over the user's own retriever: probe, then the same states, verdicts and report."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.analyze.retrieval_plan import RetrievalRequest, RetrievalSet
from synapse_perf.analyze.retriever_seen import Seen
from synapse_perf.commands.measuring import effort_of
from synapse_perf.commands.retrieval_examination import Examination
from synapse_perf.commands.retrieval_preparation import finished_or_interrupted, set_directory, write_file
from synapse_perf.commands.retrieval_run import RetrievalRun
from synapse_perf.commands.retrieval_set import Prepared, repeats
from synapse_perf.commands.retriever_choice import (
    RetrieverRequest,
    explained,
    parse_factory,
    probe_spec,
    read_probe,
    retriever_arms,
)
from synapse_perf.errors import InputError
from synapse_perf.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.retrieval_options import SourceOptions
    from synapse_perf.commands.retrieval_preparation import CarryOut
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Failure, Finding, Json, Metric, Subject, Trial, TrialSpec
    from synapse_perf.profiles import Profile
    from synapse_perf.retrieval.queries import Query

SAMPLE_QUERIES = "asked with the built-in queries, which are not about your documents: give your own with --queries"
PATIENCE_SHARE = 0.2  # of the time that the run has
IMPORT_TOLD_S = 0.005  # shorter ones are noise
# A dry run starts none of the user's code.
NOTHING_SEEN = Seen((), (), (), (), 0.0, 0.0, 0.0, 0.0, is_async=False, results=None, warnings=())


class RetrieverRun(RetrievalRun):
    """One run over one retriever that is the user's."""

    def __init__(
        self,
        profile: Profile,
        source: SourceOptions,
        request: RetrievalRequest,
        options: CommonOptions,
        carry_out: CarryOut,
    ) -> None:
        factory = parse_factory(source.retriever or "")
        request = replace(request, timeout_s=_patience_s(request.timeout_s, profile, options))
        queries, is_given = _queries(source)
        directory = set_directory("retriever", *(query.text for query in queries))
        path = directory / "queries.jsonl"
        self.retriever = RetrieverRequest(
            factory, str(path), len(queries), python=request.python, cwd=str(Path.cwd()), timeout_s=request.timeout_s
        )
        self.seen = NOTHING_SEEN
        if carry_out is not None:
            write_file(path, "\n".join(json.dumps({"query": query.text}) for query in queries) + "\n")
            self.seen = read_probe(finished_or_interrupted(carry_out, probe_spec(self.retriever)))
        super().__init__(profile, _prepared(factory, path, queries), request, options)
        self.warnings += [*self.seen.warnings, *([] if is_given else [SAMPLE_QUERIES])]
        if request.wants_caches and not self._caches():
            self.warnings.append(f"no cache is tried: one query takes {format_duration(self.seen.next_retrieve_s)}")

    @cached_property
    def arms(self) -> list[Arm]:
        from synapse_perf.analyze.sampling import Arm

        minimum = self.effort.bounds.minimum
        arms = [arm for arm in retriever_arms(self.retriever, self.seen) if arm.name in self.request.states]
        arms = [replace(arm, repeats=None if arm.name in ("cold", "warm") else minimum) for arm in arms]
        return [*arms, *(Arm(spec.arm, spec, minimum) for spec in self._experiments())]

    def _experiments(self) -> list[TrialSpec]:
        """A cache of its answers, and load."""
        from synapse_perf.commands.retriever_experiments import retriever_load_specs

        return self._caches() + (retriever_load_specs(self.retriever, self.seen) if self.request.wants_load else [])

    def _caches(self) -> list[TrialSpec]:
        from synapse_perf.analyze.retrieval_experiments import StreamOptions
        from synapse_perf.commands.retriever_experiments import retriever_cache_specs

        stream = StreamOptions(kind="log" if self.prepared.has_log else "zipf")
        return retriever_cache_specs(self.retriever, self.seen, stream) if self.request.wants_caches else []

    @property
    def subject(self) -> Subject:
        return "real"

    def _examine(self) -> Examination:
        """The probe has looked already; there is no index to look at."""
        return Examination()

    def _failures(self, outcome: Outcome) -> tuple[Failure, ...]:
        from synapse_perf.commands.retriever_experiments import explained_under_load

        return tuple(explained_under_load(explained(failure)) for failure in super()._failures(outcome))

    def _findings(self, metrics: Sequence[Metric], trials: Sequence[Trial]) -> tuple[Finding, ...]:
        """Every finding, the severest first."""
        from synapse_perf.analyze.retriever_findings import retriever_findings
        from synapse_perf.analyze.retriever_load_findings import retriever_cache_findings, retriever_load_findings
        from synapse_perf.analyze.targets import find_target
        from synapse_perf.commands.retrieval_record import severest_first

        confidence, limit_s = self.effort.confidence, find_target("cgrag-cold", self.effort.targets).limit
        findings = [
            *retriever_findings(metrics, self.seen, limit_s, confidence),
            *retriever_cache_findings(metrics, trials, confidence, is_async=self.seen.is_async),
            *retriever_load_findings(metrics, confidence),
        ]
        return severest_first(findings)

    def _imports(self) -> dict[str, float]:
        return {name: seconds for name, seconds in self.seen.imports if seconds >= IMPORT_TOLD_S}

    def _workload(self) -> dict[str, Json]:
        digest = hashlib.sha256(Path(self.retriever.queries).read_bytes()).hexdigest()[:16]
        return {
            "searched": {
                "label": self.retriever.factory,
                "queries": self.retriever.query_count,
                "files": [[Path(file.path).name, file.size_bytes] for file in self.seen.files[:10]],
                **({"imports_s": imports} if (imports := self._imports()) else {}),
                "asynchronous": self.seen.is_async,
            },
            # Of the questions and not of the code: a changed retriever is what a baseline is compared for.
            "digest": f"{self.retriever.factory} {digest}",
        }


def _patience_s(usual_s: float, profile: Profile, options: CommonOptions) -> float:
    """How long one process may take: more in a longer run, never more than the run."""
    most_s = effort_of(profile, options).bounds.max_time_s
    return usual_s if most_s is None else min(max(usual_s, PATIENCE_SHARE * most_s), most_s)


def _prepared(factory: str, path: Path, queries: Sequence[Query]) -> Prepared:
    searched = RetrievalSet(
        label=factory,
        description="a retriever of the user's",
        directory=str(path.parent),
        index="",
        metadata="",
        queries=str(path),
        query_vectors="",
        digest="",
        is_sample=False,
        encoder=None,
    )
    return Prepared(searched, has_log=repeats(queries))


def _queries(source: SourceOptions) -> tuple[Sequence[Query], bool]:
    """The queries, and whether they are the user's own."""
    if source.queries is not None:
        from synapse_perf.retrieval.queries import read_queries

        queries = read_queries(source.queries)
        if not queries:
            raise InputError(f"{source.queries}: no query in it", "write one query a line")
        return queries, True
    from synapse_perf.retrieval.sample_corpus import sample_corpus
    from synapse_perf.retrieval.texts import prepare_texts

    return prepare_texts(sample_corpus()).queries, False
