"""What does a profile file say, and if it is wrong, in which line?"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from synapse_perf.errors import InputError
from synapse_perf.field_errors import field_errors, path_text, short_text, suggestion
from synapse_perf.model import Json
from synapse_perf.profiles.builtin import find_profile
from synapse_perf.profiles.service_settings import ServiceStartupSettings
from synapse_perf.profiles.settings import (
    MEASURING_COMMANDS,
    BenchCgragSettings,
    LeakHuntSettings,
    Models,
    Profile,
    ProfileLoadSettings,
    Sampling,
    TierLatencySettings,
)
from synapse_perf.profiles.targets import check_target, parse_target_value
from synapse_perf.profiles.ui_settings import UiFpsSettings
from synapse_perf.profiles.ws_settings import WsLatencySettings
from synapse_perf.units import parse_duration

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Table = dict[str, Json]

# Where a name in the file is not the name of the field.
_FILE_NAMES = {"profile_load": "profile-load", "bench_cgrag": "bench-cgrag", "tier_latency": "tier-latency"}
_FILE_NAMES |= {"service_startup": "service-startup", "ws_latency": "ws-latency", "ui_fps": "ui-fps"}
_FILE_NAMES |= {"leak_hunt": "leak-hunt", "max_time_s": "max_time", "is_fixed_length": "fixed_length"}
_COMMANDS = {
    "profile-load": ProfileLoadSettings,
    "bench-cgrag": BenchCgragSettings,
    "tier-latency": TierLatencySettings,
    "leak-hunt": LeakHuntSettings,
    "service-startup": ServiceStartupSettings,
    "ws-latency": WsLatencySettings,
    "ui-fps": UiFpsSettings,
}
_FIELDS = {"fixed_length": "is_fixed_length"}
_PATHS = ("corpus", "index", "metadata", "engine", "vectors", "queries")  # of [bench-cgrag]
_TIERS = ("fast", "balanced", "deep")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def _keys(kind: type, *without: str) -> frozenset[str]:
    names = (each.name for each in fields(kind) if each.name not in without)
    return frozenset(_FILE_NAMES.get(name, name) for name in names)


_KNOWN = {
    "": _keys(Profile, "digest", "lacking"),
    "sampling": _keys(Sampling),
    "models": _keys(Models, "source") | {"powerful"},
    **{name: _keys(kind) for name, kind in _COMMANDS.items()},
}
_LISTS = {
    name: frozenset(each.name for each in fields(kind) if isinstance(each.default, tuple))
    for name, kind in _COMMANDS.items()
}


def load_profile(name_or_path: str | None = None) -> Profile:
    """Read a built-in profile by its name or a file by its path; None gives the defaults, named ``found``.

    ``~`` is expanded and relative paths are taken from the file's directory. Raises InputError with the line.
    """
    if name_or_path is None:
        return _Source("", "found").profile(Path())
    path = find_profile(name_or_path)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}", "see: synapse-perf profiles list") from error
    except ValueError as error:
        raise InputError(f"{path}: not a text file in UTF-8", "see: synapse-perf profiles list") from error
    return _Source(text, path.stem, str(path)).profile(path.parent)


@dataclass(frozen=True, slots=True)
class _Source:
    """The text of one profile; its name unless the text gives another, and the path that errors begin with."""

    text: str
    name: str
    path: str = ""

    def profile(self, directory: Path) -> Profile:
        from pydantic import ValidationError

        document = json.dumps(self._document(self._table()), default=self._refuse_date)
        try:
            profile = _adapter().validate_json(document)
        except ValidationError as error:
            location, words = field_errors(error.errors())[0]
            named = [_FILE_NAMES.get(str(step), step) if isinstance(step, str) else step for step in location]
            self._fail([str(step) for step in named], f"{path_text(named)} {words}", "correct the value")
        except InputError as error:  # a value out of its range
            self._fail(error.message.split()[0].split("."), error.message, error.remedy)
        return _expanded(replace(profile, digest=_digest(profile)), directory)

    def _table(self) -> Table:
        try:
            return tomllib.loads(self.text)
        except (ValueError, RecursionError) as error:
            words, _, place = str(error).partition(" (at ")
            found = re.match(r"line (\d+)", place)
            line = int(found[1]) if found else place.startswith("end") and len(self.text.splitlines())
            where = f"{self.path}:{line}" if line else self.path
            raise InputError(f"{where}: not valid TOML: {words[:1].lower()}{words[1:]}", "correct it") from error

    def _document(self, table: Table) -> Table:
        """The file's table in the shape of `Profile`, in base units."""
        self._check_keys("", table)
        document: Table = {"name": self.name, **table}
        if isinstance(document["name"], str) and not _NAME.fullmatch(document["name"]) and "name" in table:
            self._fail(["name"], "name must be of letters, digits, '.', '_' and '-'", "choose another name")
        document["targets"] = self._targets(table.get("targets", {}))
        self._check_required(table.get("required", []))
        self._check_commands(table.get("run"))
        document["models"] = self._models(table.get("models", "found"))
        document["sampling"] = self._sampling(table.get("sampling", {}))
        for name in _COMMANDS:
            document[name.replace("-", "_")] = self._of_command(name, document.pop(name, {}))
        return document

    def _targets(self, table: Json) -> Json:
        if not isinstance(table, dict):
            return table
        limits = {}
        for target, value in table.items():
            try:
                limits[target] = parse_target_value(target, value)
            except InputError as error:
                self._fail(["targets", target], f"targets.{target}: {error.message}", error.remedy)
        return limits

    def _check_required(self, names: Json) -> None:
        for name in names if isinstance(names, list) else []:
            if isinstance(name, str):
                try:
                    check_target(name)
                except InputError as error:
                    self._fail(["required"], f"required: {error.message}", error.remedy)

    def _check_commands(self, names: Json) -> None:
        for name in names if isinstance(names, list) else []:
            if isinstance(name, str) and name not in MEASURING_COMMANDS:
                told = f"run: {short_text(name)} is no measuring command"
                self._fail(["run"], told, suggestion(name, MEASURING_COMMANDS))
        if names == []:
            self._fail(["run"], "run names no command", "name one at least, or leave the line out")

    def _sampling(self, table: Json) -> Json:
        if not isinstance(table, dict):
            return table
        self._check_keys("sampling", table)
        converted = dict(table)
        if "max_time" in converted:
            duration = converted.pop("max_time")
            try:
                converted["max_time_s"] = parse_duration(duration) if isinstance(duration, str) else duration
            except InputError as error:
                self._fail(["sampling", "max_time"], f"sampling.max_time: {error.message}", error.remedy)
        return converted

    def _models(self, table: Json) -> Json:
        if isinstance(table, str):
            if table not in ("found", "embedded"):
                self._fail(["models"], f"models is '{table}'", 'write "found", "embedded", or a table of tiers')
            return {"source": table}
        if not isinstance(table, dict):
            return table
        self._check_keys("models", table)
        converted = dict(table)
        if "powerful" in converted:
            if "deep" in converted:
                self._fail(["models", "powerful"], "models.powerful is the same tier as models.deep", "keep one")
            converted["deep"] = converted.pop("powerful")
        return {**converted, "source": "named" if any(tier in converted for tier in _TIERS) else "found"}

    def _of_command(self, name: str, table: Json) -> Json:
        if not isinstance(table, dict):
            return table
        self._check_keys(name, table)
        lists = _LISTS[name]
        return {
            _FIELDS.get(key, key): [value] if key in lists and not isinstance(value, list) else value
            for key, value in table.items()
        }

    def _check_keys(self, table_name: str, table: Mapping[str, Json]) -> None:
        known = _KNOWN[table_name]
        for key in table:
            if key not in known:
                where = f" in [{table_name}]" if table_name else ""
                self._fail([*filter(None, [table_name]), key], f"'{key}' is not known{where}", suggestion(key, known))

    def _refuse_date(self, value: object) -> NoReturn:
        raise InputError(f"{self.path}: {value} is a date, and no setting is one", "put it in quotes")

    def _fail(self, location: Iterable[str], message: str, remedy: str) -> NoReturn:
        line = _line_of(self.text, *location)
        raise InputError(f"{self.path}{f':{line}' if line else ''}: {message}", remedy)


def _line_of(text: str, *location: str) -> int | None:
    """The line where a key of a table stands, else where its table begins, else None: a help, not a parser."""
    table, key = ("", location[0]) if len(location) == 1 else (location[0], location[1])
    current = ""
    begin: int | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*[\"']?([^\"'\]]+?)[\"']?\s*\]", line):
            current = header[1]
            begin = number if current in (table, key) else begin
        elif (entry := re.match(r"\s*[\"']?([\w-]+)[\"']?\s*[=.]", line)) and current in ("", table):
            if entry[1] == key and current == table:
                return number
            begin = number if entry[1] == table and not current else begin
    return begin


@cache
def _adapter() -> TypeAdapter[Profile]:
    from pydantic import TypeAdapter

    return TypeAdapter(Profile)


def _digest(profile: Profile) -> str:
    """Of the settings, so that comments, order and the directory of the file change nothing."""
    settings = {key: value for key, value in asdict(profile).items() if key not in ("description", "digest", "run")}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _expanded(profile: Profile, directory: Path) -> Profile:
    models, load = profile.models, profile.profile_load
    models = replace(
        models,
        fast=models.fast and _model(models.fast, directory),
        balanced=models.balanced and _model(models.balanced, directory),
        deep=models.deep and _model(models.deep, directory),
        search=tuple(_path(each, directory) for each in models.search),
    )
    load = replace(load, models=tuple(_model(each, directory) for each in load.models))
    paths = {name: getattr(profile.bench_cgrag, name) for name in _PATHS}
    expanded: Table = {name: _path(path, directory) for name, path in paths.items() if path}
    retrieval = replace(profile.bench_cgrag, **expanded)
    if retrieval.encoder:
        retrieval = replace(retrieval, encoder=_model(retrieval.encoder, directory))
    queries = profile.tier_latency.queries
    latency = replace(profile.tier_latency, queries=queries and _path(queries, directory))
    service = profile.service_startup
    profile = replace(
        profile, service_startup=replace(service, compose=service.compose and _path(service.compose, directory))
    )
    page = profile.ui_fps
    profile = replace(profile, ui_fps=replace(page, scenario=page.scenario and _path(page.scenario, directory)))
    engine = profile.engine and _path(profile.engine, directory)
    return replace(
        profile, engine=engine, models=models, profile_load=load, bench_cgrag=retrieval, tier_latency=latency
    )


def _model(name_or_path: str, directory: Path) -> str:
    is_path = name_or_path.startswith(("~", "/", "./", "../")) or name_or_path.endswith(".gguf")
    return _path(name_or_path, directory) if is_path else name_or_path


def _path(path: str, directory: Path) -> str:
    return os.path.abspath(directory / os.path.expanduser(path))  # noqa: PTH100, PTH111 - Path raises without a home
