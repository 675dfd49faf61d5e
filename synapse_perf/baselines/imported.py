"""Which run is in this file, whoever wrote it? Result files, and the JSON of other benchmark tools.

A format is one entry of `FORMATS`: how its document is told from others, and what makes a `Result` of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from synapse_perf.baselines import imported_hyperfine, imported_llama_bench, imported_pytest_benchmark
from synapse_perf.errors import InputError
from synapse_perf.field_errors import short_text
from synapse_perf.model import Json, Result, Suite
from synapse_perf.results.reading import parse, read_bytes


@dataclass(frozen=True, slots=True)
class Format:
    """`convert` gets the document and what errors call the file; it raises InputError for what it cannot read."""

    name: str
    matches: Callable[[Json], bool]
    convert: Callable[[Json, str], Result]


FORMATS = (
    Format("hyperfine", imported_hyperfine.matches, imported_hyperfine.convert),
    Format("llama-bench", imported_llama_bench.matches, imported_llama_bench.convert),
    Format("pytest-benchmark", imported_pytest_benchmark.matches, imported_pytest_benchmark.convert),
)


def read_run(path: Path) -> Result | Suite:
    """The run in a file; raises what `results.load` raises."""
    data = read_bytes(str(path))
    document = _document(data)
    for form in FORMATS:
        if document is not None and form.matches(document):
            try:
                return form.convert(document, str(path))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise InputError(
                    f"{path}: looks like JSON of {form.name}, but {_wrong(error)}",
                    f"write it anew with {form.name}",
                ) from error
    return parse(data, str(path))


def _wrong(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"a part of it has no {short_text(error.args[0])}"
    return str(error) if isinstance(error, ValueError) else f"a part of it is not what it should be: {error}"


def _document(data: bytes) -> Json:
    import pydantic_core

    try:
        return pydantic_core.from_json(data)
    except ValueError:
        return None  # the reader of result files tells what is wrong
