"""What GitHub's runner makes of a gate: the annotations that were meant, and no command out of any name."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_perf.analyze.gate_report import GateReport
from synapse_perf.errors import ExitCode
from synapse_perf.model import Check
from synapse_perf.report.gate_github import foreign_output, step_outputs, without_commands, workflow_commands
from tests.report.hostile import NAMES, reports, texts
from tests.report.test_gate_document import ALL, report, row

KNOWN = "error|warning|notice|debug|group|endgroup|add-mask|stop-commands|set-output|save-state|add-matcher"


def command(line: str) -> tuple[str, dict[str, str], str] | None:
    """The command of a line as the runner finds it, in either of its syntaxes, or None."""
    found = re.fullmatch(rf"\s*::({KNOWN})(?: +(.*?))?::(.*)", line, re.DOTALL)
    if found:
        pairs = (pair.split("=", 1) for pair in (found[2] or "").split(",") if "=" in pair)
        properties = {name.strip(): unescaped(value, "%3A:", "%2C,") for name, value in pairs}
        return found[1], properties, unescaped(found[3])
    older = re.search(rf"##\[({KNOWN})[^\]]*\](.*)", line, re.DOTALL)
    return (older[1], {}, older[2]) if older else None


def unescaped(text: str, *more: str) -> str:
    for pair in ("%0D\r", "%0A\n", *more, "%25%"):
        text = text.replace(pair[:3], pair[3:])
    return text


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    found = [command(line) for line in text.split("\n")[:-1]]
    assert all(found)
    return [one for one in found if one is not None]


def outputs(text: str) -> dict[str, str]:
    """A file of outputs as the runner reads it."""
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        if line:
            name, _, end = line.partition("<<")
            found[name] = "\n".join(iter(lines.__next__, end))
    return found


def test_the_worst_comes_first_and_each_level_is_what_it_does_to_the_job() -> None:
    found = commands(workflow_commands(ALL))
    assert [(level, properties["title"]) for level, properties, _ in found] == [
        ("error", "regressed: query_latency{tier=fast}"),
        ("error", "missing: gone"),
        ("error", "not comparable: other"),
        ("warning", "inconclusive: noisy"),
        ("notice", "waived: agreed"),
        ("notice", "improved: better"),
    ]
    assert found[0][2] == "before 10.0 ms, after 11.0 ms, 1.10× (1.05–1.15); the reason"


def test_no_more_than_github_shows_and_the_largest_slowdowns_are_those_shown() -> None:
    many = [row("regressed", f"m{place:02}") for place in range(30)]
    slowed = [replace(one, comparison=replace(one.comparison, ratio=1.1 + place)) for place, one in enumerate(many)]
    found = commands(workflow_commands(report(*slowed, row("inconclusive", "n"))))
    errors = [properties["title"] for level, properties, _ in found if level == "error"]
    assert errors == [*(f"regressed: m{place:02}" for place in range(29, 20, -1)), "21 more"]
    assert [level for level, _, _ in found].count("warning") == 1


def test_missed_targets_waivers_and_empty_gates_are_told() -> None:
    check = Check("query-fast", "query_latency", "p90", 2.0, "s", 3.0, "fail", "over it")
    found = replace(report(row("unchanged")), checks=(check,), faults=("the waiver of m ran out",), warnings=("w",))
    told = [(level, message) for level, _, message in commands(workflow_commands(found))]
    assert told == [
        ("error", "the waiver of m ran out"),
        ("error", "p90 3.00 s, limit 2.00 s: fail; over it"),
        ("warning", "w"),
    ]
    assert commands(workflow_commands(report()))[0][2] == "nothing was compared, which is no pass"
    assert commands(workflow_commands(replace(report(), created="x.json")))[0][0] == "notice"


@given(found=reports())
@settings(max_examples=80, deadline=None)
def test_every_line_is_one_of_our_annotations_and_a_red_gate_has_an_error(found: GateReport) -> None:
    levels = [level for level, _, _ in commands(workflow_commands(found))]
    assert set(levels) <= {"error", "warning", "notice"}
    assert all(levels.count(level) <= 10 for level in levels)
    if found.exit_code in (ExitCode.FAIL, ExitCode.NOT_COMPARABLE, ExitCode.MEASUREMENT_FAILED):
        assert "error" in levels


@pytest.mark.parametrize("name", [name for name in NAMES if name.isprintable()])
def test_a_name_comes_back_as_it_was(name: str) -> None:
    ((_, properties, _),) = commands(workflow_commands(report(row("regressed", name))))
    assert properties["title"] == f"regressed: {name}"


@given(text=texts)
def test_no_line_of_a_report_is_a_command(text: str) -> None:
    shown = without_commands(f"first\n{text}\n  {text}")
    assert [command(line) for line in shown.split("\n")] == [None] * len(shown.split("\n"))


def test_foreign_output_stands_between_a_word_that_nobody_can_guess() -> None:
    first, second = foreign_output("::error::x").split("\n"), foreign_output("").split("\n")
    name, _, token = command(first[0]) or ("", {}, "")
    assert (name, first[1:]) == ("stop-commands", ["::error::x", f"::{token}::"])
    assert token not in second[0]


@given(found=reports(), code=st.sampled_from(list(ExitCode)))
@settings(max_examples=60, deadline=None)
def test_outputs_are_what_they_are_and_no_value_makes_another(found: GateReport, code: ExitCode) -> None:
    read = outputs(step_outputs(found, code))
    assert list(read) == ["exit-code", "verdict", "summary", "regressed"]
    assert read["exit-code"] == str(int(code))


def test_outputs_name_what_regressed_one_a_line() -> None:
    read = outputs(
        step_outputs(report(row("regressed", "a\nb"), row("regressed", "c"), row("unchanged")), ExitCode.FAIL)
    )
    assert read == {
        "exit-code": "1",
        "verdict": "fail",
        "summary": "2 regressed, 1 unchanged",
        "regressed": "a b\nc",
    }
