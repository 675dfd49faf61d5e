"""The table of pitfalls in CONTRIBUTING.md names findings and tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "synapse_perf").rglob("*.py")))


def rows() -> list[list[str]]:
    table = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("## Pitfalls\n")[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def is_in_a_source(finding: str) -> bool:
    """As a literal, or as what an f-string makes of one."""
    made = re.sub(r"^no-(\w+)-cache$", "no-{cache}-cache", finding)
    return f'"{finding}"' in SOURCES or f'"{made}"' in SOURCES


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_pitfall_has_a_finding_with_its_test_or_says_that_there_is_none(row: list[str]) -> None:
    _, findings, test, _ = row
    if findings == "none yet":
        assert not test
        return
    named = re.findall(r"`([a-z0-9-]+)`", findings)
    assert named
    assert [finding for finding in named if not is_in_a_source(finding)] == []
    path, name = test.strip("`").split("::")
    assert f"def {name}(" in (ROOT / path).read_text("utf-8")


def test_each_pitfall_has_a_row_of_its_own() -> None:
    names = [row[0] for row in rows()]
    assert len(names) == len(set(names)) >= 20
