"""A module is known by what it does, whatever it says about it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from tests.module_digest import digest


def module(folder: Path, source: str) -> ModuleType:
    made = ModuleType("made")
    made.__file__ = str(folder / "made.py")
    Path(made.__file__).write_text(source)
    return made


def test_a_module_is_known_by_what_it_does(tmp_path: Path) -> None:
    def told(source: str) -> str:
        return digest(module(tmp_path, source))

    rule = told("SHARE = 0.5\ndef is_steady(a: float) -> str:\n    return 'x' if a > SHARE else ''\n")

    assert rule == told("SHARE = 0.5  # why\ndef is_steady(a: float) -> str:\n    return 'y' if a > SHARE else ''\n")
    assert rule != told("SHARE = 0.6\ndef is_steady(a: float) -> str:\n    return 'x' if a > SHARE else ''\n")
    assert rule != told("SHARE = 0.5\ndef is_steady(a: float) -> str:\n    return 'x' if a >= SHARE else ''\n")
