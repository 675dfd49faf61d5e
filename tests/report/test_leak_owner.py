"""Is the culprit right after the verdict, by name, and readable at 80 columns?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.leak_findings import leak_findings, with_proof
from synapse_perf.model import Finding, Result
from synapse_perf.report.render import render
from tests.analyze.made_owners import EACH, cleared, container, growing, seen
from tests.report.leak_examples import leak

LINES = {
    "function": "app.cache:lookup",
    "file": "app/cache.py",
    "calls": 20,
    "lines": [
        {"line": 41, "growth_bytes": 102_400.0, "hits": 1.0, "text": "    STORE[key] = load(key)"},
        {"line": 42, "growth_bytes": 0.0, "hits": 1.0, "text": "    return STORE[key]"},
    ],
}


def owned(*, proof: bool = False) -> Result:
    one = growing({"heap": float(EACH)})
    cache = container("app.cache.lookup", "lru_cache", bound=None)
    findings = leak_findings(one, seen([cache, container("app.cache.INDEX", "dict")]))
    if proof:
        findings = with_proof(findings, one, cleared({"heap": 0.0}), "app.cache.lookup")
    return replace(leak(), findings=tuple(findings))


def shown(result: Result, width: int = 80) -> str:
    return render(result, "console", width=width, color=False, ascii_only=False)


def test_the_owner_comes_right_after_the_verdict() -> None:
    text = shown(owned())

    assert text.index("LEAK:") < text.index("Who holds it") < text.index("series")
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    "line",
    [
        "app.cache.lookup",
        "grows    live heap, app:work: +97.7 KiB per iteration",
        "holds    lru_cache, no bound, +1.00 entries per iteration of bytes, 97.7 KiB",
        "made at  app/cache.py:41 (lookup)",
        "memory   100 % Python, 0.00 % compiled code",
        "also     app.cache.INDEX",
    ],
)
def test_what_is_told_of_an_owner(line: str) -> None:
    assert line in shown(owned())


def test_a_proof_is_told_with_both_rates() -> None:
    assert "PROVED: +97.7 KiB per iteration, and 0 B with it cleared each time" in shown(owned(proof=True))


def test_the_list_of_findings_does_not_tell_again_what_is_told_of_an_owner() -> None:
    findings = shown(owned(proof=True)).partition("Findings")[2].partition("Settings")[0]

    assert "app/cache.py:41 (lookup)" in findings
    assert "entry_bytes" not in findings
    assert "proof" not in findings


def test_what_is_known_of_an_owner_that_nobody_was_asked_for() -> None:
    example = leak()
    told = replace(example, plan={**example.plan, "holders": {"servers": "what was left are processes"}})

    assert "servers: what was left are processes." in shown(told).partition("Who holds it")[2]


def test_nothing_is_told_where_nothing_has_an_owner() -> None:
    assert "Who holds it" not in shown(leak())


def test_the_lines_of_a_function_are_a_table_with_its_code() -> None:
    finding = Finding("line-memory", "info", "app.cache:lookup: in the table above", LINES, None, "", "", "")
    text = shown(replace(leak(), findings=(finding,)))

    assert "Lines of app.cache:lookup" in text
    assert "  41        100 KiB  1.00  STORE[key] = load(key)" in text
