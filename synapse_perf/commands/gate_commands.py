"""What does a gate measure both sides with: a command line, a command of this tool, or the benchmarks of a profile?"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.commands.gate_arms import OUTPUT_VARIABLE

if TYPE_CHECKING:
    from synapse_perf.profiles import Profile

# The judge is the installed tool, whatever the worktree holds: isolated from Python's path, its workers are not.
_ITSELF = "from synapse_perf.cli import main; main()"
# The interpreter of the environment that --setup has built, where it has built one.
_OF_THE_ENVIRONMENT = '${SYNAPSE_PERF_ENV:+--python "$SYNAPSE_PERF_ENV/bin/python"}'
_PAIRS_TO_EXPECT = 30  # one unjudged, 12 for the screen, as many to confirm, and a few disturbed ones
_LEAST_S = 1.0
# What the others measure is their own, or found by themselves.
_NAMED_BY = {"service-startup": ("command", "image", "compose"), "ws-latency": ("url",), "ui-fps": ("url",)}
# One process for each case, and no experiments, which no gate judges.
_SHORTEST = {
    "profile-load": ("--trials", "1", "--no-parallel", "--no-fit"),
    "bench-cgrag": ("--trials", "1", "--no-openings", "--no-caches"),
    "tier-latency": ("--trials", "1", "--no-variants"),
}


def own_command(words: Sequence[str], shell_words: str = "") -> str:
    """A command line of this tool that writes its result where a gate reads it."""
    own = shlex.join([sys.executable, "-I", "-c", _ITSELF, *words, "--quiet"])
    return " ".join(filter(None, [own, shell_words, f'--output "${OUTPUT_VARIABLE}"']))


def profile_commands(name_or_path: str, max_time_s: float) -> tuple[str, ...]:
    """One process for each case of every benchmark that the profile has a section for, in equal shares of the time.

    Raises InputError for a profile that has none.
    """
    from synapse_perf.errors import InputError
    from synapse_perf.profiles import load_profile

    profile = load_profile(name_or_path)
    chosen = _benchmarks(profile)
    if not chosen:
        raise InputError(
            f"the profile {name_or_path} has no benchmark",
            "give it a section, such as [bench-cgrag] with a retriever, or [leak-hunt] with functions",
        )
    share_s = max(_LEAST_S, max_time_s / (2 * _PAIRS_TO_EXPECT * len(chosen)))
    share_s = min(share_s, profile.sampling.max_time_s or share_s)
    common = ["--profile", profile_argument(name_or_path), "--max-time", f"{share_s:g}s"]
    return tuple(own_command([name, *common, *_SHORTEST.get(name, ())], _OF_THE_ENVIRONMENT) for name in chosen)


def can_differ(name_or_path: str) -> bool:
    """Whether anything that the profile measures can differ between two revisions of the repository."""
    from synapse_perf.profiles import load_profile

    profile = load_profile(name_or_path)
    has_code = bool(profile.bench_cgrag.retriever or profile.leak_hunt.functions)
    return has_code or not Path(profile_argument(name_or_path)).is_absolute()


def profile_argument(name_or_path: str) -> str:
    """As each side finds it: a file of the repository from its own worktree, any other by its absolute path."""
    from synapse_perf.measure.worktrees import repository_of, working_directory
    from synapse_perf.profiles import builtin_profiles, find_profile

    path = find_profile(name_or_path).resolve()
    here = working_directory().resolve()
    if path in [each.resolve() for each in builtin_profiles()] or not path.is_relative_to(repository_of(here)):
        return str(path)
    return f"./{os.path.relpath(path, here)}"


def _benchmarks(profile: Profile) -> list[str]:
    """Each command that the profile names, or else has something to measure for."""
    from synapse_perf.profiles.settings import BenchCgragSettings, ProfileLoadSettings, TierLatencySettings

    if profile.run:
        return [name for name in profile.run if _has_subject(profile, name)]
    has_models = profile.models.source == "named"
    chosen = {
        "profile-load": has_models or profile.profile_load != ProfileLoadSettings(),
        "bench-cgrag": profile.bench_cgrag != BenchCgragSettings(),
        "tier-latency": profile.tier_latency != TierLatencySettings(),
        "leak-hunt": bool(profile.leak_hunt.functions),
        **{name: _has_subject(profile, name) for name in _NAMED_BY},
    }
    return [name for name, is_there in chosen.items() if is_there]


def _has_subject(profile: Profile, command: str) -> bool:
    """Whether the profile names what these commands measure; the others find something by themselves."""
    settings = getattr(profile, command.replace("-", "_"))
    return command not in _NAMED_BY or any(getattr(settings, name) is not None for name in _NAMED_BY[command])
