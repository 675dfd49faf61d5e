"""Which way to load is best from spawn to first token, or can they not be told apart?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.analyze.compare import ratio_interval
from synapse_perf.analyze.load_starts import Start, has_false, texts
from synapse_perf.llama.settings import change_text
from synapse_perf.model import Finding, Gain, Json, Metric
from synapse_perf.units import format_duration, format_percent

NEEDED = 6  # processes of each, as everywhere


@dataclass(frozen=True, slots=True)
class Contest:
    """The variants of one model in one page-cache state, the reference first."""

    starts: tuple[Start, ...]

    @property
    def reference(self) -> Start:
        return self.starts[0]

    def effective(self) -> list[Start]:
        """Without those that llama.cpp did not honour: they measured something else than they say."""
        return [start for start in self.starts if not has_false(start.startup, "load_mode_effective")]


def contests(starts: Sequence[Start]) -> list[Contest]:
    """Every model and cache state that was loaded in more than one way."""
    groups: dict[tuple[str, str], list[Start]] = {}
    for start in starts:
        groups.setdefault((start.model, start.cache), []).append(start)
    ordered = [sorted(group, key=lambda start: start.variant != "") for group in groups.values()]
    return [Contest(tuple(group)) for group in ordered if len(group) > 1 and not group[0].variant]


def best_variants(starts: Sequence[Start], confidence: float) -> list[Finding]:
    """One finding for each contest, and one for each way to load that was not honoured."""
    found = []
    for contest in contests(starts):
        found += [_not_effective(start) for start in contest.starts if start not in contest.effective()]
        if len(contest.effective()) > 1:
            found.append(_best(contest, confidence))
    return found


def _best(contest: Contest, confidence: float) -> Finding:
    """The fastest median wins only if it beats every other at the corrected confidence."""
    candidates = contest.effective()
    best = min(candidates, key=lambda start: start.total_s)
    others = [start for start in candidates if start is not best]
    # Bonferroni over the comparisons that the claim "best" is made of.
    corrected = 1 - (1 - confidence) / len(others)
    ratios = {start.arm: _ratio(start.startup, best.startup, corrected) for start in others}
    where = f"{best.model}, {best.cache}"
    evidence: dict[str, Json] = {
        "model": best.model,
        "cache": best.cache,
        "medians_s": {start.arm: start.total_s for start in candidates},
        "best": best.arm,
        "ratio_to_best": {arm: {"low": ratio[0], "high": ratio[1]} if ratio else None for arm, ratio in ratios.items()},
        "confidence": corrected,
        "processes_each": min(start.startup.summary.processes for start in candidates),
    }
    names = " and ".join(start.arm for start in candidates)
    undecided = [arm for arm, ratio in ratios.items() if ratio is None or ratio[0] <= 1]
    if undecided:
        cause = f"{where}: {names} cannot be told apart ({_medians(candidates)})"
        if len(undecided) < len(ratios):
            ahead = " and ".join([best.arm, *undecided])
            cause = f"{where}: {ahead} are ahead but cannot be told apart ({_medians(candidates)})"
        return Finding("best-load-mode", "info", cause, evidence, None, "", "more starts: --trials", "")
    reference = contest.reference
    if best is reference:
        cause = f"{where}: {best.arm}, as it is set, is the fastest ({_medians(candidates)})"
        return Finding("best-load-mode", "info", cause, evidence, None, "", "", "")
    low, high = ratios[reference.arm] or (1.0, 1.0)
    gain_s = reference.total_s - best.total_s
    gain = Gain(gain_s, best.total_s * (low - 1), best.total_s * (high - 1), "s", measured=True)
    saved = format_percent(gain_s / reference.total_s)
    cause = f"{where}: {best.arm} starts {saved} faster than {reference.arm} ({_medians(candidates)})"
    return Finding(
        "best-load-mode",
        "medium",
        cause,
        evidence,
        gain,
        _change(best),
        f"synapse-perf profile-load {best.model} again with only this setting",
        "",
    )


def _ratio(slower: Metric, faster: Metric, confidence: float) -> tuple[float, float] | None:
    slow, fast = ([sample for trial in metric.trials for sample in trial.samples] for metric in (slower, faster))
    if min(len(slow), len(fast)) < NEEDED:
        return None
    return ratio_interval(slow, fast, confidence)


def _medians(starts: Sequence[Start]) -> str:
    return ", ".join(f"{start.arm} {format_duration(start.total_s)}" for start in starts)


def _change(start: Start) -> str:
    return change_text(dict(part.split("=", 1) for part in start.variant.split(",")))


def _not_effective(start: Start) -> Finding:
    problem = "; ".join(texts(start.startup, "load_mode_problem")) or "llama.cpp chose another way by itself"
    return Finding(
        "load-mode-not-effective",
        "medium",
        f"{start.model}, {start.cache}: {start.arm} was not effective: {problem}",
        {"model": start.model, "cache": start.cache, "arm": start.arm, "processes": start.startup.summary.processes},
        None,
        "raise the limit of locked memory (ulimit -l)" if start.arm == "mlock" else "",
        "the finding is gone from the next run",
        "",
    )
