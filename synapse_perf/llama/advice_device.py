"""Is the device that is there used, and is its memory enough?"""

from __future__ import annotations

from synapse_perf.llama.advice_form import finding
from synapse_perf.llama.load_log import LoadLog
from synapse_perf.llama.load_phases import LoadPhases
from synapse_perf.model import Finding, Gain


def gpu_not_used(log: LoadLog, _phases: LoadPhases) -> Finding | None:
    place = log.placement
    if place.used_device != "cpu" or not place.devices:
        return None
    device = place.devices[0]
    return finding(
        "gpu-not-used",
        "high",
        f"{device.name} ({device.description}) is there, but every layer stayed on the CPU",
        {"device": device.name, "free_bytes": device.free_bytes, "layers_offloaded": 0, "layers": _layers(log)},
        ("Llama(n_gpu_layers=-1)", "-ngl 99"),
        f"the log then lists a model buffer on {device.name}",
        "the device that llama.cpp used, in each result",
    )


def partly_offloaded(log: LoadLog, _phases: LoadPhases) -> Finding | None:
    place = log.placement
    if not place.is_partial or place.layers_claimed is None:
        return None
    offloaded, layers = place.layers_claimed
    left = place.buffer_bytes("model", "cpu")
    free = place.devices[0].free_bytes if place.devices else None
    return finding(
        "gpu-partly-used",
        "medium",
        f"{offloaded} of {layers} layers are on the GPU; each token waits for those on the CPU",
        {"layers_offloaded": offloaded, "layers": layers, "weights_on_cpu_bytes": left, "device_free_bytes": free},
        (
            "Llama(n_gpu_layers=-1), with a smaller quantisation, n_ctx or type_k/type_v if it then lacks memory",
            "-ngl 99, with a smaller -c or -ctk q8_0 -ctv q8_0 if it then lacks memory",
        ),
        f"the log then says 'offloaded {layers}/{layers} layers to GPU'",
        "layers offloaded, in each result",
    )


def over_committed(log: LoadLog, _phases: LoadPhases) -> Finding | None:
    if not log.metal.over_committed:
        return None
    return finding(
        "metal-over-committed",
        "high",
        "more memory is allocated on Metal than its recommended working set: macOS may page it out while it is in use",
        {
            "limit_bytes": log.metal.limit_bytes,
            "weights_bytes": log.placement.buffer_bytes("model", "metal"),
            "kv_bytes": log.placement.buffer_bytes("KV", "metal"),
        },
        ("a smaller n_ctx, type_k=8, type_v=8, or fewer n_gpu_layers", "a smaller -c, -ctk q8_0 -ctv q8_0, or -ngl"),
        "the warning 'greater than the recommended max working set size' is gone",
        "memory pressure and swap on this machine",
    )


def cold_shaders(log: LoadLog, _phases: LoadPhases) -> Finding | None:
    library = log.metal.shader_library
    if library is None or library.state != "cold":
        return None
    return finding(
        "shaders-compiled",
        "high" if library.seconds >= 5 else "medium",
        f"Metal's shaders were compiled for {library.seconds:.1f} s: the first start of this binary",
        {"seconds": library.seconds, "libraries": library.libraries},
        ("start it once after each installation, and keep the binary: a rebuilt or reinstalled one compiles again", ""),
        "the second start says 'loaded ... libraries' with some milliseconds",
        "seconds in the shader library, by binary",
        Gain(library.seconds, None, None, "s", measured=False),
    )


def _layers(log: LoadLog) -> int | None:
    claimed = log.placement.layers_claimed
    return claimed[1] if claimed else log.model.n_layer
