"""Which other settings might answer sooner on this machine, and how are they written as options?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from synapse_perf.llama.settings import KV_TYPES, LoadSettings
from synapse_perf.model import Json

REFERENCE = "as set"
BATCH_THREADS = "n_threads_batch"  # of a context, beside the settings of a load
SMALL_UBATCH, DEFAULT_UBATCH = 128, 512
Changes = Mapping[str, Json]
# Of each: the flag of llama.cpp's programs and the keyword of Llama().
_FLAGS = {
    "n_threads": "-t",
    BATCH_THREADS: "-tb",
    "n_batch": "-b",
    "n_ubatch": "-ub",
    "flash_attn": "-fa",
    "type_k": "-ctk",
    "type_v": "-ctv",
    "n_gpu_layers": "-ngl",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides which settings are worth a try."""

    cores: int  # that this process may use
    physical_cores: int | None = None
    performance_cores: int | None = None  # of a processor with several kinds
    has_gpu: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """Settings by name; `max_tokens` for an answer that is shorter than the others."""

    name: str
    changes: Changes = field(default_factory=dict)
    max_tokens: int | None = None


def candidates_for(reference: LoadSettings, machine: Machine, longest_prompt: int) -> tuple[list[Candidate], list[str]]:
    """What to try, the most promising first, and what cannot help here with the reason."""
    found: list[Candidate] = []
    useless: list[str] = []
    if machine.has_gpu and reference.n_gpu_layers == 0:
        found.append(_candidate({"n_gpu_layers": -1}))
    elif not machine.has_gpu:
        useless.append("offload: there is no GPU that this llama.cpp can use")
    cores = {machine.cores, machine.physical_cores, machine.performance_cores, max(1, machine.cores // 2)}
    threads = sorted({count for count in cores if count and count <= machine.cores} - {reference.threads}, reverse=True)
    found += [_candidate({"n_threads": count}) for count in threads]
    if not threads:
        useless.append(f"threads: {reference.threads} is all there is")
    if machine.cores > reference.threads:
        found.append(_candidate({BATCH_THREADS: machine.cores}))
    found.append(_candidate({"flash_attn": reference.flash_attn is False}))
    if "q8_0" not in (reference.type_k, reference.type_v):
        with_attention = {} if reference.flash_attn is not False else {"flash_attn": True}
        found.append(_candidate({"type_k": "q8_0", "type_v": "q8_0", **with_attention}))
    batches, told = _batches(reference, longest_prompt)
    return [*found, *batches], [*useless, *told]


def _batches(reference: LoadSettings, longest_prompt: int) -> tuple[list[Candidate], list[str]]:
    """Only what a prompt notices: one that fits into a batch is read in one piece whatever its size is."""
    found = []
    ubatch = min(reference.n_ubatch, reference.n_batch)
    if longest_prompt > ubatch:
        larger = max(2 * ubatch, DEFAULT_UBATCH)
        found.append(_candidate({"n_ubatch": larger, "n_batch": max(reference.n_batch, larger)}))
    if longest_prompt > SMALL_UBATCH < ubatch:
        found.append(_candidate({"n_ubatch": SMALL_UBATCH}))
    told = f"batch sizes: prompts of at most {longest_prompt} tokens are read in one piece anyway"
    return found, [] if found else [told]


def combined(candidates: Sequence[Candidate]) -> Candidate | None:
    """All that do not contradict a better one before them; None where that is one alone."""
    changes: dict[str, Json] = {}
    taken: set[str] = set()
    parts = 0
    for candidate in candidates:
        touched = set(candidate.changes)
        if touched & {"n_threads", BATCH_THREADS}:  # the one sets the other as well
            touched |= {"n_threads", BATCH_THREADS}
        if not taken & touched:
            changes |= candidate.changes
            taken |= touched
            parts += 1
    return _candidate(changes) if parts > 1 else None


def applied(reference: LoadSettings, changes: Changes) -> LoadSettings:
    """The settings of a load with the changes; threads of batches are none of it."""
    return reference._replace(**{name: value for name, value in changes.items() if name != BATCH_THREADS})


def options_text(changes: Changes) -> str:
    """As flags of llama.cpp's programs, which this tool takes too: ``-t 4 -fa on``."""
    return " ".join(f"{_FLAGS[name]} {_flag_value(name, value)}" for name, value in changes.items())


def keywords_text(changes: Changes) -> str:
    """As keywords of ``Llama()``."""
    values = {name: KV_TYPES[value] if name in ("type_k", "type_v") else value for name, value in changes.items()}
    return f"Llama({', '.join(f'{name}={value}' for name, value in values.items())})"


def _candidate(changes: Changes) -> Candidate:
    return Candidate(options_text(changes), changes)


def _flag_value(name: str, value: Json) -> str:
    if name == "flash_attn":
        return "on" if value else "off"
    return "99" if name == "n_gpu_layers" and value < 0 else str(value)
