"""How a model is loaded: one value per option, in llama.cpp's own words and with llama-cpp-python's own defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from synapse_perf.samples import Json

LOAD_MODES = ("mmap", "read", "mlock", "direct")
# llama-server before mid-2026 says --no-mmap for none, --mlock for mmap+mlock, and --direct-io for dio.
SERVER_LOAD_MODES = {"mmap": "mmap", "read": "none", "mlock": "mmap+mlock", "direct": "dio"}
KV_TYPES = {"f32": 0, "f16": 1, "bf16": 30, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20}
DEFAULT_CONTEXT = 4096  # llama-cpp-python's 512 is too short for any real use, the trained one often too large


def default_threads() -> int:
    """What ``Llama()`` chooses: half of the logical processors."""
    return max((os.cpu_count() or 1) // 2, 1)


class LoadSettings(NamedTuple):
    """One way to load one model."""

    model_path: str
    n_ctx: int = DEFAULT_CONTEXT
    n_batch: int = 512
    n_ubatch: int = 512
    n_threads: int = 0  # 0: default_threads()
    n_gpu_layers: int = 0
    device: str = "auto"  # auto, cpu, gpu, or a device's name in llama.cpp
    load_mode: str = "mmap"
    flash_attn: bool | None = None  # None: llama.cpp decides
    type_k: str = "f16"
    type_v: str = "f16"
    rpc_servers: tuple[str, ...] = ()  # endpoints whose devices are added; the project's own tests offload to one

    @property
    def threads(self) -> int:
        return self.n_threads or default_threads()

    def as_workload(self) -> dict[str, Json]:
        return self._asdict()

    @classmethod
    def from_workload(cls, workload: Mapping[str, Json]) -> LoadSettings:
        values = dict(workload)
        values["rpc_servers"] = tuple(values.get("rpc_servers", ()))
        return cls(**values)

    def llama_arguments(self) -> str:
        """The keyword arguments of ``Llama()`` that do the same."""
        arguments = [f"n_gpu_layers={self.n_gpu_layers}", f"n_ctx={self.n_ctx}", f"n_threads={self.threads}"]
        arguments += {
            "mmap": ["use_mmap=True"],
            "read": ["use_mmap=False"],
            "mlock": ["use_mmap=True", "use_mlock=True"],
            "direct": ["use_mmap=False  # Llama() cannot ask for direct I/O: llama_model_params.load_mode = 4"],
        }[self.load_mode]
        if self.flash_attn is not None:
            arguments.append(f"flash_attn={self.flash_attn}")
        for name, kv_type in (("type_k", self.type_k), ("type_v", self.type_v)):
            if kv_type != "f16":
                arguments.append(f"{name}={KV_TYPES[kv_type]}")
        return f"Llama({', '.join(arguments)})"

    def server_flags(self) -> str:
        """The flags of llama-server that do the same."""
        flags = [f"-ngl {self.n_gpu_layers}", f"-c {self.n_ctx}", f"-t {self.threads}"]
        flags.append(f"--load-mode {SERVER_LOAD_MODES[self.load_mode]}")
        if self.flash_attn is not None:
            flags.append(f"-fa {'on' if self.flash_attn else 'off'}")
        for flag, kv_type in (("-ctk", self.type_k), ("-ctv", self.type_v)):
            if kv_type != "f16":
                flags.append(f"{flag} {kv_type}")
        return " ".join(flags)
