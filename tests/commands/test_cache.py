"""Does `cache` list what the tool made, and delete that alone, and only when told to?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect
import pytest

from synapse_perf.cli import run
from synapse_perf.gguf_files.cache import ensure_models_directory
from synapse_perf.gguf_files.synthesis import synthesize
from tests.gguf_files.small_models import TINY_QWEN


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path / "cache"))
    return synthesize(TINY_QWEN, "q8_0", ensure_models_directory() / "tiny.gguf")


def test_the_list_names_each_file_with_its_size_and_recipe(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "list"]) == 0
    shown = capsys.readouterr().out
    assert "1 file, " in shown
    assert sample.name in shown
    assert "tiny-qwen q8_0" in shown


def test_nothing_is_deleted_without_a_terminal_to_ask_on(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "clean"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert sample.exists()


def test_yes_deletes_and_names_what_is_gone(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "clean", "--yes"]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{sample}\n"
    assert "deleted 1 file" in captured.err
    assert not sample.exists()


def test_an_empty_cache_needs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path / "none"))
    assert run(["cache", "clean"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("answer", "kept"), [("n", True), ("y", False)])
def test_the_answer_on_a_terminal_decides(sample: Path, answer: str, kept: bool) -> None:
    child = pexpect.spawn(sys.executable, ["-m", "synapse_perf", "cache", "clean"], env=dict(os.environ), timeout=60)
    child.expect_exact("delete 1 file")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert sample.exists() is kept
