"""How is a model file of true shape made without a download?

Loading, memory and speed of a dense model depend on its shape and not on its weights, which are random here. So that
generation goes on to its limit, tokens that end it or are no whole character never win: the first element of the
residual stream carries a constant that no layer writes to; it counts for ordinary tokens and against the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from synapse_perf.errors import InputError
from synapse_perf.gguf_files.atomic_file import whole_file
from synapse_perf.gguf_files.encoding import encode_header
from synapse_perf.gguf_files.header import read_header
from synapse_perf.gguf_files.model_metadata import model_metadata
from synapse_perf.gguf_files.shapes import Shape, make_vocabulary
from synapse_perf.gguf_files.tensor_plan import PlannedTensor, check_quant, plan_tensors
from synapse_perf.gguf_files.weights import Weights

GENERATOR_VERSION = 2  # to be raised whenever the same recipe gives other bytes

Observe = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """A file before it is written."""

    header: bytes
    tensors: Sequence[PlannedTensor]
    held_back: Sequence[bool]

    @property
    def size_bytes(self) -> int:
        return len(self.header) + sum(tensor.padded_bytes for tensor in self.tensors)


def plan_file(shape: Shape, quant: str, seed: int) -> Plan:
    """Header and tensors of the file that `synthesize` writes; InputError for an unknown quantisation."""
    quant = check_quant(quant)
    vocabulary = make_vocabulary(shape)
    tensors = plan_tensors(shape, quant)
    header = encode_header(model_metadata(shape, quant, vocabulary, _recipe(shape, quant, seed)), tensors)
    return Plan(header, tensors, vocabulary.held_back)


def synthesize(
    shape: Shape, quant: str, path: Path, *, seed: int = 0, observe: Observe | None = None, overwrite: bool = False
) -> Path:
    """Write a GGUF file of that shape with random weights, the same for the same seed, and return its path.

    `observe` gets bytes done and bytes in all. InputError, before anything is written, when the disk lacks room or,
    unless `overwrite`, another file than a sample of this tool is in the way. The file appears whole or not at all.
    """
    if not overwrite:
        _check_replaceable(path)
    plan = plan_file(shape, quant, seed)
    total_bytes, done_bytes = plan.size_bytes, 0
    with whole_file(path, total_bytes) as file:
        for chunk in _chunks(shape, plan, seed):
            done_bytes += file.write(chunk)
            if observe is not None:
                observe(done_bytes, total_bytes)
    return path


def sample_name(shape: Shape, quant: str, seed: int) -> str:
    """The file name that such a sample has in the cache."""
    ending = f"-seed{seed}" if seed else ""
    return f"synth-{shape.name}-{quant}{ending}.gguf"


def is_made(shape: Shape, quant: str, path: Path, seed: int) -> bool:
    """Whether the file is there, whole, and what `synthesize` would write."""
    try:
        return read_header(path).made_by == _recipe(shape, quant, seed)
    except InputError:
        return False


def _recipe(shape: Shape, quant: str, seed: int) -> str:
    return f"{shape.name} {quant} seed {seed} v{GENERATOR_VERSION}"


def _check_replaceable(path: Path) -> None:
    if not path.exists():
        return
    try:
        replaceable = read_header(path).is_sample
    except InputError:
        replaceable = False
    if not replaceable:
        raise InputError(f"{path} exists and was not made by this tool", "give another output path")


def _chunks(shape: Shape, plan: Plan, seed: int) -> Iterator[bytes | memoryview]:
    yield plan.header
    weights = Weights(shape, plan.held_back, seed)
    for tensor in plan.tensors:
        yield from weights.data(tensor)
        yield bytes(tensor.padded_bytes - tensor.size_bytes)
