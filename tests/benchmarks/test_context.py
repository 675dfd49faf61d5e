"""Children of a worker are asked to end, then made to."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from synapse_perf.benchmarks import context as context_module
from synapse_perf.benchmarks.context import Context

OBEDIENT = "import signal; print('up', flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"


@pytest.fixture
def context() -> Context:
    return Context({}, 0, 0, ((0, 0, None), (0, 0, None)), lambda kind, **content: None)


def spawn(context: Context, code: str) -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    context.process_started(child.pid)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    return child


@pytest.mark.parametrize(("code", "end"), [(OBEDIENT, signal.SIGTERM), (STUBBORN, signal.SIGKILL)])
def test_a_child_is_asked_first(
    context: Context, monkeypatch: pytest.MonkeyPatch, code: str, end: signal.Signals
) -> None:
    ends: list[signal.Signals] = []
    signal_groups = context_module._signal_groups

    def note(leaders: set[int], number: signal.Signals) -> None:
        if leaders and any(context_module._is_running(pid) for pid in leaders):
            ends.append(number)
        signal_groups(leaders, number)

    monkeypatch.setattr(context_module, "_signal_groups", note)
    monkeypatch.setattr(context_module, "ASKED_NS", 50_000_000 if end == signal.SIGKILL else 10_000_000_000)
    with spawn(context, code) as child:
        context.end_processes()
        child.poll()

    assert ends[-1] == end


def test_without_children_nothing_is_waited_for(context: Context) -> None:
    context.end_processes()
