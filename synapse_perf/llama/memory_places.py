"""Which memories do a model's parts lie in, by the log of one of its loads, and what is free in each?"""

from __future__ import annotations

from synapse_perf.llama.load_log import LoadLog
from synapse_perf.llama.log_devices import Buffer, DeviceLine
from synapse_perf.llama.memory_pools import Pool
from synapse_perf.units import MIB

MARGIN_SHARE = 0.05  # of the memory that is free: what others take meanwhile, and what no plan counts
LEAST_MARGIN_BYTES = 256 * MIB
MAIN_MEMORY = "main memory"
GROWS = ("KV", "compute", "output", "input")  # the kinds of buffers that depend on the context


def memory_pools(log: LoadLog | None, weights_bytes: int, available_bytes: int) -> tuple[Pool, ...]:
    """Main memory first, then one for each GPU; without a log all is taken to lie in main memory.

    `weights_bytes` is the size of the model's files; `available_bytes` is what main memory has to give.
    """
    if log is None or not any(buffer.kind == "model" for buffer in log.placement.buffers):
        return (_pool(MAIN_MEMORY, available_bytes, weights_bytes),)
    buffers = log.placement.buffers
    gpus = [_gpu(device, buffers, log) for device in log.placement.devices if device.free_bytes is not None]
    gpus = [gpu for gpu in gpus if gpu.fixed_bytes or gpu.kv_share]
    if log.placement.used_device == "metal":
        return (_pool(MAIN_MEMORY, available_bytes, _resident(buffers, weights_bytes)), *gpus)
    away = tuple(device for gpu in gpus for device in gpu.devices)
    here = [buffer for buffer in buffers if buffer.device not in away]
    rest = _pool(MAIN_MEMORY, available_bytes, _resident(here, weights_bytes))
    rest = rest._replace(kv_share=max(1.0 - sum(gpu.kv_share for gpu in gpus), 0.0), devices=away)
    return (rest, *gpus)


def _gpu(device: DeviceLine, buffers: tuple[Buffer, ...], log: LoadLog) -> Pool:
    """The part of the model on one GPU; of Metal the limit of its working set counts."""
    own = [buffer for buffer in buffers if _is_on(buffer, device)]
    cache = sum(buffer.size_bytes for buffer in buffers if buffer.kind == "KV")
    free = device.free_bytes or 0
    if own and own[0].family == "metal" and log.metal.limit_bytes is not None:
        free = min(free, log.metal.limit_bytes)
    fixed = sum(buffer.size_bytes for buffer in own if buffer.kind not in GROWS)
    kv_share = sum(buffer.size_bytes for buffer in own if buffer.kind == "KV") / cache if cache else 0.0
    names = tuple(dict.fromkeys(buffer.device for buffer in own))
    return _pool(device.name, free, fixed)._replace(kv_share=kv_share, devices=names, is_rest=False)


def _is_on(buffer: Buffer, device: DeviceLine) -> bool:
    """RPC0[host:port] is a buffer on the device RPC0."""
    return buffer.device == device.name or buffer.device.startswith(f"{device.name}[")


def _resident(buffers: tuple[Buffer, ...] | list[Buffer], weights_bytes: int) -> int:
    """Mapped buffers are regions of the same files, which may overlap; all others are memory of their own."""
    mapped = sum(buffer.size_bytes for buffer in buffers if buffer.mapped)
    own = sum(buffer.size_bytes for buffer in buffers if not buffer.mapped and buffer.kind not in GROWS)
    return min(mapped, weights_bytes) + own


def _pool(name: str, available_bytes: int, fixed_bytes: int) -> Pool:
    margin = max(round(available_bytes * MARGIN_SHARE), LEAST_MARGIN_BYTES)
    return Pool(name, max(available_bytes - margin, 0), margin, fixed_bytes)
