"""How fast is a model server up that users start themselves? profile-load --server COMMAND."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.analyze.load_plan import Case, LoadRequest
from synapse_perf.analyze.server_plan import ServerUnderTest, plan_server
from synapse_perf.commands.load_explain import SEVERITIES, about
from synapse_perf.commands.load_run import LoadRun
from synapse_perf.commands.measuring import effort_of
from synapse_perf.commands.model_choice import Choice, choose_models
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_perf.analyze.load_plan import ModelUnderTest
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import CacheState, Check, Finding, Gain, Json, Metric, Result, Trial
    from synapse_perf.outside.server_command import ServerCommand
    from synapse_perf.profiles import Profile

CACHE_WORDS = {"uncertified": "not certified cold"}
_VERBOSE = "llama-server since 2026 tells that with -lv 4"
NO_DEVICE = f"the server's log does not say which device it used: {_VERBOSE}"
NO_PHASES = f"the server's log has no line of the load, so its stages are known from outside alone: {_VERBOSE}"
NEITHER = f"the server's log has no line of the load, neither of its phases nor of the device it used: {_VERBOSE}"


class ServerRun(LoadRun):
    """One run: policy, checks and report as for loads in-process, of a server that is started again and again."""

    def __init__(
        self,
        profile: Profile,
        options: CommonOptions,
        *,
        command: str,
        url: str | None,
        ready_timeout_s: float,
        names: Sequence[str],
        caches: Sequence[CacheState],
        log_path: Path | None,
    ) -> None:
        from synapse_perf.outside.model_server import is_port_taken
        from synapse_perf.outside.server_command import api_key, check_url, parse_command, readiness_urls

        self.profile = profile
        self.options = options
        self.log_path = log_path
        self.wants_fit = False
        self.effort = effort_of(profile, options)
        self.bounds = self.effort.bounds
        self.request = LoadRequest()
        self.memory_warnings: tuple[str, ...] = ()
        self.caches = tuple(caches)
        self.command = parse_command(command)
        urls = (check_url(url),) if url else readiness_urls(self.command)
        self.server = ServerUnderTest(
            self.command.words, self.command.env, urls, ready_timeout_s, api_key(self.command)
        )
        self.choice = _choice(self.command, names, profile, quiet=options.quiet)
        if is_port_taken(urls[0]) and not options.dry_run:
            raise InputError(f"something already listens at {urls[0]}", "stop it, or give --server another --port")

    @property
    def model(self) -> ModelUnderTest | None:
        """The file that is put into a page-cache state: all files of a start together."""
        if not self.choice.models:
            return None
        first, *others = self.choice.models
        more = _more_files(self.command)
        files = tuple(dict.fromkeys([*first.files, *(file for other in others for file in other.files), *more]))
        return replace(first, files=files, size_bytes=sum(Path(file).stat().st_size for file in files))

    @cached_property
    def cases(self) -> list[Case]:
        return plan_server(self.server, self.model, self.command.name, self.caches)

    def _result(self, outcome: Outcome, more: Sequence[Finding], started_at: str, warnings: list[str]) -> Result:
        result = super()._result(outcome, more, started_at, warnings)
        starts = [trial for trial in outcome.trials if trial.spec.benchmark == "server_start" and trial.samples]
        metrics = result.metrics
        checks, notes = result.checks, list(result.warnings)
        if starts:
            has_device = any("device" in metric.labels for metric in metrics)
            has_phases = any("." in metric.labels.get("phase", "") for metric in metrics)
            if not has_device:
                checks = tuple(_without_device(check) for check in checks)
            if not (has_device and has_phases):
                notes.append(NO_PHASES if has_device else NO_DEVICE if has_phases else NEITHER)
        return replace(
            result,
            workload=self._workload(),
            checks=checks,
            warnings=tuple(notes),
            findings=tuple(sorted(_findings(metrics, starts), key=lambda one: SEVERITIES.index(one.severity))),
        )

    def _workload(self) -> dict[str, Json]:
        from synapse_perf.host.privacy import redact

        described: dict[str, Json] = {
            model.label: {
                "file": Path(model.path).name,
                "digest": model.digest,
                "size_bytes": model.size_bytes,
                "description": model.description,
            }
            for model in self.choice.models
        }
        server = {
            "command": redact(self.command.shown()),
            "ready_urls": [redact(url) for url in self.server.urls],
            "ready_timeout_s": self.server.ready_timeout_s,
        }
        text = json.dumps([described, server["command"]], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return {**({"models": described} if described else {}), "server": server, "digest": digest}


def _choice(command: ServerCommand, names: Sequence[str], profile: Profile, *, quiet: bool) -> Choice:
    """The model files that are named beside the command, or in it; none where neither names any."""
    from synapse_perf.outside.server_command import model_file

    if names:
        return choose_models(names, profile, quiet=quiet)
    file = model_file(command)
    if file is None:
        return Choice((), {}, (), profile.name)
    if not Path(file).exists():
        raise InputError(f"--server: there is no model file {file}", "correct the path in the command")
    return choose_models([str(Path(file).absolute())], profile, quiet=quiet)


def _more_files(command: ServerCommand) -> list[str]:
    from synapse_perf.outside.server_command import more_files

    return [str(Path(file).absolute()) for file in more_files(command)]


def _without_device(check: Check) -> Check:
    return replace(check, reason=NO_DEVICE) if check.status == "not-measured" else check


# --- findings --------------------------------------------------------------------------------------------------------


def _findings(metrics: Sequence[Metric], starts: Sequence[Trial]) -> Iterator[Finding]:
    """What takes longest in the coldest start that was measured, and what the server's log gives reason to change."""
    from synapse_perf.analyze.load_starts import middle, starts_of
    from synapse_perf.analyze.longest_part import longest_part
    from synapse_perf.llama.load_advice import advice
    from synapse_perf.llama.load_log import read_load
    from synapse_perf.llama.load_phases import find_phases
    from synapse_perf.llama.log_lines import LogLine

    own = {start.cache: start for start in starts_of(metrics)}
    slow = own.get("cold") or own.get("uncertified") or own.get("warm")
    if slow is None:
        return
    found = longest_part({name: middle(metric) for name, metric in slow.phases.items()}, slow.total_s)
    if found is not None:
        warm = own.get("warm")
        is_reading = str(found.evidence["part"]).endswith(".tensors")
        gain = _gain(slow.startup, warm.startup) if warm and warm is not slow and is_reading else None
        evidence = {"model": slow.model, "cache": slow.cache, **found.evidence}
        yield replace(
            found,
            cause=f"{slow.model}, {CACHE_WORDS.get(slow.cache, slow.cache)}: {found.cause}",
            evidence=evidence,
            gain=gain,
        )
    lines = [LogLine(*line) for line in starts[0].facts.get("log_lines", ())] if starts else []
    for finding in advice(read_load(lines), find_phases(lines)):
        yield about(slow.model, finding)


def _gain(cold: Metric, warm: Metric) -> Gain:
    """What a file that is in the page cache already saves, by the starts of this run."""
    from synapse_perf.analyze.load_starts import middle
    from synapse_perf.model import Gain

    low = high = None
    first, second = cold.summary.interval, warm.summary.interval
    if first is not None and second is not None:
        low, high = first.low - second.high, first.high - second.low  # both medians at the far ends of their intervals
    return Gain(middle(cold) - middle(warm), low, high, "s", measured=True)
