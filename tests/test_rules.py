"""Do the rules of the tree find what breaks them, and nothing in this tree?"""

from __future__ import annotations

from pathlib import Path

import pytest
import rules

LONG_FUNCTION = '"""Which?"""\n\n\ndef long() -> None:\n' + "    print()\n" * 49


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rules, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("long.py", '"""Which?"""\n' + "x = 1\n" * 300, "301 lines"),
        ("utils.py", '"""Which?"""\nx = 1\n', "does not say what is inside"),
        ("silent.py", "x = 1\n", "no first sentence"),
        ("function.py", LONG_FUNCTION, "long has 50 lines"),
    ],
)
def test_a_fault_in_a_module_is_found(tree: Path, name: str, text: str, told: str) -> None:
    (tree / name).write_text(text, encoding="utf-8")
    (line,) = rules.source_faults(tree / name)
    assert told in line


def test_a_clean_module_is_silent(tree: Path) -> None:
    (tree / "clean.py").write_text('"""Which?"""\n\nx = 1\n', encoding="utf-8")
    assert list(rules.source_faults(tree / "clean.py")) == []


def test_an_address_in_a_lock_is_found(tree: Path) -> None:
    (tree / "a.lock").write_text("--index-url https://example.org/simple\nrich==1\n", encoding="utf-8")
    assert len(list(rules.lock_faults(tree / "a.lock"))) == 1


def test_a_home_folder_in_a_profile_is_found(tree: Path) -> None:
    (tree / "a.toml").write_text('path = "/Users/jane/models"\n', encoding="utf-8")
    assert list(rules.home_faults(tree)) == ["a.toml: names a home folder"]
