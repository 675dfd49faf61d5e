"""A virtual environment of a user's with their package in it, and nothing of the tool's."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from venv import EnvBuilder

PACKAGE = Path(__file__).with_name("retriever_package.py")
QUERIES = [f"which of the words number {number} are found" for number in range(24)]


@dataclass(frozen=True)
class UsersEnvironment:
    python: str
    package: Path  # the folder of the package userpackage
    queries: str


def make_environment(folder: Path) -> UsersEnvironment:
    """A real one, without pip, in well under a second; a .pth file puts the package's parent on its path."""
    EnvBuilder(with_pip=False, symlinks=True).create(folder / "venv")
    packages = folder / f"venv/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    source = folder / "source"
    package = source / "userpackage"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copy(PACKAGE, package / "search.py")
    (packages / "userpackage.pth").write_text(f"{source}\n")
    return UsersEnvironment(
        python=str(folder / "venv/bin/python"),
        package=package,
        queries=write_queries(folder / "queries.jsonl", QUERIES),
    )


def write_queries(path: Path, texts: list[str]) -> str:
    path.write_text("".join(json.dumps({"query": text, "relevant": []}) + "\n" for text in texts))
    return str(path)
