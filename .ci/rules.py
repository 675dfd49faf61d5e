"""Does the tree keep the rules that neither the linter nor the type checker knows?"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULE_LINES = 300
TEST_LINES = 450  # tables of cases and examples read well in one piece
FUNCTION_LINES = 50
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "core", "base", "manager", "misc"}
ADDRESS = re.compile(r"\w+://")
HOME = re.compile(r"/(?:home|Users)/\w")


def main() -> int:
    sources = [path for folder in ("synapse_perf", "tests", ".ci") for path in sorted((ROOT / folder).rglob("*.py"))]
    found = [line for path in sources for line in source_faults(path)]
    locks = (ROOT / "requirements.lock", ROOT / ".ci" / "build.lock", ROOT / ".ci" / "encoder.lock")
    found += [line for path in locks for line in lock_faults(path)]
    found += [line for folder in ("profiles", "baselines") for line in home_faults(ROOT / folder)]
    for line in found:
        print(line, file=sys.stderr)
    print(f"rules of the tree: {len(sources)} modules, {len(found)} faults")
    return 1 if found else 0


def source_faults(path: Path) -> Iterator[str]:
    """A module or function that is too long, a name that says nothing, a module that does not say what it is for."""
    text, where = path.read_text(encoding="utf-8"), path.relative_to(ROOT)
    tree = ast.parse(text)
    most = TEST_LINES if "tests" in where.parts else MODULE_LINES
    if len(text.splitlines()) > most:
        yield f"{where}: {len(text.splitlines())} lines, {most} at most"
    if path.stem.removeprefix("test_") in EMPTY_NAMES:
        yield f"{where}: the name does not say what is inside"
    if "tests" not in where.parts and tree.body and ast.get_docstring(tree) is None:
        yield f"{where}: no first sentence that says which question it answers"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length >= FUNCTION_LINES:
                yield f"{where}:{node.lineno}: {node.name} has {length} lines, fewer than {FUNCTION_LINES} wanted"


def lock_faults(path: Path) -> Iterator[str]:
    """A lock names packages and hashes only: where they come from is the machine's own business."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if ADDRESS.search(line) or "-index" in line or "--find-links" in line:
            yield f"{path.relative_to(ROOT)}:{number}: an address in a lock"


def home_faults(folder: Path) -> Iterator[str]:
    """What is shipped or committed as a baseline names nobody's home folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and HOME.search(path.read_text(encoding="utf-8", errors="replace")):
            yield f"{path.relative_to(ROOT)}: names a home folder"


if __name__ == "__main__":
    sys.exit(main())
