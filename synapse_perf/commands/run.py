"""Does all that a profile names meet the target table? Each measuring command in turn, one table, one verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from synapse_perf.commands.options import MEASURING, OUTPUT, CommonOptions, option


@dataclass(frozen=True, slots=True)
class PartsOptions:
    """Which commands are run."""

    only: Annotated[str | None, option("Run these commands alone. A list.", "--only", MEASURING, metavar="COMMAND")] = (
        None
    )
    skip: Annotated[str | None, option("Leave these commands out. A list.", "--skip", MEASURING, metavar="COMMAND")] = (
        None
    )
    engine: Annotated[
        Path | None,
        option(
            "A checkout of the engine: its models, settings, index and addresses, as they are configured.",
            "--engine",
            MEASURING,
            metavar="DIR",
        ),
    ] = None
    alerts: Annotated[
        Path | None, option("Write alert rules for Prometheus, from the targets.", "--alerts", OUTPUT, metavar="FILE")
    ] = None
    resume: Annotated[
        bool,
        option("Go on with the last run of this profile: what it has finished is taken over.", "--resume", MEASURING),
    ] = False


def run(*, parts: PartsOptions, common: CommonOptions) -> int:
    """Measure all that the profile names, and judge the whole target table."""
    from synapse_perf.commands.conclude import check_outputs
    from synapse_perf.commands.profile_choice import profile_of
    from synapse_perf.commands.suite_parts import chosen_parts
    from synapse_perf.commands.suite_run import SuiteRun
    from synapse_perf.errors import InputError

    if common.flamegraph is not None:
        raise InputError(
            "--flamegraph records one command", "give it to that one: synapse-perf profile-load --flamegraph"
        )
    check_outputs(common, parts.alerts)
    profile = profile_of(common, parts.engine)
    names = chosen_parts(profile.commands, parts.only, parts.skip)
    suite_run = SuiteRun(profile, common, names, is_chosen=parts.only is not None)
    return suite_run.dry_run() if common.dry_run else suite_run.measure(is_resumed=parts.resume, alerts=parts.alerts)
