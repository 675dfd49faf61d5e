"""How does a verdict read as JUnit XML, which CI services show as tests?

A case is one question. It failed: answered, and badly. It has an error: it could not be answered, though it should have
been (a metric that is gone, another machine, a crash). It is skipped: left open, or not to be judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree

from synapse_perf.report.characters import clean

Outcome = Literal["passed", "failure", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class Case:
    """`kind` is one word for machines, `message` one line, `text` what more there is to say."""

    group: str
    name: str
    outcome: Outcome = "passed"
    kind: str = ""
    message: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class CaseSuite:
    """The cases of one run; the time is that of measuring, which no case has a part of to itself."""

    name: str
    cases: Sequence[Case]
    started_at: str
    duration_s: float
    properties: Mapping[str, str] = field(default_factory=dict)
    output: str = ""


def junit_text(suites: Sequence[CaseSuite]) -> str:
    """One document; services ignore a case whose name they have seen, so a name that comes again gets a number."""
    cases = [case for suite in suites for case in suite.cases]
    root = ElementTree.Element("testsuites", {"name": "synapse-perf", **_counts(cases), "time": _seconds(suites)})
    del root.attrib["skipped"]  # the schema knows it of a suite alone
    for suite in suites:
        root.append(_suite(suite))
    ElementTree.indent(root, " ")
    return f"{_DECLARATION}{ElementTree.tostring(root, encoding='unicode')}\n"


_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def _suite(suite: CaseSuite) -> ElementTree.Element:
    node = ElementTree.Element(
        "testsuite", {"name": clean(suite.name), **_counts(suite.cases), "time": _seconds([suite])}
    )
    if suite.started_at:
        node.set("timestamp", clean(suite.started_at[: len("2026-11-23T10:15:30")]))
    if suite.properties:
        properties = ElementTree.SubElement(node, "properties")
        for name, value in suite.properties.items():
            ElementTree.SubElement(properties, "property", name=name, value=clean(value))
    taken: set[tuple[str, str]] = set()
    for case in suite.cases:
        name, number = clean(case.name), 1
        while (case.group, name) in taken:
            number += 1
            name = f"{clean(case.name)} ({number})"
        taken.add((case.group, name))
        node.append(_case(case, name))
    if suite.output:
        ElementTree.SubElement(node, "system-out").text = clean(suite.output)
    return node


def _case(case: Case, name: str) -> ElementTree.Element:
    node = ElementTree.Element("testcase", classname=case.group, name=name, time="0.000")
    if case.outcome != "passed":
        ended = ElementTree.SubElement(node, case.outcome, type=case.kind, message=clean(case.message))
        ended.text = clean("\n".join(part for part in (case.message, case.text) if part))  # some services show one only
    elif case.text:
        ElementTree.SubElement(node, "system-out").text = clean(case.text)
    return node


def _counts(cases: Iterable[Case]) -> dict[str, str]:
    outcomes = [case.outcome for case in cases]
    counted: dict[str, Outcome] = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return {"tests": str(len(outcomes)), **{name: str(outcomes.count(outcome)) for name, outcome in counted.items()}}


def _seconds(suites: Sequence[CaseSuite]) -> str:
    return f"{sum(suite.duration_s for suite in suites):.3f}"
