"""Where does an engine checkout keep its retrieval index, and how does it answer queries?

config/default.yaml and backend/.env hold the retrieval parameters,
backend/data/runtime_settings.json those of indexing. Its container sees backend/data as /app/data.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from synapse_perf.engine.variables import read_env_file
from synapse_perf.errors import InputError
from synapse_perf.model import Json

CONFIG = Path("config/default.yaml")
ENV_FILE = Path("backend/.env")
RUNTIME_SETTINGS = Path("backend/data/runtime_settings.json")
DEFAULT_INDEX_DIRECTORY = "data/faiss_indexes"
CONTAINER_ROOT = PurePosixPath("/app")
METADATA_NAMES = ("{}_metadata.json", "{}.metadata")  # as it is written, and as two of its query modes look for it
INDEX_COMMAND = "docker compose exec synapse_core python -m app.cli.index_docs DIRECTORY"
_VARIABLE = re.compile(r"\$\{(\w+)(?::?-([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class IndexFiles:
    """A FAISS index and the texts that belong to its vectors."""

    index: Path
    metadata: Path


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the engine answers a query with, and builds an index with; `sources` tells where each value was found."""

    token_budget: int
    min_relevance: float
    max_artifacts: int
    chunk_words: int
    overlap_words: int
    model_name: str  # of the encoder that the next index is built with; an index names its own
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Setting:
    """Where one value comes from, the first that has it: a runtime setting, the configuration, the engine's default."""

    name: str
    in_config: str
    default: float | str
    variable: str = ""  # that the engine has a default for, so that the configuration may name it
    in_runtime: str = ""  # what indexing prefers to the configuration


def _whole(text: str) -> int:
    number = float(text)
    if not number.is_integer():
        raise ValueError(text)
    return int(number)


_SETTINGS = (
    _Setting("token_budget", "retrieval.token_budget", 8000, variable="CGRAG_TOKEN_BUDGET"),
    _Setting("min_relevance", "retrieval.min_relevance", 0.7, variable="CGRAG_MIN_RELEVANCE"),
    _Setting("max_artifacts", "retrieval.max_artifacts", 10),
    _Setting("chunk_words", "indexing.chunk_size", 512, in_runtime="cgrag_chunk_size"),
    _Setting("overlap_words", "indexing.chunk_overlap", 50, in_runtime="cgrag_chunk_overlap"),
    _Setting(
        "model_name",
        "indexing.embedding_model",
        "all-MiniLM-L6-v2",
        variable="EMBEDDING_MODEL",
        in_runtime="embedding_model_name",
    ),
)
_LIMITS: dict[str, tuple[Callable[[str], float], str, float, float]] = {
    "token_budget": (_whole, "a whole number from 1", 1, float("inf")),
    "min_relevance": (float, "a number from 0 to 1", 0, 1),
    "max_artifacts": (_whole, "a whole number from 1", 1, float("inf")),
    "chunk_words": (_whole, "a whole number from 1", 1, float("inf")),
    "overlap_words": (_whole, "a whole number from 0", 0, float("inf")),
}


class Engine:
    """A checkout of the engine; raises InputError for a directory that is none."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory).expanduser().absolute()
        self.warnings: list[str] = []
        _check_is_checkout(self.directory)
        self.runtime = self._read_runtime_settings()

    def index_files(self, name: str = "docs") -> IndexFiles:
        """The index and its metadata; InputError with the engine's own command where there is none."""
        tried = [place / f"{name}.index" for place in self._index_places()]
        index = next((path for path in tried if path.is_file()), None)
        if index is None:
            places = " or ".join(str(path).removeprefix(f"{self.directory}/") for path in tried)
            raise InputError(f"{self.directory} has no index: there is no {places}", f"make it: {INDEX_COMMAND}")
        for pattern in METADATA_NAMES:
            metadata = index.with_name(pattern.format(name))
            if metadata.is_file():
                return IndexFiles(index, metadata)
        pickle = index.with_name(f"{name}_metadata.pkl")
        if pickle.exists():
            message = f"{pickle} is a pickle, which can run code when it is read: it is not opened"
            raise InputError(message, f"index again, which writes {name}_metadata.json: {INDEX_COMMAND}")
        missing = METADATA_NAMES[0].format(name)
        raise InputError(f"{index} has no {missing} beside it", f"index again: {INDEX_COMMAND}")

    def settings(self) -> EngineSettings:
        """The values in effect; InputError that names the file for one that makes no sense."""
        config = self._read_config()
        variables = {**read_env_file(self.directory / ENV_FILE), **_own_variables()}
        values: dict[str, Json] = {}
        sources: dict[str, str] = {}
        for setting in _SETTINGS:
            found, source = self._find(setting, config, variables)
            values[setting.name] = _checked(setting.name, found, f"{self.directory}: {source}")
            sources[setting.name] = source
        if values["overlap_words"] >= values["chunk_words"]:
            message = f"chunks of {values['chunk_words']} words cannot overlap by {values['overlap_words']}"
            raise InputError(f"{self.directory}: {message}", f"correct it in {sources['overlap_words']}")
        return EngineSettings(**values, sources=sources)

    def variables(self) -> dict[str, str]:
        """All that the engine and its compose file would see, started from here.

        The environment comes first, then the file that compose reads, then the engine's own.
        """
        files = (self.directory / ENV_FILE, self.directory / ".env")
        return {name: value for file in files for name, value in read_env_file(file).items()} | dict(os.environ)

    # --- where things are --------------------------------------------------------------------------------------------

    def _index_places(self) -> list[Path]:
        """The directory of the runtime settings, then the usual one: in backend/ as its container has it, and here."""
        configured = str(self.runtime.get("cgrag_index_directory") or DEFAULT_INDEX_DIRECTORY)
        places = []
        for directory in (configured, DEFAULT_INDEX_DIRECTORY):
            path = PurePosixPath(directory)
            if path.is_relative_to(CONTAINER_ROOT):
                path = path.relative_to(CONTAINER_ROOT)
            places += [self.directory / "backend" / path, self.directory / path]
        return list(dict.fromkeys(places))

    # --- what is set -------------------------------------------------------------------------------------------------

    def _find(self, setting: _Setting, config: Json, variables: Mapping[str, str]) -> tuple[Json, str]:
        """A setting's value and where it was found, as its engine would."""
        if setting.in_runtime and self.runtime.get(setting.in_runtime) is not None:
            return self.runtime[setting.in_runtime], f"{RUNTIME_SETTINGS} {setting.in_runtime}"
        value = config
        for step in ("cgrag", *setting.in_config.split(".")):
            value = value.get(step) if isinstance(value, dict) else None
        if value is None:
            return setting.default, "the engine's default"
        if not isinstance(value, str):
            return value, f"{CONFIG} cgrag.{setting.in_config}"
        source = f"{CONFIG} cgrag.{setting.in_config}"

        def substitute(match: re.Match[str]) -> str:
            nonlocal source
            name, inline = match[1], match[2]
            if name in variables:
                source = f"{name} of {'the environment' if name in os.environ else ENV_FILE}"
                return variables[name]
            if inline is None and name == setting.variable:
                source = "the engine's default"
                return str(setting.default)
            if inline is None:
                raise InputError(f"{self.directory / CONFIG}: {name} is not set", f"set it in {ENV_FILE}")
            return inline

        return _VARIABLE.sub(substitute, value), source

    def _read_config(self) -> Json:
        path = self.directory / CONFIG
        content = read_yaml(path)
        if not isinstance(content, dict):
            raise InputError(f"{path}: holds no settings", "fetch it again: git checkout config/default.yaml")
        return content

    def _read_runtime_settings(self) -> dict[str, Json]:
        path = self.directory / RUNTIME_SETTINGS
        try:
            content = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            self.warnings.append(f"{path}: cannot be read, so the defaults hold, as in the engine: {error}")
            return {}
        return content if isinstance(content, dict) else {}


def read_yaml(path: Path, *, without_tags: bool = False) -> Json:
    """What a YAML file says, of a tag of its own what stands after it; InputError with its line for a damaged one."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    if without_tags:
        Loader.add_multi_constructor("!", _untagged)
    try:
        return yaml.load(path.read_text("utf-8"), Loader)  # noqa: S506 - it is a SafeLoader
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}", "check its permissions") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        reason = getattr(error, "problem", None) or "it is no text in UTF-8"
        raise InputError(f"{where}: not valid YAML: {reason}", "correct it, or fetch it again") from error


def _untagged(loader: Any, _suffix: str, node: Any) -> Json:
    kind = node.id  # scalar, sequence or mapping
    return loader.construct_scalar(node) if kind == "scalar" else getattr(loader, f"construct_{kind}")(node, deep=True)


def _check_is_checkout(directory: Path) -> None:
    remedy = "give the folder that git clone made, with docker-compose.yml in it"
    if not directory.is_dir():
        raise InputError(f"--engine {directory}: {'not a folder' if directory.exists() else 'no such folder'}", remedy)
    for folder in (directory, directory.parent):
        if (folder / "backend" / "app").is_dir() and (folder / CONFIG).is_file():
            if folder != directory:
                raise InputError(f"--engine {directory}: a part of a checkout only", f"give {folder}")
            return
    missing = CONFIG if (directory / "backend" / "app").is_dir() else "backend/app"
    raise InputError(f"--engine {directory}: not a checkout of the engine: it has no {missing}", remedy)


def _own_variables() -> dict[str, str]:
    """The variables of the environment that the engine, started from here, would take."""
    names = {setting.variable for setting in _SETTINGS if setting.variable}
    return {name: os.environ[name] for name in names if name in os.environ}


def _checked(name: str, value: Json, source: str) -> Json:
    """The value in its type and range."""
    if name not in _LIMITS:
        return str(value)
    parse, expected, least, most = _LIMITS[name]
    try:
        number = parse(str(value))
    except ValueError:
        number = None
    if number is None or not least <= number <= most:
        raise InputError(f"{source}: {value!r} is not {expected}", "correct it")
    return number
