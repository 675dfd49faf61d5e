"""Which text does a result become, on stdout and in files?"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Literal, TypeAlias

from synapse_perf.errors import InputError
from synapse_perf.model import Result, Suite
from synapse_perf.report.characters import needs_ascii, wants_color
from synapse_perf.report.document import Document

Format: TypeAlias = Literal["console", "json", "md"]
FORMATS: tuple[Format, ...] = ("console", "json", "md")
OUTPUT_SUFFIXES = (".json", ".md", ".html", ".xml", ".prom")
OF_SEVERAL = (".xml", ".prom")  # in which several runs can stand together
DEFAULT_WIDTH = 80


def render(
    result: Result,
    kind: Format,
    *,
    width: int | None = None,
    color: bool | None = None,
    ascii_only: bool | None = None,
) -> str:
    """The result as text that ends with a line break.

    Where width, colour or characters are not given, they follow stdout: the terminal's width (80 where there is none),
    colour on a capable terminal without NO_COLOR, ASCII where its encoding is not Unicode.
    """
    plain = needs_ascii(sys.stdout) if ascii_only is None else ascii_only
    if kind == "json":
        from synapse_perf.results import dumps

        return _escape_json(dumps(result)) if plain else dumps(result)
    from synapse_perf.report.sections import sections_of

    return document_text(
        sections_of(result, is_brief=kind == "console"), kind, width=width, color=color, ascii_only=plain
    )


def document_text(
    document: Document,
    kind: Literal["console", "md"],
    *,
    width: int | None = None,
    color: bool | None = None,
    ascii_only: bool | None = None,
) -> str:
    """A document as text; what is not given follows stdout, as for `render`."""
    plain = needs_ascii(sys.stdout) if ascii_only is None else ascii_only
    if kind == "md":
        from synapse_perf.report.markdown import to_markdown

        return to_markdown(document, ascii_only=plain)
    from synapse_perf.report.console import to_console

    return to_console(
        document,
        width=terminal_width() if width is None else width,
        color=wants_color(sys.stdout) if color is None else color,
        ascii_only=plain,
    )


def write_output(run: Result | Suite, path: Path) -> None:
    """Write the report in the format of the path's suffix, whole or not at all; raises InputError with the cause."""
    from synapse_perf.atomic_files import write_atomically
    from synapse_perf.report.suite_sections import is_of_commands

    suffix = _suffix(path)
    if isinstance(run, Suite) and suffix not in OF_SEVERAL and not is_of_commands(run):
        raise InputError(
            f"{path}: takes a single run, and this file holds {len(run.results)}",
            "use --format json or --format md, and send stdout to a file",
        )
    write_atomically(path, _file_text(run, suffix))


def _file_text(run: Result | Suite, suffix: str) -> str:
    results = run.results if isinstance(run, Suite) else (run,)
    if suffix == ".xml":
        from synapse_perf.report.result_junit import result_junit

        return result_junit(results)
    if suffix == ".prom":
        from synapse_perf.report.result_prometheus import result_prometheus

        return result_prometheus(results)
    if suffix == ".html":
        return _page(run)
    if isinstance(run, Suite):
        from synapse_perf.report.suite_sections import render_suite

        return render_suite(run, "json" if suffix == ".json" else "md", in_full=True)
    return render(results[0], "json" if suffix == ".json" else "md", ascii_only=False)


def _page(run: Result | Suite) -> str:
    from synapse_perf.report.html import to_html
    from synapse_perf.report.sections import sections_of
    from synapse_perf.report.suite_sections import verdict_word, whole_suite

    if isinstance(run, Suite):
        from synapse_perf.report.suite_distributions import distributions_section

        spread = distributions_section(run)
        parts = tuple((f"{result.benchmark}: {verdict_word(result)}", sections_of(result)) for result in run.results)
        return to_html("synapse-perf run", (*whole_suite(run), *((spread,) if spread else ())), parts)
    return to_html(f"synapse-perf {run.benchmark}", sections_of(run))


def check_output_path(path: Path) -> None:
    """Raise InputError for a path that the report could not be written to: asked before anything is measured."""
    from synapse_perf.atomic_files import check_writable

    _suffix(path)
    check_writable(path)


def terminal_width() -> int:
    """The columns of stdout's terminal, or 80; the variable COLUMNS decides over both."""
    return shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in OUTPUT_SUFFIXES:
        return suffix
    *most, last = OUTPUT_SUFFIXES
    told = f"there is no format '{suffix}'" if suffix else "its name has no suffix to tell the format"
    raise InputError(f"{path}: {told}", f"name a file that ends in {', '.join(most)} or {last}")


def _escape_json(text: str) -> str:
    """The same JSON in ASCII: outside strings JSON is ASCII anyway."""
    return "".join(char if char.isascii() else json.dumps(char)[1:-1] for char in text)
