"""Does going from one model to the next leave memory behind, and does an old model die when it is let go?

Each iteration loads the next model with llama-cpp-python's ``Llama``, as programs do, asks for one token and lets the
model go: by ``close()``, by dropping the last reference (``del``), or inside a reference cycle (``cycle``), as where an
object knows its owner. A weak reference tells whether it was gone before the garbage collector came, and at the next
switch whether it was gone after that.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.leak_loop import METRICS as METRICS
from synapse_perf.benchmarks.leak_loop import set_aside, watch
from synapse_perf.samples import Fact, Sample

FIRST_IMPORT = "llama_cpp"
PROMPT = "Hello"


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each switch."""
    from synapse_perf.host.leak_probes import own_probes
    from synapse_perf.llama.high_level import open_model
    from synapse_perf.llama.loading import LoadFailed, low_level_api
    from synapse_perf.llama.native_log import NativeLog
    from synapse_perf.llama.settings import LoadSettings

    settings = [LoadSettings.from_workload(one) for one in context.workload["models"]]
    release: str = context.workload["release"]
    log = NativeLog()
    log.install(low_level_api())
    probes = own_probes()
    set_aside(context)
    previous: list[weakref.ref[Any]] = []  # never more than one

    def switch(number: int) -> dict[str, Fact]:
        is_kept = bool(previous) and previous.pop()() is not None
        log.fragments.clear()  # those of all switches would be a leak of our own
        chosen = settings[(number - 1) % len(settings)]
        try:
            held = [open_model(chosen, log)]  # in a list that is emptied: this frame must not keep it alive
            held[0](PROMPT, max_tokens=1)
        except LoadFailed as error:
            raise _failed(error, log) from error
        previous.append(_let_go(held, release))
        return {"is_gone_without_gc": previous[0]() is None, "previous_is_kept": is_kept}

    context.stage(f"switching between {len(settings)} models ({release})")
    yield from watch(context, probes, switch)


class _Owner:
    """What a program keeps a model in, and the model's part that knows its owner."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.owner = self


def _let_go(held: list[Any], release: str) -> weakref.ref[Any]:
    """A weak reference to the model, which is let go; `held` has the only reference to it."""
    model = held.pop()
    watched = weakref.ref(model)
    if release == "close":
        model.close()
    elif release == "cycle":
        _Owner(model)
    del model
    return watched


def _failed(error: Exception, log: Any) -> BenchmarkFailed:
    from synapse_perf.llama.load_failure import explain

    kind, remedy = explain(str(error))
    return BenchmarkFailed(kind, str(error), remedy, "".join(text for _, _, text in log.texts()))
