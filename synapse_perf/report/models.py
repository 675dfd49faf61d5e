"""How do the models of this machine read, and the shapes and files that this tool can make or has made?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from synapse_perf.gguf_files.cache import CachedFile
from synapse_perf.gguf_files.discovery import FoundModel
from synapse_perf.gguf_files.header import GgufHeader
from synapse_perf.gguf_files.places import Source
from synapse_perf.gguf_files.shapes import Shape
from synapse_perf.gguf_files.tensor_plan import QUANTS, plan_tensors
from synapse_perf.host.privacy import shorten_home
from synapse_perf.report.document import Block, Cell, Column, Document, Paragraph, Row, Section, Table
from synapse_perf.units import format_bytes, three_digits

_SCHEMA_VERSION = 1
_PLACES: dict[Source, str] = {
    "profile": "Named here",
    "huggingface": "Hugging Face cache",
    "lm-studio": "LM Studio",
    "llama.cpp": "llama.cpp cache",
    "ollama": "Ollama",
    "embedded": "Samples of the profile 'embedded'",
    "converted": "Encoders made by `models import`",
    "synthesised": "Samples made by `models synth`",
}
_FACTS = (
    *("architecture", "parameters", "file_type", "size_bytes", "n_layer", "n_embd", "n_ctx_train", "n_vocab"),
    *("expert_count", "generates", "split_count", "digest"),
)
_COLUMNS = (
    Column("name", shrink="wrap"),
    Column("arch"),
    Column("params", align="right"),
    Column("quant"),
    Column("size", align="right"),
    Column("context", align="right"),
    Column("tier"),
)


def models_document(models: Sequence[FoundModel]) -> Document:
    """A table for each place that holds models; a file with a problem shows that instead of its figures."""
    if not models:
        return (Section("", (Paragraph("No models were found on this machine."), Paragraph(_WHERE_ELSE, "quiet"))),)
    real = sum(model.problem is None and not model.is_sample for model in models)
    count = (
        f"{real} {'model' if real == 1 else 'models'}." if real else "No model was found, only what is listed below."
    )
    summary = Paragraph(count, "strong")
    sections = [
        _place(title, [model for model in models if model.source == source]) for source, title in _PLACES.items()
    ]
    return (Section("", (summary,)), *(section for section in sections if section.blocks))


_WHERE_ELSE = (
    "Looked at: the caches of Hugging Face and llama.cpp, LM Studio, Ollama. Give other files and folders as "
    "arguments, or make a model of true shape: synapse-perf models synth --list"
)


def models_json(models: Sequence[FoundModel]) -> str:
    """The same as data, in base units; what the file does not say is null."""
    data = {"kind": "models", "schema_version": _SCHEMA_VERSION, "models": [_as_data(model) for model in models]}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def shapes_document(shapes: Iterable[Shape]) -> Document:
    """What can be synthesised, and about how large it becomes in each quantisation."""
    columns = (Column("shape"), Column("of"), Column("params", align="right"))
    sizes = tuple(Column(quant, align="right") for quant in QUANTS)
    rows = tuple(_shape_row(shape) for shape in shapes)
    return (Section("Shapes", (Table((*columns, *sizes), rows),)),)


def cache_document(files: Sequence[CachedFile], directory: str) -> Document:
    """What this tool keeps, with the sum of its size."""
    total = format_bytes(sum(file.size_bytes for file in files))
    summary = f"{len(files)} {'file' if len(files) == 1 else 'files'}, {total}, in {shorten_home(directory)}"
    blocks: list[Block] = [Paragraph(summary, "strong")]
    if files:
        columns = (Column("file"), Column("size", align="right"), Column("made from", shrink="wrap"))
        blocks.append(Table(columns, tuple(_cached_row(file) for file in files)))
    return (Section("", tuple(blocks)),)


def _place(title: str, models: Sequence[FoundModel]) -> Section:
    return Section(title, (Table(_COLUMNS, tuple(_model_row(model) for model in models)),) if models else ())


def _model_row(model: FoundModel) -> Row:
    header = model.header
    if header is None:
        empty = tuple(Cell("") for _ in _COLUMNS[1:])
        return Row((Cell(model.name, "bad"), *empty), f"unusable: {model.problem}")
    context = str(header.n_ctx_train) if header.n_ctx_train else "?"
    texts = (header.architecture, _parameters(header.parameters), header.file_type or "?")
    figures = (format_bytes(header.size_bytes), context, model.tier or "encoder")
    return Row((Cell(model.name), *(Cell(text) for text in (*texts, *figures))))


def _shape_row(shape: Shape) -> Row:
    parameters = sum(_elements(tensor.shape) for tensor in plan_tensors(shape, "f16"))
    sizes = (sum(tensor.padded_bytes for tensor in plan_tensors(shape, quant)) for quant in QUANTS)
    texts = (shape.name, shape.title, _parameters(parameters), *(format_bytes(size) for size in sizes))
    return Row(tuple(Cell(text) for text in texts))


def _cached_row(file: CachedFile) -> Row:
    made_by = Cell(file.made_by) if file.made_by else Cell("unfinished, its writer was killed", "warn")
    return Row((Cell(file.path.name), Cell(format_bytes(file.size_bytes)), made_by))


def _as_data(model: FoundModel) -> dict[str, object]:
    identity = {"name": model.name, "path": str(model.path), "source": model.source, "problem": model.problem}
    return {**identity, "tier": model.tier, "sample": model.is_sample, **_facts(model.header)}


def _facts(header: GgufHeader | None) -> dict[str, object]:
    return {name: None if header is None else getattr(header, name) for name in _FACTS}


def _parameters(count: int) -> str:
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if count >= size:
            return f"{three_digits(count / size)}{unit}"
    return str(count)


def _elements(shape: tuple[int, ...]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product
