"""Where did the weights really go, by the devices and buffers that llama.cpp's log lists?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.llama.log_patterns import Event
from synapse_perf.units import MIB

_MAPPED = "_Mapped"
_PREFIX = re.compile(r"[A-Za-z]+")
_FAMILIES = {"mtl": "metal", "gpuopencl": "opencl", "hip": "rocm"}


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """A device as the log names it; `free_bytes` when it was asked for, in whole MiB."""

    name: str
    description: str
    identity: str | None
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class Buffer:
    """One allocation, rounded by llama.cpp to 0.01 MiB; a mapped one lies in the file's mapping and copies nothing.

    kind: model, KV, compute, output, RS (recurrent state) or, to early 2024, input.
    """

    device: str
    kind: str
    size_bytes: int
    mapped: bool

    @property
    def family(self) -> str:
        return device_family(self.device)


@dataclass(frozen=True, slots=True)
class Placement:
    """Which devices there were, and which of them got layers and buffers.

    layers_claimed: what the line "offloaded n/m layers to GPU" says; m counts the output layer. used_device: the back
    end that holds the layers (cpu, metal, cuda, rocm, vulkan, rpc ...), None if the log does not tell.
    """

    devices: tuple[DeviceLine, ...]
    buffers: tuple[Buffer, ...]
    layers_claimed: tuple[int, int] | None
    used_device: str | None

    @property
    def layers_offloaded(self) -> int | None:
        """Layers on the used device: none where the weights stayed with the CPU, whatever llama.cpp says."""
        if self.used_device == "cpu":
            return 0
        return self.layers_claimed[0] if self.layers_claimed else None

    @property
    def is_partial(self) -> bool:
        """Whether some layers are on a GPU and others are not."""
        return bool(self.layers_claimed and self.layers_offloaded and self.layers_offloaded < self.layers_claimed[1])

    def buffer_bytes(self, kind: str, family: str | None = None) -> int:
        """Sum of the buffers of a kind, on one back end or on all; mapped regions of two back ends may overlap."""
        return sum(
            buffer.size_bytes
            for buffer in self.buffers
            if buffer.kind == kind and (family is None or buffer.family == family)
        )


def read_placement(events: Sequence[Event]) -> Placement:
    """The devices, buffers and layers that the events tell of."""
    buffers = tuple(_buffer(event) for event in events if event.kind == "buffer")
    claims = [(int(event.group(0)), int(event.group(1))) for event in events if event.kind == "offloaded"]
    layers = claims[0] if claims else None
    devices = _devices(events)
    return Placement(devices, buffers, layers, _used_device(buffers, layers, devices))


def device_family(buffer_name: str) -> str:
    """The back end of a buffer's or a device's name: cpu, metal, cuda, rocm, vulkan, rpc ...

    MTL0 and Metal are metal, RPC0[127.0.0.1:50052] is rpc; CUDA_Host and CPU_REPACK are the CPU's memory.
    """
    if buffer_name.endswith("_Host"):
        return "cpu"
    prefix = _PREFIX.match(buffer_name)
    name = prefix[0].lower() if prefix else buffer_name.lower()
    return _FAMILIES.get(name, name)


def mib_bytes(text: str) -> int:
    """Bytes of a number of MiB as llama.cpp prints it."""
    return round(float(text) * MIB)


def _buffer(event: Event) -> Buffer:
    name = event.group(0)
    kind = event.group(1).strip() or "model"  # to early 2024 the weights' buffers had no word of their own
    return Buffer(name.removesuffix(_MAPPED), kind, mib_bytes(event.group(2)), name.endswith(_MAPPED))


def _devices(events: Sequence[Event]) -> tuple[DeviceLine, ...]:
    chosen = {event.group(0): _device(event) for event in events if event.kind == "device"}
    if chosen:
        return tuple(chosen.values())
    # Before late 2024 nothing said which devices were chosen: those that the back ends found are what there is.
    found = [event.group(1) for event in events if event.kind == "gpus_found"]
    backend = found[0] if found else "GPU"
    listed = [
        DeviceLine(f"{backend}{event.group(0)}", event.group(1), None, None)
        for event in events
        if event.kind == "gpu_listed"
    ]
    metal = [
        DeviceLine(event.group(0) or "Metal", event.group(1) or event.group(2), None, None)
        for event in events
        if event.kind == "metal_name"
    ]
    return tuple({device.name: device for device in (*listed, *metal)}.values())


def _device(event: Event) -> DeviceLine:
    # Since 2026 an identity such as 0000:c1:00.0 follows the description, in brackets of its own.
    words, separator, identity = event.group(1).rpartition(") (")
    known = identity if separator and identity != "unknown id" else None
    free = event.group(2)
    return DeviceLine(event.group(0), words if separator else event.group(1), known, int(free) * MIB if free else None)


def _used_device(
    buffers: Sequence[Buffer], layers: tuple[int, int] | None, devices: Sequence[DeviceLine]
) -> str | None:
    """A GPU's back end as soon as it holds any weights.

    "offloaded 33/33 layers to GPU" proves nothing: a build with RPC prints it on a machine without any GPU. It counts
    only where there are no buffer lines, and together with a device.
    """
    weights = [buffer for buffer in buffers if buffer.kind == "model"]
    if weights:
        away = [buffer for buffer in weights if buffer.family != "cpu" and buffer.size_bytes > 0]
        return max(away, key=lambda buffer: buffer.size_bytes).family if away else "cpu"
    if layers is None:
        return None
    if layers[0] == 0:
        return "cpu"
    return device_family(devices[0].name) if devices else None
