"""Which loads does profile-load tell of that it does not make itself, and which of its options make sense there?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from synapse_perf.commands.options import CommonOptions, LoadOptions, option
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.commands.profile_load import StartOptions
    from synapse_perf.model import CacheState, Result
    from synapse_perf.profiles import Profile

ELSEWHERE = "Instead of loading in-process"
READY_TIMEOUT = "5m"
# What an option that is not here would change is not done here.
_FOR_LOGS = frozenset({"profile", "target", "dry_run", "output", "format", "baseline", "quiet", "debug"})
_FOR_SERVERS = _FOR_LOGS | {"trials", "max_time", "confidence", "seed", "cache", "log", "model"}


@dataclass(frozen=True, slots=True)
class ElsewhereOptions:
    """Loads that this tool does not make itself."""

    from_log: Annotated[
        str | None,
        option(
            "Explain the loads in a log of llama.cpp or llama-server, of any version; - reads stdin.",
            "--from-log",
            ELSEWHERE,
            metavar="FILE|-",
        ),
    ] = None
    server: Annotated[
        str | None,
        option(
            "Start this model server again and again: spawn to ready, to first token, and its log. Add -lv 4 for "
            "llama-server since 2026. A MODEL beside it names the file to make cold or warm, if the command does not.",
            "--server",
            ELSEWHERE,
            metavar="COMMAND",
        ),
    ] = None
    url: Annotated[
        str | None,
        option(
            "Where the server answers 200 once it is ready. Default: /health at its --host and --port; where that is "
            "404, as with llama_cpp.server, /v1/models.",
            "--url",
            ELSEWHERE,
            metavar="URL",
        ),
    ] = None
    ready_timeout: Annotated[
        str | None,
        option(
            f"How long the server may take to be ready, and again to a first token (default {READY_TIMEOUT}).",
            "--ready-timeout",
            ELSEWHERE,
            metavar="DURATION",
        ),
    ] = None

    @property
    def is_asked_for(self) -> bool:
        return self.from_log is not None or self.server is not None or self.url is not None or bool(self.ready_timeout)


def profile_elsewhere(
    elsewhere: ElsewhereOptions,
    names: Sequence[str],
    starts: StartOptions,
    loading: LoadOptions,
    common: CommonOptions,
    profile: Profile,
    baseline: Result | None,
) -> int:
    """Read the log or start the server; the exit code. Raises InputError for options that do not go together."""
    if elsewhere.from_log is not None and elsewhere.server is not None:
        raise InputError("--from-log and --server are two commands in one", "run one after the other")
    if elsewhere.server is None:
        lone = _given(elsewhere) - {"--from-log"}
        if lone:
            raise InputError(f"{' and '.join(sorted(lone))}: without --server there is no server", "add --server")
        assert elsewhere.from_log is not None
        _refuse("--from-log loads nothing", (starts, loading, common), _FOR_LOGS, names)
        from synapse_perf.commands.load_from_log import profile_log, tell_plan

        if common.dry_run:
            return tell_plan(elsewhere.from_log, common)
        return profile_log(elsewhere.from_log, common, profile, baseline)
    _refuse("--server loads as its own command says", (starts, loading, common), _FOR_SERVERS)
    return _profile_server(elsewhere, names, starts, common, profile, baseline)


def _profile_server(
    elsewhere: ElsewhereOptions,
    names: Sequence[str],
    starts: StartOptions,
    common: CommonOptions,
    profile: Profile,
    baseline: Result | None,
) -> int:
    from synapse_perf.commands.load_request import CACHES
    from synapse_perf.commands.load_server import ServerRun
    from synapse_perf.units import parse_duration

    caches: Sequence[CacheState] = CACHES[starts.cache] if starts.cache else profile.profile_load.caches
    assert elsewhere.server is not None
    run = ServerRun(
        profile,
        common,
        command=elsewhere.server,
        url=elsewhere.url,
        ready_timeout_s=parse_duration(elsewhere.ready_timeout or READY_TIMEOUT),
        names=names,
        caches=caches,
        log_path=starts.log,
    )
    return run.dry_run() if common.dry_run else run.measure(baseline)


def _refuse(why: str, bundles: Sequence[Any], allowed: frozenset[str], names: Sequence[str] = ()) -> None:
    """An option that would do nothing is better refused than ignored."""
    given = sorted(set().union(*(_given(bundle, allowed) for bundle in bundles)))
    if names:
        given.append("MODEL")
    if given:
        raise InputError(f"{why}: {', '.join(given)} would change nothing", "leave it out, or put it into the command")


def _given(bundle: Any, allowed: frozenset[str] = frozenset()) -> set[str]:
    """The flags of a bundle of options that are not at their defaults."""
    hints = get_type_hints(type(bundle), include_extras=True)
    found = set()
    for one in fields(bundle):
        default = one.default if one.default is not MISSING else []
        if one.name not in allowed and getattr(bundle, one.name) != default:
            name: str = hints[one.name].__metadata__[0].default  # where Typer keeps the first name of an option
            found.add(name.partition("/")[0])
    return found
