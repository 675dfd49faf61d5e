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
    repack: bool = True  # rewrite weights for this CPU while loading: a slower start for faster tokens
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


_KEYWORDS = {
    "mmap": "use_mmap=True",
    "read": "use_mmap=False",
    "mlock": "use_mmap=True, use_mlock=True",
    "direct": "llama_model_params.load_mode = 4, which Llama() cannot set",
}
_FLAGS = {"n_gpu_layers": "-ngl", "n_ctx": "-c", "n_threads": "-t", "type_k": "-ctk", "type_v": "-ctv"}


def layers_text(count: int) -> str:
    """A number of GPU layers as people read it: a negative one means all of them."""
    return "all" if count < 0 else str(count)


def change_text(changes: Mapping[str, str]) -> str:
    """How to make changes of settings by name: as keywords of ``Llama()`` and as flags of llama-server."""
    keywords: list[str] = []
    flags: list[str] = []
    apart: list[str] = []
    for name, value in changes.items():
        if name == "load_mode":
            (apart if value == "direct" else keywords).append(_KEYWORDS[value])
            flags.append(f"--load-mode {SERVER_LOAD_MODES[value]}")
            continue
        if name == "repack":
            apart.append("llama_model_params.use_extra_bufts = False, which Llama() cannot set")
            flags.append("--no-repack")
            continue
        number = "-1" if value == "all" else str(KV_TYPES.get(value, value))
        keywords.append(f"{name}={number}")
        # "all" is a word that only newer versions of llama-server know.
        flags.append(f"{_FLAGS[name]} {'99' if value == 'all' else value}")
    told = [f"Llama({', '.join(keywords)})"] if keywords else []
    return "; ".join([*told, *apart, f"llama-server: {' '.join(flags)}"])
