"""Any result that the types allow, for property tests."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from synapse_perf import model
from synapse_perf.model import Result

finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=8)
facts = st.one_of(finite, st.integers(), texts, st.booleans(), st.none())
jsons = st.recursive(facts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
labels = st.dictionaries(texts, texts, max_size=2)
objects = st.dictionaries(texts, jsons, max_size=2)
maybe = st.none() | finite


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=2).map(tuple)


def one_of(literal: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(get_args(literal))


summaries = st.builds(
    model.Summary,
    *(st.integers(0), st.integers(0), maybe, maybe, maybe, maybe),
    st.none() | st.builds(model.Interval, one_of(model.Statistic), finite, finite, finite),
)
trials = st.builds(
    model.TrialRecord,
    texts,
    st.integers(1),
    some(finite),
    st.dictionaries(texts, some(facts), max_size=2),
    st.integers(0),
)
checks = st.builds(
    model.Check, texts, texts, one_of(model.Statistic), finite, texts, maybe, one_of(model.CheckStatus), texts
)
made_results = st.builds(
    Result,
    benchmark=texts,
    subject=one_of(model.Subject),
    profile=texts,
    started_at=texts,
    duration_s=finite,
    workload=objects,
    plan=objects,
    environment=st.builds(model.Environment, objects, objects, objects, objects),
    metrics=some(st.builds(model.Metric, texts, labels, texts, one_of(model.Better), some(trials), summaries)),
    checks=some(checks),
    comparisons=some(
        st.builds(
            model.Comparison,
            *(texts, one_of(model.ComparisonStatus), maybe, maybe, texts, maybe, maybe, maybe, texts),
        )
    ),
    warnings=some(texts),
    failures=some(st.builds(model.Failure, one_of(model.FailureKind), texts, texts, texts, texts, labels)),
    verdict=one_of(model.CheckStatus),
    findings=some(
        st.builds(
            model.Finding,
            *(texts, one_of(model.Severity), texts, objects),
            st.none() | st.builds(model.Gain, finite, maybe, maybe, texts, st.booleans()),
            *(texts, texts, texts),
        )
    ),
    leaks=some(
        st.builds(
            model.Leak,
            *(texts, one_of(model.LeakStatus), maybe, maybe, maybe, finite, texts, maybe, st.integers(0), maybe, texts),
        )
    ),
)
