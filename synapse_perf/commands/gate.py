"""May this change be merged, or does it slow something down?"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from synapse_perf.commands.gate_ending import GateOutput, check_gate_outputs, end_gate
from synapse_perf.commands.options import option

if TYPE_CHECKING:
    from synapse_perf.analyze.gate_paired import Rules
    from synapse_perf.commands.gate_arms import PairedRequest

AGAINST = "Against another revision, measured here and now"
JUDGING = "What counts"


@dataclass(frozen=True, slots=True)
class JudgingOptions:
    """What a gate judges, and by what."""

    baseline: Annotated[
        str | None,
        option("A baseline by name or path; default: the one that fits.", "--baseline", JUDGING, metavar="NAME|PATH"),
    ] = None
    create_missing: Annotated[
        bool, option("Save the run as the baseline if there is none, and pass.", "--create-missing", JUDGING)
    ] = False
    metric: Annotated[list[str], option("Judge these alone: a name or a pattern. Repeatable.", "--metric", JUDGING)] = (
        field(default_factory=list)
    )
    effect: Annotated[
        str, option("The slowdown that has to be found, or excluded.", "--effect", JUDGING, metavar="PERCENT")
    ] = "10%"
    min_effect: Annotated[str, option("A slowdown below this is none.", "--min-effect", JUDGING, metavar="PERCENT")] = (
        "3%"
    )


@dataclass(frozen=True, slots=True)
class AgainstOptions:
    """How both sides are measured."""

    against: Annotated[
        str | None,
        option("Measure this revision and the work tree as it is, in pairs.", "--against", AGAINST, metavar="REV"),
    ] = None
    command: Annotated[
        str | None,
        option("Runs in each worktree, and writes its JSON to $SYNAPSE_PERF_OUTPUT.", "--command", AGAINST),
    ] = None
    profile: Annotated[
        str | None,
        option(
            "Measure with the benchmarks that this profile has sections for, on the code of each side.",
            "--profile",
            AGAINST,
            metavar="NAME|PATH",
        ),
    ] = None
    setup: Annotated[
        str,
        option(
            "Runs once in each worktree before; what it builds in $SYNAPSE_PERF_ENV is kept.",
            "--setup",
            AGAINST,
            metavar="CMD",
        ),
    ] = ""
    pairs: Annotated[
        int, option("Fresh pairs at most for what the first 12 leave open.", "--pairs", AGAINST, min=12, max=200)
    ] = 120
    calibrate: Annotated[
        bool,
        option("Measure how much builds of the same code differ here, and keep it.", "--calibrate", AGAINST),
    ] = False
    max_time: Annotated[
        str, option("Stop starting pairs after this long.", "--max-time", AGAINST, metavar="DURATION")
    ] = "20m"
    timeout: Annotated[str, option("For one run of the command.", "--timeout", AGAINST, metavar="DURATION")] = "10m"
    seed: Annotated[int | None, option("Of the order within pairs.", "--seed", AGAINST)] = None


def gate(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|COMMAND",
            help="A result file or saved run to judge by stored baselines (default: last); with --against, after --, "
            "a command of this tool to measure both sides with.",
        ),
    ] = None,
    *,
    judging: JudgingOptions,
    measuring: AgainstOptions,
    output: GateOutput,
) -> int:
    """Fail if something became slower: a run against stored baselines, or the work tree against a revision."""
    from synapse_perf.analyze.gate_waivers import with_waivers
    from synapse_perf.baselines.waivers import load_waivers
    from synapse_perf.commands.gate_inputs import rules_of, today

    check_gate_outputs(output)
    waivers = load_waivers()
    rules = rules_of(judging.min_effect, judging.effect, measuring.pairs)
    if measuring.calibrate:
        from synapse_perf.commands.gate_calibrate import calibrate, check_prints_no_report

        check_prints_no_report(output)
        return calibrate(_paired_request(words or [], judging, measuring, output, rules))
    if measuring.against is None:
        from synapse_perf.commands.gate_stored import gate_stored

        report = gate_stored(words or ["last"], judging, measuring, rules)
    else:
        from synapse_perf.commands.gate_against import gate_against

        report = gate_against(_paired_request(words or [], judging, measuring, output, rules))
    return end_gate(with_waivers(report, waivers, today()), output)


def _paired_request(
    words: list[str], judging: JudgingOptions, measuring: AgainstOptions, output: GateOutput, rules: Rules
) -> PairedRequest:
    from synapse_perf.commands.gate_arms import PairedRequest
    from synapse_perf.commands.gate_commands import can_differ, profile_argument
    from synapse_perf.errors import InputError
    from synapse_perf.units import parse_duration

    if judging.baseline or judging.create_missing:
        raise InputError("--against measures both sides itself", "leave out --baseline and --create-missing")
    max_time_s = parse_duration(measuring.max_time)
    return PairedRequest(
        revision=measuring.against or "HEAD",
        commands=_commands(words, measuring, max_time_s),
        setup=measuring.setup,
        rules=rules,
        metrics=tuple(judging.metric),
        seed=measuring.seed if measuring.seed is not None else random.SystemRandom().randrange(2**31),
        timeout_s=parse_duration(measuring.timeout),
        max_time_s=max_time_s,
        profile=profile_argument(measuring.profile) if measuring.profile else "",
        can_differ=measuring.profile is None or can_differ(measuring.profile),
        quiet=output.quiet,
        debug=output.debug,
    )


def _commands(words: list[str], measuring: AgainstOptions, max_time_s: float) -> tuple[str, ...]:
    from synapse_perf.commands.gate_commands import own_command, profile_commands
    from synapse_perf.errors import InputError

    ways = [bool(words), measuring.command is not None, measuring.profile is not None]
    if sum(ways) != 1:
        raise InputError(
            "--against needs one thing to measure with" if any(ways) else "--against needs something to measure with",
            "--command LINE, --profile FILE with the benchmarks of your code, or a command of this tool after --, "
            "such as -- bench-cgrag --retriever mine:make",
        )
    if measuring.command is not None:
        return (measuring.command,)
    return profile_commands(measuring.profile, max_time_s) if measuring.profile else (own_command(words),)
