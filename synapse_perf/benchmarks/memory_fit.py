"""How much memory would a context take, by llama.cpp's own plan of it, with nothing allocated?

A model that is loaded with no_alloc has its shape and its vocabulary but no tensor; each context that is made on it
plans its KV cache and its compute buffers to the byte and prints them. Nothing may be decoded on such a model. It has
to be loaded in the mode "read": llama.cpp aborts a planned load that maps or locks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.llama.loading import LoadedModel
    from synapse_perf.llama.memory_pools import Plan
    from synapse_perf.llama.native_log import NativeLog
    from synapse_perf.llama.settings import LoadSettings

FIRST_IMPORT = "llama_cpp"
METRICS: dict[str, MetricDefinition] = {}  # sizes, not times: they are facts of the trial
NO_PLANNING = "this llama-cpp-python cannot plan a load without allocating"


def measure(context: Context) -> Iterator[Sample]:
    """One sample without a value. Facts: `plans` of every context looked at, and the largest that fits each share.

    Workload: settings; contexts to plan (0: the trained one); pools; shares of the pools' free bytes.
    """
    from synapse_perf.llama.load_failure import explain
    from synapse_perf.llama.loading import LoadFailed, load_model, low_level_api, start_backend
    from synapse_perf.llama.memory_pools import largest_fitting, pools_from_workload
    from synapse_perf.llama.native_log import NativeLog
    from synapse_perf.llama.settings import LoadSettings

    low_level = low_level_api()
    if not hasattr(low_level.llama_model_params, "no_alloc"):
        raise BenchmarkFailed("error", NO_PLANNING, "update llama-cpp-python")
    log = NativeLog()
    log.install(low_level)
    start_backend(low_level)
    settings = LoadSettings.from_workload(context.workload["settings"])._replace(load_mode="read")
    context.stage("planning the memory of the model")
    try:
        model = load_model(low_level, settings, log, no_alloc=True)
        planner = _Planner(low_level, settings, model, log)
        for n_ctx in context.workload["contexts"]:
            planner.plan(n_ctx or planner.longest)
        pools = pools_from_workload(context.workload["pools"])
        fitting = {
            str(share): largest_fitting(planner.plan, pools, planner.longest, share)
            for share in context.workload["shares"]
        }
    except LoadFailed as error:
        kind, remedy = explain(str(error))
        raise BenchmarkFailed(kind, str(error), remedy) from error
    context.facts["longest"] = planner.longest
    context.facts["plans"] = [planner.plans[n_ctx]._asdict() for n_ctx in sorted(planner.plans)]
    context.facts["fitting"] = {share: plan.n_ctx if plan else None for share, plan in fitting.items()}
    yield Sample(())
    model.release(low_level)


class _Planner:
    """Makes contexts on a model without tensors, and reads what they would take from llama.cpp's log."""

    def __init__(self, low_level: Any, settings: LoadSettings, model: LoadedModel, log: NativeLog) -> None:
        self._low_level = low_level
        self._settings = settings
        self._model = model
        self._log = log
        self._head = len(log.fragments)
        self.longest: int = low_level.llama_model_n_ctx_train(model.model)
        self.plans: dict[int, Plan] = {}

    def plan(self, n_ctx: int) -> Plan:
        """Raises LoadFailed where llama.cpp refuses the context."""
        from synapse_perf.llama.load_log import join_fragments, read_load
        from synapse_perf.llama.loading import make_context
        from synapse_perf.llama.memory_pools import Plan

        if n_ctx in self.plans:
            return self.plans[n_ctx]
        del self._log.fragments[self._head :]
        make_context(self._low_level, self._settings._replace(n_ctx=n_ctx), self._model, self._log)
        said = read_load(join_fragments(self._log.texts()))
        self._low_level.llama_free(self._model.context)
        self._model.context = None
        if not said.simulated:
            raise BenchmarkFailed("error", NO_PLANNING, "update llama-cpp-python")
        compute: dict[str, int] = {}
        for buffer in said.placement.buffers:
            if buffer.kind == "compute":
                compute[buffer.device] = compute.get(buffer.device, 0) + buffer.size_bytes
        self.plans[n_ctx] = Plan(n_ctx, said.context.kv_bytes or 0, compute)
        return self.plans[n_ctx]
