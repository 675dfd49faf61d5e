"""Measures what the tiers' decoding is compared with, memory bandwidth, and says what each tier is bound by."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.commands.latency_beside import Beside

if TYPE_CHECKING:
    from synapse_perf.analyze.latency_bounds import DecodeReads
    from synapse_perf.commands.latency_run import LatencyRun
    from synapse_perf.gguf_files.header import GgufHeader
    from synapse_perf.llama.settings import LoadSettings
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import TrialSpec

PASSES = 5  # over the array, in each process
ARRAY_BYTES, CACHES = 256 << 20, 8  # at least so large, and so many times the last-level cache
MEMORY_SHARE = 0.25  # of what is free, at most
LEAST_CACHES = 3  # a smaller array would be read out of the cache
RESERVED_SHARE = 0.02  # of a run: a few seconds of minutes


def measure_bounds(run: LatencyRun, outcome: Outcome) -> Beside:
    """What every tier reads for a token, the bandwidth for it, and the findings about tiers that miss their target."""
    from synapse_perf.analyze.collect import metrics_of
    from synapse_perf.analyze.latency_bound_findings import bound_findings
    from synapse_perf.analyze.latency_bounds import READS, bounds_of
    from synapse_perf.analyze.sampling import fixed
    from synapse_perf.benchmarks import memory_bandwidth, tier_latency

    reads = {tier: _reads(run, tier) for tier in run.tiers}
    spec = None if all(one.unknown for one in reads.values()) else _bandwidth_spec(run)
    specs = [spec] * run.effort.bounds.minimum if spec else []
    measured = run.carry_out(fixed(specs), len(specs)) if specs else None
    bandwidth = metrics_of(measured.trials, memory_bandwidth.METRICS, run.effort.confidence) if measured else ()
    metrics = metrics_of(outcome.trials, tier_latency.METRICS, run.effort.confidence)
    bounds = bounds_of([*metrics, *bandwidth], reads, run.effort.confidence)
    return Beside(
        metrics=bandwidth,
        findings=tuple(bound_findings(bounds, run.limits, run.effort.confidence)),
        warnings=_not_measured(measured),
        facts={READS: {tier: asdict(one) for tier, one in reads.items()}},
        is_interrupted=measured is not None and measured.is_interrupted,
    )


def _not_measured(measured: Outcome | None) -> tuple[str, ...]:
    """No failure of the run: the tiers were measured."""
    failures = [trial.failure for trial in measured.trials if trial.failure] if measured else []
    return tuple(dict.fromkeys(f"the memory's bandwidth could not be measured: {one.message}" for one in failures))


def settings_of(run: LatencyRun, tier: str) -> LoadSettings:
    """As the tier's judged trials load it."""
    from synapse_perf.analyze.load_plan import variants

    return variants(run.tiers[tier], run.request.load)[0][2]


def uses_gpu(settings: LoadSettings) -> bool:
    """Whether layers may lie on a GPU: then their weights are not read out of main memory."""
    from synapse_perf.host.gpu import gpu_names

    return settings.n_gpu_layers != 0 and settings.device != "cpu" and bool(gpu_names())


def _reads(run: LatencyRun, tier: str) -> DecodeReads:
    from synapse_perf.analyze.latency_bounds import DecodeReads
    from synapse_perf.errors import InputError
    from synapse_perf.gguf_files.header import read_header
    from synapse_perf.gguf_files.weights_read import weights_read
    from synapse_perf.host.cpu_cache import last_level_cache_bytes

    settings, model = settings_of(run, tier), run.tiers[tier]
    if uses_gpu(settings) or settings.rpc_servers:
        return DecodeReads(unknown="its layers are on a GPU, whose memory is not measured")
    try:
        header = read_header(Path(model.path))
    except InputError:  # it has gone since it was measured
        return DecodeReads(unknown="the model's file cannot be read any more")
    weights = weights_read(header)
    if weights is None:
        return DecodeReads(unknown="the model's file does not tell how many of its experts a token uses")
    full, windowed, window = _kv_rows(header, settings)
    return DecodeReads(
        weights_bytes=weights.bytes,
        kv_row_bytes=full,
        windowed_row_bytes=windowed,
        window=window,
        elements=weights.elements - weights.output_elements,
        cache_bytes=last_level_cache_bytes(),
    )


def _kv_rows(header: GgufHeader, settings: LoadSettings) -> tuple[float | None, float, int | None]:
    """Bytes of a token's keys and values in layers that see everything, in those with a window, and the window."""
    from synapse_perf.llama.kv_shape import kv_shape
    from synapse_perf.llama.memory_fit import BYTES_PER_ELEMENT

    shape = kv_shape(header)
    if shape is None:
        return None, 0.0, None
    k_bytes, v_bytes = BYTES_PER_ELEMENT[settings.type_k], BYTES_PER_ELEMENT[settings.type_v]
    rows = [(layer.windowed, layer.k_width * k_bytes + layer.v_width * v_bytes) for layer in shape.layers]
    full, windowed = (sum(row for is_windowed, row in rows if is_windowed == kind) for kind in (False, True))
    return full, windowed, shape.window


def _bandwidth_spec(run: LatencyRun) -> TrialSpec | None:
    """None where an array that is large enough does not fit into the free memory."""
    from synapse_perf.host.cpu_cache import last_level_cache_bytes
    from synapse_perf.host.free_memory import main_memory
    from synapse_perf.model import TrialSpec

    cache = last_level_cache_bytes() or 0
    size = min(max(ARRAY_BYTES, CACHES * cache), int(MEMORY_SHARE * main_memory().available_bytes))
    if size < max(LEAST_CACHES * cache, ARRAY_BYTES // 4):
        return None
    threads = settings_of(run, next(iter(run.tiers))).threads
    return TrialSpec(
        benchmark="memory_bandwidth",
        arm="memory bandwidth",
        labels={"threads": str(threads)},
        workload={"threads": threads, "bytes": size & ~0xFFF},
        samples=PASSES,
        timeout_s=60.0,
    )
