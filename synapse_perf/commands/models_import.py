"""How does a downloaded sentence-transformers encoder become a GGUF file that retrieval can be measured with?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path


def import_(
    folder: Annotated[
        str | None,
        typer.Argument(
            metavar="DIR",
            help="A sentence-transformers folder. Default: all-MiniLM-L6-v2, where it is found on this machine.",
        ),
    ] = None,
    kind: Annotated[str, typer.Option("--type", metavar="TYPE", help="f32, f16 or q8_0.")] = "f16",
    name: Annotated[
        str | None, typer.Option("--name", help="What to call the model. Default: as it was published.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where to. Default: this tool's cache.")
    ] = None,
) -> None:
    """Convert a BERT encoder (config.json, model.safetensors, vocab.txt) into a GGUF file, and print its path."""
    from pathlib import Path

    from synapse_perf.gguf_files.encoder_conversion import check_type

    kind = check_type(kind)
    path = _converted(Path(folder).expanduser() if folder else _found(), kind, name, output)
    typer.echo(path)
    _describe(path)


def _found() -> Path:
    """The first folder of the usual encoder; InputError where there is none."""
    from synapse_perf.errors import InputError
    from synapse_perf.gguf_files.encoder_places import USUAL_ENCODER, usual_encoder_folders

    folders = usual_encoder_folders()
    if not folders:
        raise InputError(
            f"{USUAL_ENCODER} was not found on this machine",
            "give the folder of a sentence-transformers model, or run `make setup` with network access",
        )
    typer.echo(f"converting {folders[0]}", err=True)
    return folders[0]


def _converted(folder: Path, kind: str, name: str | None, output: str | None) -> Path:
    """The path of the file; one that is already in the cache is not written again."""
    from pathlib import Path

    from synapse_perf.gguf_files.encoder_conversion import convert
    from synapse_perf.gguf_files.encoders import convert_into_cache
    from synapse_perf.gguf_files.sentence_transformer import read_sentence_transformer
    from synapse_perf.report.byte_progress import ByteProgress

    with ByteProgress(f"converting to {kind}") as progress:
        if output is None:
            return convert_into_cache(folder, kind, name, observe=progress.observe)
        target = Path(output).expanduser()
        return convert(read_sentence_transformer(folder, name), kind, target, observe=progress.observe)


def _describe(path: Path) -> None:
    """What was made, on stderr: stdout has the path alone."""
    from synapse_perf.gguf_files.encoders import encoder_file
    from synapse_perf.gguf_files.header import read_header
    from synapse_perf.units import format_bytes

    encoder, header = encoder_file(path), read_header(path)
    licence = header.metadata.get("general.license")
    figures = (
        format_bytes(header.size_bytes),
        f"{encoder.dimension} dimensions",
        f"texts of up to {encoder.max_tokens} tokens",
        f"licence {licence}" if licence else "licence not stated",
    )
    typer.echo(f"{encoder.label}: {', '.join(figures)}", err=True)
