"""Which lines of a llama.cpp log mean something, in which wording, and in which era was each wording seen?

The tails of these messages have outlived their prefixes, so nothing is anchored at the start of a line. A wording that
was never met in a real log is taken from llama.cpp's source; tests/llama/logs/README.md says which.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.llama.log_lines import LEVEL_ERROR, LogLine

E24, E25, E26A, E26B = "2024", "2025", "early 2026", "2026"
ERAS = {
    E24: "to the end of 2024 (llm_load_tensors, llama_new_context_with_model, KV self size)",
    E25: "2025 (load_tensors, print_info, mmap = true)",
    E26A: "early 2026 (sched_reserve, mmap = true, direct_io = false)",
    E26B: "since mid-2026 (load_mode = mmap)",
}
ALL = tuple(ERAS)
FROM_2025 = (E25, E26A, E26B)
FROM_2026 = (E26A, E26B)
LONGEST = 2000  # characters of a line that are looked at; embeddings and debug dumps print lines of many thousands


@dataclass(frozen=True, slots=True)
class Pattern:
    """One wording: `needle` is a literal part of it that is looked for first, as that is ten times faster."""

    kind: str
    needle: str
    regex: re.Pattern[str]
    eras: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """A line that means something: its position among the lines, and what the pattern captured."""

    index: int
    kind: str
    time_ns: int | None
    groups: tuple[str | None, ...]
    text: str

    def group(self, number: int) -> str:
        """The text captured by group `number` (from 0), empty where it took no part."""
        return (self.groups[number] if number < len(self.groups) else None) or ""


def _row(kind: str, needle: str, regex: str, eras: tuple[str, ...]) -> Pattern:
    return Pattern(kind, needle, re.compile(regex), eras)


_N = r"(\d{1,12}(?:\.\d{1,6})?)"  # a number as llama.cpp prints it
_MIB = r"\s*=\s*" + _N + r" MiB"
_KV_PARTS = r"K \((\w+)\):\s*" + _N + r" MiB, V \((\w+)\):\s*" + _N + r" MiB"
_CONTEXT = r"(?:llama_context|llama_init_from_model|llama_new_context_with_model)"

# The first that fits decides, so the particular come before the general.
PATTERNS: tuple[Pattern, ...] = (
    # --- sizes: the lines there are most of, and that matter most
    _row("buffer", "buffer size", r"(\S{1,80})\s+(model|KV|RS|compute|output|input) buffer size" + _MIB, ALL),
    _row("buffer", "buffer size", r"llm_load_tensors:\s+(\S{1,80})( )buffer size" + _MIB, (E24,)),
    _row("kv_total", ", K (", r"size" + _MIB + r"(?: \(\s*(\d+) cells,\s*(\d+) layers[^)]*\))?, " + _KV_PARTS, ALL),
    _row("state_total", ", R (", r"size" + _MIB + r" \(\s*(\d+) cells,\s*(\d+) layers[^)]*\), R \(", FROM_2025),
    # --- before the file is read
    _row("build", "build", r"\bbuild(?: =|:) (\d+) \(([0-9a-f]{7,40})\)", ALL),
    _row("server_load", "loading model", r"load_model: loading model '([^']+)'|main: loading model", ALL),
    _row("gpus_found", "ound ", r"[Ff]ound (\d+) (CUDA|ROCm|MUSA|Vulkan|SYCL|OpenCL)\b.{0,40}?devices?", ALL),
    _row("gpu_listed", "  Device ", r"^\s+Device (\d+): (.{1,100}?), (?:compute capability|gfx|VMM)", ALL),
    _row("gpu_listed", "ggml_vulkan: ", r"ggml_vulkan: (\d+) = (.{1,100}?) \([^()]*\) \|", ALL),
    _row("backend_loaded", "load_backend: ", r"load_backend: loaded (\S+) backend", FROM_2025),
    _row("device", "using device ", r"using device (\S+) \((.{1,200}?)\)(?: - (\d+) MiB free)?\s*$", ALL),
    _row("fit_took", "fitting params to free memory took", r"took " + _N + r" seconds", FROM_2026),
    _row("fit", "fit_", r"common_(?:params_fit_impl|fit_params):|llama_params_fit", FROM_2026),
    _row("fit", "fitting params to device memory", r"fitting params", FROM_2026),
    # --- header, vocabulary, what the model is
    _row(
        "metadata_loaded",
        "loaded meta data with",
        r"with (\d+) key-value pairs and (\d+) tensors from (.+) \(version (.+)\)\s*$",
        ALL,
    ),
    _row("splits", "GGUFs metadata loaded", r"additional (\d+) GGUFs", ALL),
    _row("metadata", "llama_model_loader: - ", r"- (?:kv\s+\d+:|type )", ALL),
    _row("metadata", "Dumping metadata", r"Dumping metadata", ALL),
    _row("vocabulary_done", "token to piece cache size", r"= " + _N + r" MB", ALL),
    _row("vocabulary_done", "special tokens definition", r"check successful|mismatch in", (E24,)),
    _row("vocabulary", "special tokens cache size", r"= (\d+)", ALL),
    _row("info", "print_info: ", r"print_info: ([\w. ]{1,40}?)\s*= (.*)$", FROM_2025),
    _row("info", "llm_load_print_meta: ", r"llm_load_print_meta: ([\w. ]{1,40}?)\s*= (.*)$", (E24,)),
    _row("vocabulary_only", "vocab only - skipping", r"skipping tensors", ALL),
    # --- tensors
    _row("tensors_begin", "loading model tensors", r"take a while\.\.\.(?: \((.*)\))?", FROM_2025),
    _row("tensors_begin", "ggml ctx size", r"ggml ctx size =()", (E24,)),
    _row("offloaded", "offloaded ", r"offloaded (\d+)/(\d+) layers to GPU", ALL),
    _row("offloading", "offloading ", r"offloading (?:\d+ repeating|output|non-repeating) layers?", ALL),
    _row("override", "tensor overrides to CPU are used with mmap", r"mmap enabled", FROM_2026),
    _row("partial", "partial load", r"partial load \S{1,8} used (\d+) of (\d+) tensors", FROM_2026),
    _row(
        "mlock_failed", "lock ", r"failed to (?:mlock|VirtualLock) (\d+)-byte buffer \([^)]*?(\d+) bytes\): (.*)", ALL
    ),
    _row("mlock_failed", "mlock not supported", r"(mlock) (not) (supported.*)", ALL),
    _row("direct_io_fallback", "alling back to buffered I", r"back to buffered I/?O", FROM_2026),
    _row("cancelled", "cancelled model load", r"cancelled", ALL),
    # --- Metal
    _row("shaders_begin", "embedded metal library", r"using embedded", ALL),
    _row("shaders_begin", ".metallib", r"loading '|not found, loading kernel sources", ALL),
    _row("shaders_done", " sec", r"ggml_metal\w*: loaded (?:(\d+) libraries from (.+?) )?in " + _N + r" sec", ALL),
    _row("shaders_done", "compiled in ", r"ggml_metal\w*: ()()compiled in " + _N + r" sec", ALL),
    _row("shaders_part", "_compile_all: compiled", r"compiled '([^']+)' library in " + _N + r" sec", (E26B,)),
    _row("pipeline", "compiling pipeline", r"pipeline: base = '(.+?)', name = '(.+?)'", FROM_2025),
    _row("metal_limit", "recommendedMaxWorkingSetSize", r"=\s*" + _N + r" MB", ALL),
    _row("over_committed", "greater than the recommended max working set", r"current allocated size", ALL),
    _row("metal_name", "GPU name:", r"GPU name:\s+(?:(MTL\d+) \((.+)\)|(.+?))\s*$", ALL),
    _row("metal", "ggml_metal_", r"ggml_metal_(?:init|device_init|rsets_init|library_init)\w*: ", ALL),
    # --- context
    _row("context_begin", "constructing llama_context", r"constructing", FROM_2025),
    _row("context", ": ", _CONTEXT + r": (n_\w+|flash_attn|kv_unified)\s*= (\S+)", ALL),
    _row("flash_attention", "lash Attention", r"Attention (?:was auto, set to |not supported, set to )?(\w+)", ALL),
    _row("kv_begin", "kv_size = ", r"kv_size = (\d+).*type_k = '(\w+)', type_v = '(\w+)', n_layer = (\d+)", (E24, E25)),
    _row("kv_begin", "KV cache, size", r"creating\s+(?:[\w-]+ )*KV cache, size = (\d+) cells", FROM_2025),
    _row("full_window", "using full-size SWA cache", r"full-size SWA", FROM_2025),
    _row("reserve_begin", "_reserve: reserving", r"reserving \.\.\.", FROM_2026),
    _row("reserve_done", "reserve took", r"took " + _N + r" ms, sched copies = (\d+)", FROM_2026),
    _row("graph", "graph", r"graph(?: \([^)]*\))?: nodes = (\d+)[^,]*, splits = (\d+)", (E26B,)),
    _row("graph_nodes", "graph nodes", r"graph nodes\s*= (\d+)", (E24, E25, E26A)),
    _row("graph_splits", "graph splits", r"graph splits(?: \(measure\))?\s*[=:] (\d+)", (E24, E25, E26A)),
    # --- after the load
    _row("warm_up", "warming up the model", r"empty run", ALL),
    _row("system_info", "system_info:", r"n_threads = (\d+)(?: \(n_threads_batch = (\d+)\))? / (\d+)", ALL),
    _row("ready", "model loaded", r"(?:main|srv|llama_server)\b.*: model loaded", ALL),
    _row("ready", "listening on ", r"listening on \S", ALL),
    _row("idle", "all slots are idle", r"slots are idle", ALL),
    _row(
        "printed_time",
        "_print",
        r"(?:perf_context_print|print_timings):\s+(load|prompt eval) time =\s+" + _N + r" ms",
        ALL,
    ),
    # --- failures, in llama.cpp's own words
    _row("error", "error loading model", r"error loading model(?: \w+)?: (.+)", ALL),
    _row("error", "ailed to ", r"((?:cudaMalloc )?failed to (?:load model|allocate|create (?:llama_)?context).*)", ALL),
    _row("error", "unable to allocate", r"(unable to allocate .*)", ALL),
    _row("error", "alloc failed: ", r"(\w{0,20}[Mm]alloc failed: .*)", ALL),
)
KINDS = frozenset(pattern.kind for pattern in PATTERNS)


def find_events(lines: Sequence[LogLine]) -> list[Event]:
    """Every line that means something, in order; linear in the size of the log."""
    events = []
    for index, line in enumerate(lines):
        text = line.text if len(line.text) <= LONGEST else line.text[:LONGEST]
        for pattern in PATTERNS:
            if pattern.needle in text:
                match = pattern.regex.search(text)
                if match is not None:
                    events.append(Event(index, pattern.kind, line.time_ns, match.groups(), text))
                    break
        else:
            if line.level == LEVEL_ERROR and text.strip():
                events.append(Event(index, "error", line.time_ns, (text.strip(),), text))
    return events


def find_era(lines: Sequence[LogLine]) -> str | None:
    """The era of a log's wording, a key of ERAS; None where nothing tells."""
    seen = {mark for line in lines for mark in _ERA_MARKS if mark in line.text}
    return next((era for mark, era in _ERA_MARKS.items() if mark in seen), None)


# What decides comes first: a wording that came later proves the later era.
_ERA_MARKS = {
    "(load_mode = ": E26B,
    ", direct_io = ": E26A,
    "llm_load_": E24,
    "llama_new_context_with_model": E24,
    "sched_reserve: ": E26A,
    "print_info: ": E25,
    "load_tensors: ": E25,
    "llama_kv_cache": E25,
}
