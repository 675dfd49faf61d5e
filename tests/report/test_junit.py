"""JUnit files hold to the schema of the readers, say what the exit code says, and take any name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from synapse_perf.analyze.gate_report import GateReport
from synapse_perf.errors import ExitCode
from synapse_perf.model import Result
from synapse_perf.report.gate_junit import gate_junit
from synapse_perf.report.result_junit import result_junit
from tests.made_results import made_result, made_suite
from tests.report.every_example import EVERY
from tests.report.hostile import NAMES, reports, results
from tests.report.test_gate_document import ALL, report, row

# By element, as Jenkins's junit-10.xsd has it: required and further attributes, and children. Times are SUREFIRE_TIME.
TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")
ENDED: tuple[set[str], set[str], set[str]] = (set(), {"type", "message"}, set())
SCHEMA: Mapping[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url", "group"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name"},
        {"time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ENDED,
    "error": ENDED,
    "skipped": ENDED,
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "system-out": (set(), set(), set()),
}


def parsed(text: str) -> ElementTree.Element:
    """The document, once it is known to hold to the schema, to count right, and to name no two cases alike."""
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites"
    for node in root.iter():
        required, further, children = SCHEMA[node.tag]
        assert required <= set(node.attrib) <= required | further, node.attrib
        assert {child.tag for child in node} <= children
        assert TIME.fullmatch(node.get("time", "0"))
        if node.tag in ("testsuites", "testsuite"):
            ended = Counter(child.tag for case in node.iter("testcase") for child in case)
            told = {name: node.get(name) for name in ("tests", "failures", "errors", "skipped") if name in node.attrib}
            counts = {"tests": len(list(node.iter("testcase"))), "failures": ended["failure"]}
            counts |= {"errors": ended["error"], "skipped": ended["skipped"]}
            assert told == {name: str(counts[name]) for name in told}
    for suite in root:
        names = [(case.get("classname"), case.get("name")) for case in suite.iter("testcase")]
        assert names
        assert len(set(names)) == len(names)
    return root


def outcomes(root: ElementTree.Element) -> dict[str, str]:
    ends = ("failure", "error", "skipped")
    return {
        case.get("name", ""): next((child.tag for child in case if child.tag in ends), "passed")
        for case in root.iter("testcase")
    }


def test_each_status_of_a_gate_has_its_outcome() -> None:
    assert outcomes(parsed(gate_junit(ALL))) == {
        "query_latency{tier=fast}": "failure",
        "gone": "error",
        "other": "error",
        "noisy": "skipped",
        "better": "passed",
        "steady": "passed",
        "agreed": "skipped",
    }


def test_a_failure_tells_both_values_the_interval_and_the_reason() -> None:
    failure = parsed(gate_junit(report(row("regressed")))).find(".//failure")
    assert failure is not None
    message = "before 10.0 ms, after 11.0 ms, 1.10× (1.05–1.15); a slowdown counts from 3.00 %"
    assert failure.get("message") == message
    assert failure.text == f"{message}\nthe reason"


@given(found=reports())
@settings(max_examples=80, deadline=None)
def test_a_gate_says_in_its_cases_what_its_exit_code_says(found: GateReport) -> None:
    ended = set(outcomes(parsed(gate_junit(found))).values())
    code = found.exit_code
    assert ("error" in ended) == (code in (ExitCode.NOT_COMPARABLE, ExitCode.MEASUREMENT_FAILED, ExitCode.INTERRUPTED))
    if code == ExitCode.FAIL:
        assert "failure" in ended
    if code in (ExitCode.INCONCLUSIVE, ExitCode.PASS):
        assert ended <= {"passed", "skipped"}
    if code == ExitCode.INCONCLUSIVE:
        assert "skipped" in ended


@given(found=results())
@settings(max_examples=60, deadline=None)
def test_a_run_of_hostile_names_holds_to_the_schema(found: Result) -> None:
    parsed(result_junit([found]))


@pytest.mark.parametrize("name", [name for name in NAMES if name.isprintable()])
def test_a_name_comes_back_as_it_was(name: str) -> None:
    assert list(outcomes(parsed(gate_junit(report(row("regressed", name)))))) == [name]


@pytest.mark.parametrize("name", EVERY)
def test_every_kind_of_run_holds_to_the_schema(name: str) -> None:
    parsed(result_junit([EVERY[name]()]))


def test_targets_comparisons_and_failures_of_a_run_are_cases() -> None:
    found = outcomes(parsed(result_junit([made_result()])))
    key = "model_startup_time{cache=cold,model=fast}"
    assert found == {"measured": "passed", f"model-startup-cpu: {key}": "passed", key: "passed", "deep, read": "error"}


def test_a_run_without_a_sample_has_an_error() -> None:
    empty = replace(made_result(), metrics=(), checks=(), comparisons=(), failures=())
    assert outcomes(parsed(result_junit([empty]))) == {"measured": "error"}


def test_each_run_of_a_suite_is_a_suite_of_its_own() -> None:
    root = parsed(result_junit(made_suite().results))
    assert [suite.get("name") for suite in root] == ["profile-load", "bench-cgrag"]


def test_a_baseline_that_was_just_made_is_no_failure() -> None:
    assert outcomes(parsed(gate_junit(replace(report(), created="baselines/x.json")))) == {"baseline": "skipped"}
