"""Has py-spy begun to sample? It says so, and until then what it says is why it does not."""

from __future__ import annotations

import os
import selectors
import subprocess

from synapse_perf.clock import now_ns, seconds_between

ATTACHED_WORDS = "Sampling process"
PATIENCE_S = 20.0


def said_until_attached(recorder: subprocess.Popen[bytes]) -> str:
    """Everything that py-spy says until it samples, gives up, or takes too long."""
    assert recorder.stdout is not None
    told = b""
    deadline_ns = now_ns() + int(PATIENCE_S * 1e9)
    with selectors.DefaultSelector() as selector:
        selector.register(recorder.stdout, selectors.EVENT_READ)
        while ATTACHED_WORDS.encode() not in told and selector.select(max(0.0, seconds_between(now_ns(), deadline_ns))):
            chunk = os.read(recorder.stdout.fileno(), 4096)
            if not chunk:
                break
            told += chunk
    return told.decode(errors="replace")
