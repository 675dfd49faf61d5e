"""When is what a page renders by itself worth a word, and when is it a fault?"""

from __future__ import annotations

from typing import Any

import pytest

from synapse_perf.analyze.ui_findings import ui_findings
from synapse_perf.model import Finding
from tests.analyze.made_pages import browsers

WATCHED: dict[str, Any] = {
    "renders_seconds": 2.0,
    "renders_commits": 0,
    "renders_renders": 0,
    "renders_idle_renders": 0,
    "renders_components": "",
    "renders_rebuilt": 0,
    "renders_rewritten": 0,
    "renders_rebuilt_in": "",
}
REACT: dict[str, Any] = {
    **WATCHED,
    "renders_commits": 40,
    "renders_renders": 800,
    "renders_idle_renders": 780,
    "renders_components": "Row, Feed",
}
BUSY: dict[str, Any] = {"script_share": 0.3, "busiest": "renderRow (app.js:7)", "busiest_share": 0.21}


def found(**about: Any) -> tuple[Finding, ...]:
    return ui_findings(browsers(**about))


def test_components_that_react_renders_for_nothing_are_told_by_name() -> None:
    (finding,) = found(**REACT, **BUSY)

    assert (finding.id, finding.severity) == ("needless-renders", "medium")
    assert finding.cause == (
        "while nobody does anything React renders 400 components a second, 97.5 % of them for nothing: nothing below "
        "them changes, and no effect is due (most often Row, Feed); scripts, style and layout take 33.0 % of the time"
    )
    assert finding.evidence["most_of_it_in"] == "renderRow (app.js:7)"


def test_it_asks_for_nothing_where_it_costs_next_to_nothing() -> None:
    assert [one.severity for one in found(**REACT)] == ["info"]


@pytest.mark.parametrize(("rendered", "idle"), [(800, 390), (40, 39), (0, 0)])
def test_few_or_such_that_change_the_page_are_no_fault(rendered: int, idle: int) -> None:
    assert found(**{**REACT, **BUSY, "renders_renders": rendered, "renders_idle_renders": idle}) == ()


def test_a_list_that_is_built_anew_alike_is_told_with_its_name() -> None:
    (finding,) = found(**{**WATCHED, **BUSY, "renders_rebuilt": 12_000, "renders_rebuilt_in": "ul#rows"})

    assert (finding.id, finding.severity) == ("needless-renders", "medium")
    assert finding.cause.startswith(
        "while nobody does anything the page takes out 6000 elements a second and puts the same in again, most "
        "of them in ul#rows; scripts"
    )


def test_values_that_stay_the_same_are_told_from_a_few_on() -> None:
    assert found(**{**WATCHED, "renders_rewritten": 30}) == ()
    (finding,) = found(**{**WATCHED, "renders_rewritten": 60})
    assert finding.cause == "while nobody does anything the page sets 30.0 values a second to what they are"


def test_a_page_that_was_not_watched_has_no_finding() -> None:
    assert found(**BUSY) == ()
