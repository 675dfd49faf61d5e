"""Why did a model server not come up? In llama.cpp's own words, or the last that the server said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.context import BenchmarkFailed
from synapse_perf.samples import FailureKind

if TYPE_CHECKING:
    from synapse_perf.llama.log_lines import LogLine
    from synapse_perf.outside.model_server import ModelServer, ServerFailed

DETAIL_LINES = 40


def stamped_lines(printed: Sequence[tuple[int, str]]) -> list[LogLine]:
    """The lines of a server's log with the moments of their arrival, on this machine's clock, as their times.

    The server's own timestamps count from a moment that nobody outside knows.
    """
    from synapse_perf.llama.log_lines import LogLine, read_text

    return [LogLine(arrived_ns, line.level, line.text) for arrived_ns, text in printed for line in read_text(text)]


def explained(error: ServerFailed, server: ModelServer) -> BenchmarkFailed:
    """The failure as its user will read it."""
    from synapse_perf.llama.load_failure import explain
    from synapse_perf.llama.load_log import read_load

    words = read_load(stamped_lines(server.output.lines())).errors
    message = str(error)
    if error.has_ended and (cause := words[0] if words else server.output.tail(1)):
        message += f": {cause}"
    known = next((explain(text) for text in (*words, message) if explain(text) != explain("")), None)
    kind: FailureKind = "crash" if error.has_ended else "error"
    if error.is_timeout:
        kind = "time-out"
    elif known and known[0] != "error":
        kind = known[0]
    remedy = error.remedy or (known[1] if known else "")
    if not remedy:
        remedy = "give it longer: --ready-timeout 10m" if error.is_timeout else "run the command by hand to see its log"
    return BenchmarkFailed(kind, message, remedy, server.output.tail(DETAIL_LINES))
