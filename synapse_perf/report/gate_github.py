"""What does GitHub understand of a gate? Annotations as workflow commands, and the outputs of its step."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from synapse_perf.analyze.gate_report import GateReport, GateRow, is_compared, row_code
from synapse_perf.errors import ExitCode
from synapse_perf.report.characters import clean
from synapse_perf.report.gate_document import ORDER, WORDS, judged_rows, verdict_text, verdict_word
from synapse_perf.report.result_junit import check_case, comparison_text

Level = Literal["error", "warning", "notice"]
SHOWN = 10  # annotations of one level that GitHub shows of a step

_ROWS: Mapping[ExitCode, Level] = {
    ExitCode.FAIL: "error",
    ExitCode.NOT_COMPARABLE: "error",
    ExitCode.INCONCLUSIVE: "warning",
}
_CHECKS: Mapping[str, Level] = {"fail": "error", "not-comparable": "error", "inconclusive": "warning"}


@dataclass(frozen=True, slots=True)
class Annotation:
    level: Level
    title: str
    message: str


def workflow_commands(report: GateReport) -> str:
    """One line each, the worst first; where there are more than GitHub shows, the last one counts the others."""
    found = list(_annotations(report))
    return "".join(f"{workflow_command(each)}\n" for level in get_args(Level) for each in _shown(found, level))


def workflow_command(one: Annotation) -> str:
    """Escaped as the runner reads it: a line break or a colon of ours cannot begin another command."""
    title = _escaped(one.title).replace(":", "%3A").replace(",", "%2C")
    return f"::{one.level} title={title}::{_escaped(one.message)}"


def without_commands(text: str) -> str:
    """A text for the log of a job in which no line is a command to the runner, whatever names it holds."""
    return re.sub(r"(?m)^([^\S\n]*):(?=:)", r"\1: ", text).replace("##[", "## [")


def foreign_output(text: str) -> str:
    """The output of somebody's program for the log of a job: the runner takes no commands until it is over."""
    token = secrets.token_hex(16)
    return f"::stop-commands::{token}\n{text}\n::{token}::"


def step_outputs(report: GateReport, code: int) -> str:
    """``exit-code``, ``verdict``, ``summary`` and ``regressed`` (one metric a line), as GITHUB_OUTPUT takes them."""
    regressed = [row.comparison.metric for row in judged_rows(report) if row_code(row, report.rows) == ExitCode.FAIL]
    values = {
        "exit-code": str(int(code)),
        "verdict": verdict_word(report)[0].lower().replace(" ", "-"),
        "summary": verdict_text(report),
        "regressed": "\n".join(" ".join(clean(metric).split()) for metric in regressed),
    }
    return "".join(_output(name, value) for name, value in values.items())


def _output(name: str, value: str) -> str:
    """Between delimiters that nobody can guess: a value with line breaks ends nothing and begins no other output."""
    end = f"end_{secrets.token_hex(16)}"
    return f"{name}<<{end}\n{clean(value)}\n{end}\n"


def _shown(found: list[Annotation], level: Level) -> list[Annotation]:
    these = [one for one in found if one.level == level]
    if len(these) <= SHOWN:
        return these
    more = len(these) - SHOWN + 1
    return [*these[: SHOWN - 1], Annotation(level, f"{more} more", "The summary of the step has all of them.")]


def _annotations(report: GateReport) -> Iterator[Annotation]:
    yield from _of_the_whole(report)
    for row in sorted(judged_rows(report), key=_badness):
        level = _ROWS.get(row_code(row, report.rows))
        word = WORDS[row.comparison.status][0].lower()
        if level is None and (row.waived or row.comparison.status == "improved"):
            level, word = "notice", "waived" if row.waived else word
        if level is not None:
            why = f"waived: {row.waived}" if row.waived else row.comparison.reason
            yield Annotation(level, f"{word}: {row.comparison.metric}", f"{comparison_text(row.comparison)}; {why}")
    for check in report.checks:
        if check.status in _CHECKS:
            case = check_case(check, "")
            yield Annotation(_CHECKS[check.status], f"target: {case.name}", f"{case.message}; {case.text}")
    for warning in report.warnings:
        yield Annotation("warning", "gate", warning)


def _of_the_whole(report: GateReport) -> Iterator[Annotation]:
    for failure in report.failures:
        yield Annotation("error", "gate", failure)
    for fault in report.faults:
        yield Annotation("error", "waiver", fault)
    if report.created:
        yield Annotation("notice", "gate", f"{verdict_text(report)}; commit it")
    if not report.has_samples:
        yield Annotation("error", "gate", "nothing was measured, which is no pass")
    elif not report.created and not any(map(is_compared, report.rows)):
        yield Annotation("error", "gate", "nothing was compared, which is no pass")


def _badness(row: GateRow) -> tuple[int, float]:
    """By status, then the largest slowdown first."""
    ratio = row.comparison.ratio or 1.0
    return ORDER.index(row.comparison.status), ratio if row.better == "higher" else -ratio


def _escaped(text: str) -> str:
    return clean(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
