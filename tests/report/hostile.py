"""Names that break formats, and whole gates and runs that are full of them."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from hypothesis import strategies as st

from synapse_perf.analyze.gate_report import GateReport, GateRow
from synapse_perf.model import (
    Better,
    Check,
    CheckStatus,
    Comparison,
    ComparisonStatus,
    Failure,
    Leak,
    LeakStatus,
    Metric,
    Result,
    Summary,
    TrialRecord,
)
from tests.made_results import made_result

NAMES = (
    "a|b`<script>alert(1)</script>",
    "two\nlines\r\nof\rit",
    "::error::x",
    "  ::add-mask::x",
    "##[error]x",
    "100%0A%",
    "]]> & <![CDATA[ \x1b[31m \x00",
    'quote " and \\ and \\n',
    "@octocat fixes #1",
    "<!-- synapse-perf:gate -->",
    "lone \ud800 half, \ufffe, \u202e turned",
    "",
)
texts = st.one_of(st.sampled_from(NAMES), st.text(st.characters(exclude_categories=()), max_size=20))
values = st.one_of(st.none(), st.floats(1e-9, 1e9))
units = st.one_of(st.sampled_from(("s", "B", "1", "1/s", "B/s")), texts)


@st.composite
def rows(draw: st.DrawFn) -> GateRow:
    status = draw(st.sampled_from(get_args(ComparisonStatus)))
    ratio = draw(values)
    low, high = (None, None) if ratio is None else (ratio * 0.9, ratio * 1.1)
    baseline, current = draw(values), draw(values)
    one = Comparison(draw(texts), status, baseline, current, draw(units), ratio, low, high, draw(texts))
    return GateRow(
        one,
        draw(st.sampled_from(get_args(Better))),
        0.03,
        waived=draw(st.sampled_from(("", "", "meant\n::error::y"))),
        is_principal=draw(st.booleans()),
        stands_for=draw(st.sampled_from(("", "", "every time"))),
    )


@st.composite
def checks(draw: st.DrawFn) -> Check:
    status = draw(st.sampled_from(get_args(CheckStatus)))
    return Check(draw(texts), draw(texts), "p90", 2.0, draw(units), draw(values), status, draw(texts))


@st.composite
def reports(draw: st.DrawFn) -> GateReport:
    return GateReport(
        method="paired",
        baseline=draw(texts),
        current=draw(texts),
        rows=tuple(draw(st.lists(rows(), max_size=6))),
        effect=0.1,
        detects="slowdowns from 10.0 %",
        started_at="2026-11-23T10:00:00.000Z",
        duration_s=42.0,
        checks=tuple(draw(st.lists(checks(), max_size=3))),
        warnings=tuple(draw(st.lists(texts, max_size=2))),
        faults=tuple(draw(st.lists(texts, max_size=2))),
        is_interrupted=draw(st.sampled_from((False, False, False, True))),
        has_samples=draw(st.sampled_from((True, True, True, False))),
        created=draw(st.sampled_from(("", "", "baselines/x.json"))),
    )


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    labels = draw(st.dictionaries(texts, texts, max_size=3))
    median = draw(values)
    summary = Summary(1, 1, median, draw(values), None, None, None)
    better = draw(st.sampled_from(get_args(Better)))
    return Metric(draw(texts), labels, draw(units), better, (TrialRecord("", 1, (1.0,)),), summary)


@st.composite
def results(draw: st.DrawFn) -> Result:
    leak_status = draw(st.sampled_from(get_args(LeakStatus)))
    leak = Leak(draw(texts), leak_status, draw(values), None, None, 0.95, draw(units), None, 20, None, draw(texts))
    failure = Failure("crash", draw(texts), draw(texts), draw(texts), draw(texts), {"model": draw(texts)})
    row = draw(rows())
    return replace(
        made_result(),
        profile=draw(texts),
        metrics=tuple(draw(st.lists(metrics(), max_size=4))),
        checks=tuple(draw(st.lists(checks(), max_size=3))),
        comparisons=(row.comparison,),
        warnings=(draw(texts),),
        failures=(failure,) if draw(st.booleans()) else (),
        leaks=(leak,),
    )
