"""Draws who refers to what is kept: graphviz's own language as it is, or an SVG by graphviz."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 60.0


def check_graph(path: Path) -> None:
    """Refuse before anything is measured what could not be drawn in the end."""
    if path.suffix not in (".svg", ".dot"):
        raise InputError(f"--svg {path}: '{path.suffix}' is no format of a graph", "name a file .svg or .dot")
    if path.suffix == ".svg" and shutil.which("dot") is None:
        raise InputError(
            f"--svg {path}: graphviz is not installed, its program dot is not found",
            f"install graphviz, or name {path.with_suffix('.dot').name}, which any viewer of graphs reads",
        )


def drawn(graph: str, path: Path) -> str:
    """The content of the file; raises OSError where graphviz fails."""
    if path.suffix == ".dot":
        return graph
    try:
        done = subprocess.run(
            ["dot", "-Tsvg"], input=graph, capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
    except subprocess.SubprocessError as error:
        raise OSError(f"graphviz could not draw it: {error}") from error
    return done.stdout
