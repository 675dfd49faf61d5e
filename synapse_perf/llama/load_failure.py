"""What kind of failure do llama.cpp's own words name, and what is to be done about it?"""

from __future__ import annotations

from synapse_perf.samples import FailureKind

_OUT_OF_MEMORY = (
    "insufficient memory",
    "failed to allocate",
    "unable to allocate",
    "out of memory",
    "cannot allocate memory",
    "bad_alloc",
    "alloc failed",
)
_NO_MEMORY_REMEDY = "close other programs, or choose a smaller context (-c), KV type (-ctk, -ctv), model or fewer -ngl"
_NOT_UNDERSTOOD = "the file is damaged, or newer than this llama.cpp: fetch it again, or update llama-cpp-python"
_REMEDIES = {
    "unknown model architecture": "this llama.cpp is older than the model: update llama-cpp-python",
    "not within the file bounds": "the file is damaged or not complete: download it again",
    "failed to open": "the file has gone or may not be read: check its path and permissions",
    "magic": "the file is not a GGUF model",
    "check_tensor_dims": _NOT_UNDERSTOOD,
    "unknown pre-tokenizer": _NOT_UNDERSTOOD,
    "model vocabulary": _NOT_UNDERSTOOD,
    "GGML_ASSERT(hparams": _NOT_UNDERSTOOD,
    "requires flash_attn": "add -fa on, or take f16 for the V cache",
    "requires Flash Attention": "add -fa on, or take f16 for the V cache",
    "no direct I/O": "update llama-cpp-python, or leave the load mode direct out",
    "device": "see 'synapse-perf doctor' for the devices of this llama.cpp",
}
_LOOK_CLOSER = "run it with --debug for llama.cpp's whole log"


def explain(words: str) -> tuple[FailureKind, str]:
    """The kind of failure and its remedy, from what llama.cpp said."""
    lowered = words.lower()
    if any(part in lowered for part in _OUT_OF_MEMORY):
        return "out-of-memory", _NO_MEMORY_REMEDY
    return "error", next((remedy for part, remedy in _REMEDIES.items() if part in words), _LOOK_CLOSER)
