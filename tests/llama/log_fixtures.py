"""The saved logs of tests/llama/logs."""

from __future__ import annotations

from pathlib import Path

from synapse_perf.llama.log_lines import LogLine, read_text

FOLDER = Path(__file__).with_name("logs")
NAMES = sorted(path.stem for path in FOLDER.glob("*.log"))


def lines_of(name: str) -> list[LogLine]:
    return read_text((FOLDER / f"{name}.log").read_bytes())


def without(lines: list[LogLine], words: str) -> list[LogLine]:
    """The lines but those that contain `words`."""
    return [line for line in lines if words not in line.text]
