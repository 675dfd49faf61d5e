"""What holds for every test: its own state and cache folders, no limit of time for properties, no skip unasked for."""

from __future__ import annotations

import fnmatch
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A processor that was taken away for 200 ms, which is all that an example may take by default, is no property's fault.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ALLOWED_SKIPS = Path(__file__).with_name("allowed_skips")
UNEXPECTED_SKIPS = pytest.StashKey[list[str]]()


@pytest.fixture(autouse=True, scope="session")
def _signals_of_a_terminal() -> Iterator[None]:
    """Programs that tests start can be interrupted, also where the tests themselves run in the background of a shell.

    There SIGINT, and under nohup SIGHUP, is ignored, which every process started from here would inherit.
    """
    ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache for the whole run, so that a model is synthesised once, and never in the user's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("SYNAPSE_PERF_STATE_DIR", str(tmp_path_factory.mktemp("state")))  # for wider fixtures
        yield


@pytest.fixture(autouse=True)
def _outside_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a job of GitHub's the program writes annotations and into the job's files, which tests are no part of."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved runs of one test are not `last` of another."""
    monkeypatch.setenv("SYNAPSE_PERF_STATE_DIR", str(tmp_path_factory.mktemp("state")))


def allowed(node_id: str, reason: str) -> bool:
    """Whether a line ``node id glob | reason glob`` of tests/allowed_skips covers this skip."""
    for line in ALLOWED_SKIPS.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        node, _, why = (part.strip() for part in line.partition("|"))
        if fnmatch.fnmatchcase(node_id, node) and fnmatch.fnmatchcase(reason, why):
            return True
    return False


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The reason that a skip was given."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def unexpected_skips(terminal: pytest.TerminalReporter) -> list[str]:
    """Each skip that tests/allowed_skips does not name, as the line that would allow it."""
    skips = [report for report in terminal.stats.get("skipped", []) if not hasattr(report, "wasxfail")]
    pairs = [(report.nodeid, skip_reason(report)) for report in skips]
    return [f"{node_id} | {reason}" for node_id, reason in pairs if not allowed(node_id, reason)]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skip that was not agreed to fails the run: a test that never runs proves nothing."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None:
        return
    session.config.stash[UNEXPECTED_SKIPS] = found = unexpected_skips(terminal)
    if (
        found
        and os.environ.get("CI")
        and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(UNEXPECTED_SKIPS, [])
    if found:
        end = "this run fails" if os.environ.get("CI") else "CI would fail"
        terminalreporter.section(f"skips that {ALLOWED_SKIPS.name} does not name: {end}", sep="=")
        for line in found:
            terminalreporter.write_line(line)
