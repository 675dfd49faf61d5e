"""Makes llama.cpp misbehave as the name of the model says: what no damaged file makes it do.

Python imports a module of this name at its start. Nothing happens before llama_cpp itself is imported, and then only
its call that loads a model is replaced: `abort-x.gguf` aborts, `hang-3-x.gguf` hangs at the third load.
Beside that, Ctrl-C comes when the module is imported that STAND_IN_INTERRUPTS names: a moment that nothing else shows.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name == os.environ.get("STAND_IN_INTERRUPTS"):
            os.kill(os.getpid(), signal.SIGINT)
        if name != "llama_cpp.llama_cpp":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_replace(module: ModuleType) -> None:
                execute(module)
                _replace(module)

            spec.loader.exec_module = execute_and_replace  # type: ignore[method-assign]
        return spec


def _replace(low_level: ModuleType) -> None:
    load = low_level.llama_model_load_from_file

    def load_or_not(path: bytes, parameters: Any) -> Any:
        _misbehave(Path(os.fsdecode(path)))
        return load(path, parameters)

    low_level.llama_model_load_from_file = load_or_not  # type: ignore[attr-defined]


def _misbehave(model: Path) -> None:
    how, number, *_ = [*model.stem.split("-"), "", ""]
    loads = model.with_suffix(".loads")  # one byte for each load, seen from outside
    with loads.open("ab") as file:
        file.write(b".")
    if number.isdecimal() and loads.stat().st_size < int(number):
        return
    match how:
        case "abort":
            os.write(2, b"/src/ggml.c:12: the stand-in says why\n")
            os.abort()
        case "segfault":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(3600)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "vanish":
            model.unlink()


sys.meta_path.insert(0, _Finder())
