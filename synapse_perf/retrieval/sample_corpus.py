"""What is there to retrieve where the user named nothing? Docstrings of packages that this tool needs anyway."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from synapse_perf.errors import InputError
from synapse_perf.retrieval.corpus import Corpus, Document, Skipped, digest_of

PASSAGES = 400
# Long docstrings in plain sentences, and .py files that are the same in the wheels of every platform.
PACKAGES = {"numpy": "numpy", "scipy": "scipy", "pydantic": "pydantic", "rich": "rich", "click": "click"}
_DIFFERING = frozenset(("__config__.py", "version.py", "_version.py"))  # written by the build of each wheel
_UNREAD_FOLDERS = frozenset(("tests", "distutils"))  # the latter is in the wheels of older versions of Python only
MOST_WORDS = 200  # one chunk each, which an encoder reads whole: what it cuts off of longer ones is another question
_LEAST_BODY_WORDS = 40
_MOST_PER_FILE = 8
_MODULES_DATE = "1970-01-01T00:00:00+00:00"  # when a package was installed is no property of its texts


def sample_corpus(count: int = PASSAGES, most_words: int = MOST_WORDS) -> Corpus:
    """So many docstrings, chosen by the hash of their names; all that are no longer than that if there are fewer."""
    if count < 1:
        raise InputError(f"a sample of {count} passages holds no text", "give 1 passage or more")
    files, versions = _source_files()
    chosen: list[Document] = []
    left: list[Document] = []
    bodies: set[str] = set()
    for name, file in sorted(files, key=lambda item: _rank(item[0])):
        found = sorted(_docstrings(name, file, most_words, bodies), key=lambda document: _rank(document.path))
        chosen += found[:_MOST_PER_FILE]
        left += found[_MOST_PER_FILE:]
        if len(chosen) >= count:
            break
    if not chosen:
        message = f"no docstrings were found in the sources of {', '.join(PACKAGES)}"
        raise InputError(message, "name a folder of text with --corpus")
    documents = sorted((chosen + left)[:count], key=lambda document: document.path)
    skipped: list[Skipped] = []
    digest = digest_of((document.path, document.text) for document in documents)
    return Corpus(documents, skipped, f"docstrings of {', '.join(versions)}", digest, versions)


def _source_files() -> tuple[list[tuple[str, Path]], tuple[str, ...]]:
    """Every module with its name under the package's folder, found without importing anything."""
    files, versions = [], []
    for module, distribution in PACKAGES.items():
        spec = importlib.util.find_spec(module)
        if spec is None or not spec.submodule_search_locations:
            continue
        root = Path(spec.submodule_search_locations[0])
        try:
            versions.append(f"{distribution} {metadata.version(distribution)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{distribution} of unknown version")
        for file in root.rglob("*.py"):
            inside = file.relative_to(root)
            if _UNREAD_FOLDERS.isdisjoint(inside.parts) and file.name not in _DIFFERING:
                files.append((f"{module}/{inside.as_posix()}", file))
    return files, tuple(versions)


def _docstrings(name: str, file: Path, most_words: int, bodies: set[str]) -> Iterator[Document]:
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for qualified, node in _definitions(tree, ""):
        text = _tidy(ast.get_docstring(node, clean=False) or "")
        body = text.partition("\n\n")[2]
        if _LEAST_BODY_WORDS <= len(body.split()) <= most_words and body not in bodies:
            bodies.add(body)
            yield Document(f"{name}:{qualified}" if qualified else name, text, "docstring", _MODULES_DATE)


def _definitions(
    node: ast.AST, prefix: str
) -> Iterator[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    if isinstance(node, ast.Module):
        yield "", node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{prefix}.{child.name}" if prefix else child.name
            yield name, child
            yield from _definitions(child, name)


def _tidy(docstring: str) -> str:
    """Without indentation: how that is taken off differs between versions of Python."""
    return "\n".join(line.strip() for line in docstring.strip().splitlines())


def _rank(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
