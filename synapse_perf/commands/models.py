"""Which models are there to measure, and how is one made without a download?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from synapse_perf.commands.models_import import import_

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_perf.gguf_files.shapes import Shape
    from synapse_perf.report.document import Document

app = typer.Typer(
    no_args_is_help=True,
    help="List the GGUF models of this machine, convert an encoder, or make a model of true shape.",
)


@app.command("list")
def list_(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]...", help="More files and folders to look at.")
    ] = None,
    format: Annotated[  # noqa: A002 - the name of the option
        Literal["console", "json"], typer.Option("--format", help="What goes to stdout.")
    ] = "console",
) -> None:
    """List the models that commands can take by name: of Hugging Face, LM Studio, Ollama, llama.cpp, and samples."""
    from pathlib import Path

    from synapse_perf.gguf_files.discovery import find_models
    from synapse_perf.report.models import models_document, models_json

    models = find_models([Path(path).expanduser() for path in paths or []])
    if format == "json":
        typer.echo(models_json(models), nl=False)
    else:
        show(models_document(models))


@app.command("synth")
def synth(
    like: Annotated[
        str | None, typer.Option("--like", metavar="SHAPE", help="The published model to take the shape of.")
    ] = None,
    quant: Annotated[str, typer.Option("--quant", metavar="QUANT", help="q4_k_m, q8_0 or f16.")] = "q4_k_m",
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where to. Default: this tool's cache.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Other weights for another number.")] = 0,
    list_shapes: Annotated[bool, typer.Option("--list", help="Show the shapes and how large they become.")] = False,
) -> None:
    """Write a GGUF file with the true shape of a published model and random weights, and print its path.

    It loads, takes memory and runs like the model whose shape it has; what it says means nothing.
    """
    from synapse_perf.errors import InputError
    from synapse_perf.gguf_files.shapes import SHAPES, find_shape
    from synapse_perf.gguf_files.tensor_plan import check_quant
    from synapse_perf.report.models import shapes_document

    if list_shapes:
        show(shapes_document(SHAPES.values()))
    elif like is None:
        raise InputError("the shape is missing", f"add --like with one of {', '.join(SHAPES)}")
    else:
        typer.echo(_written(find_shape(like), check_quant(quant), seed, output))


app.command("import")(import_)


def show(document: Document) -> None:
    """Print a document as the terminal, or what stdout is instead, can show it."""
    import shutil
    import sys

    from synapse_perf.report.characters import needs_ascii, wants_color
    from synapse_perf.report.console import to_console

    width, color = shutil.get_terminal_size().columns, wants_color(sys.stdout)
    text = to_console(document, width=width, color=color, ascii_only=needs_ascii(sys.stdout))
    typer.echo(text, nl=False, color=color)


def _written(shape: Shape, quant: str, seed: int, output: str | None) -> Path:
    """The path of the file; one that is already in the cache is not written again."""
    from pathlib import Path

    from synapse_perf.gguf_files.cache import ensure_models_directory
    from synapse_perf.gguf_files.synthesis import is_made, sample_name, synthesize
    from synapse_perf.report.byte_progress import ByteProgress

    if output is None:
        path = ensure_models_directory() / sample_name(shape, quant, seed)
        if is_made(shape, quant, path, seed):
            return path
    else:
        path = Path(output).expanduser()
    with ByteProgress(path.name) as progress:
        return synthesize(shape, quant, path, seed=seed, observe=progress.observe)
