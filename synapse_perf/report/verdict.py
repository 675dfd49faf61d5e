"""What is the outcome, in one line, and which sentence of reason is behind it?"""

from __future__ import annotations

from collections.abc import Sequence

from synapse_perf.model import Check, CheckStatus, Result
from synapse_perf.report.document import Block, Paragraph, Section
from synapse_perf.report.figures import format_gain, where_of
from synapse_perf.report.findings_list import ranked_findings
from synapse_perf.report.runs import log_of
from synapse_perf.report.targets_table import SAMPLE, SAMPLE_WORDS, STATUS_TONES, STATUS_WORDS, worst
from synapse_perf.units import format_duration, format_value

_OUTCOMES: dict[CheckStatus, str] = {
    "fail": "missed",
    "inconclusive": "not decided",
    "not-comparable": "not comparable",
    "not-measured": "not measured",
    "pass": "met",
}


def verdict_section(result: Result, figures: Sequence[str] = ()) -> Section:
    """The verdict line, the reasons, the figures in a sentence each, and how and where it was measured."""
    line = f"{STATUS_WORDS[result.verdict]}: {'; '.join(_outcome(result))}"
    blocks: list[Block] = [Paragraph(line, STATUS_TONES[result.verdict])]
    blocks += [Paragraph(text) for text in (*_reasons(result, is_told=bool(figures)), *figures)]
    return Section("", (*blocks, *how_and_where(result)))


def how_and_where(result: Result) -> list[Paragraph]:
    """How much was measured, when, on which machine, at which commit."""
    return [Paragraph(text, "quiet") for text in (_run_text(result), _machine_text(result)) if text]


def _outcome(result: Result) -> list[str]:
    parts = []
    if log_of(result):
        parts.append("read from a log, by which no target is judged")
        return parts + _failure_counts(result)
    measured = any(metric.summary.count for metric in result.metrics)
    if result.subject == "sample":
        parts.append(SAMPLE_WORDS[result.verdict] if measured else "sample, not your system")
    else:
        parts += _target_counts(result)
    if not measured:
        parts.append("nothing was measured")
    worse = _worse(result)
    if result.verdict == "pass" and result.leaks and all(check.status != "pass" for check in result.checks):
        parts.insert(0, f"no leak in {len(result.leaks)} checks")  # which alone the verdict rests on
    rests_on_targets = any(check.status == "fail" for check in result.checks)
    return (parts + worse if rests_on_targets else worse + parts) + _failure_counts(result)


def _worse(result: Result) -> list[str]:
    """What fails a run beside its targets."""
    parts = []
    regressed = sum(one.status == "regressed" for one in result.comparisons)
    if regressed:
        parts.append(f"{regressed} of {len(result.comparisons)} metrics regressed against the baseline")
    leaks = sum(leak.status == "leak" for leak in result.leaks)
    if leaks:
        parts.append(f"{leaks} leak{'s' if leaks > 1 else ''}")
    return parts


def _failure_counts(result: Result) -> list[str]:
    count = len(result.failures)
    return [f"{count} failure{'s' if count > 1 else ''}"] if count else []


def _target_counts(result: Result) -> list[str]:
    targets = dict.fromkeys(check.target for check in result.checks)
    rows = [worst([one for one in result.checks if one.target == name]) for name in targets]
    texts = []
    for status in sorted(_OUTCOMES, key=lambda status: status != result.verdict):  # what the verdict rests on first
        shown = [_target_text(check) for check in rows if check.status == status]
        if shown:
            plural = "s" if len(shown) > 1 else ""
            texts.append(f"{len(shown)} target{plural} {_OUTCOMES[status]} ({'; '.join(shown)})")
    return texts or ["no target applies"]


def _target_text(check: Check) -> str:
    if check.observed is None:
        return check.target
    return f"{check.target} {format_value(check.observed, check.unit)}, limit {format_value(check.limit, check.unit)}"


def _reasons(result: Result, *, is_told: bool = False) -> list[str]:
    """Why no target is decided, if so; then the top finding's cause with what a change gives.

    A sample's reason says only what it measured against its limit, which may be told already.
    """
    reasons = []
    if result.failures and result.verdict == "not-measured":
        first = result.failures[0]
        where = where_of(first.labels, first.arm)
        told = first.message if where in first.message else f"{where}: {first.message}"
        reasons.append(f"{_sentence(told).rstrip('.')}.")
    elif _needs_reason(result) and not (is_told and result.subject == "sample"):
        reasons.append(_check_reason(result))
    findings = ranked_findings(result)
    if findings and findings[0].cause:
        top = findings[0]
        is_numbered = top.severity != "info"  # notes are listed without the change they might give
        gain = f" Change 1 below gives {format_gain(top.gain)}." if top.gain and top.change and is_numbered else ""
        reasons.append(f"{_sentence(top.cause).rstrip('.')}.{gain}")
    return reasons


def _needs_reason(result: Result) -> bool:
    """Whether the worst check has to explain the verdict, as it is no plain one or nothing else explains it."""
    if not result.checks or log_of(result):
        return False
    return result.verdict not in ("pass", "fail") or not result.findings


def _check_reason(result: Result) -> str:
    """Of the worst check, named unless it is the only one, which the verdict line has named."""
    check = worst(list(result.checks))
    if SAMPLE in check.reason:  # the verdict line has said that already
        return f"{check.target}: {check.reason.partition(SAMPLE)[2].lstrip(': ')}."
    if len({one.target for one in result.checks}) == 1:
        return f"{_sentence(check.reason)}."
    return f"{_target_text(check)}: {check.reason}."


def _sentence(text: str) -> str:
    """With a capital, unless it begins with a name: ``qwen3-4b:``, ``llama.cpp``."""
    word = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if word.isalpha() else text


def _run_text(result: Result) -> str:
    trials = {
        (trial.arm, trial.process, *(metric.labels.get(key) for key in ("model", "device", "cache", "hunt")))
        for metric in result.metrics
        for trial in metric.trials
    }
    count = len(trials)
    log = log_of(result)
    if log:
        return f"{result.benchmark} · {count} load{'' if count == 1 else 's'} in {log}"
    parts = [
        result.benchmark,
        f"profile {result.profile}" if result.profile else "",
        f"{count} trial{'' if count == 1 else 's'} in {format_duration(result.duration_s)}",
    ]
    return " · ".join(part for part in parts if part)


def _machine_text(result: Result) -> str:
    started = ("read " if log_of(result) else "") + result.started_at[:16].replace("T", " ") + " UTC"
    return " · ".join(part for part in (started, _machine(result), _commit(result)) if part)


def _machine(result: Result) -> str:
    """What people know a machine by."""
    known = result.environment.hardware_class
    cores, memory = known.get("usable_cores"), known.get("memory_gib_pow2")
    words = [
        str(known.get("cpu_model") or known.get("architecture") or ""),
        f"{cores} cores" if cores else "",
        f"{memory} GiB" if memory else "",
        *(str(gpu) for gpu in known.get("gpus") or ()),
    ]
    return ", ".join(word for word in words if word)


def _commit(result: Result) -> str:
    commit = str(result.environment.git.get("revision") or "")
    changed = " with changes" if result.environment.git.get("dirty") else ""
    return f"commit {commit[:10]}{changed}" if commit else ""
