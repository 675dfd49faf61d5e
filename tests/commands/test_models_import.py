"""Does `models import` convert what it is given or finds, and say on stdout only where the file is?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_perf.cli import run
from synapse_perf.gguf_files.header import read_header
from tests.gguf_files.small_bert import make_folder

NAME = "all-MiniLM-L6-v2"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("HF_HOME", str(folder / "hf"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(folder / "own"))
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "SENTENCE_TRANSFORMERS_HOME", "OLLAMA_MODELS", "LLAMA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "my-encoder")


def test_the_path_goes_to_stdout_and_the_figures_to_stderr(
    folder: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "import", str(folder)]) == 0
    captured = capsys.readouterr()
    path = Path(captured.out.removesuffix("\n"))
    assert path.parent == home / "own" / "models"
    assert read_header(path).file_type == "F16"
    for part in ("my-encoder f16", "KiB", "64 dimensions", "up to 48 tokens", "licence apache-2.0"):
        assert part in captured.err


def test_what_is_there_is_not_written_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "import", str(folder)]) == 0
    first = capsys.readouterr()
    written = Path(first.out.strip()).stat().st_mtime_ns
    assert run(["models", "import", str(folder)]) == 0
    assert capsys.readouterr() == first
    assert Path(first.out.strip()).stat().st_mtime_ns == written


def test_type_name_and_place_are_chosen(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "mine.gguf"
    options = ["--type", "Q8_0", "--name", "Other", "--output", str(target)]
    assert run(["models", "import", str(folder), *options]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    header = read_header(target)
    assert (header.name, header.file_type) == ("Other", "Q8_0")


def test_without_a_folder_the_usual_encoder_is_found(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = make_folder(home / "hf" / "hub" / f"models--sentence-transformers--{NAME}" / "snapshots" / "0123")
    assert run(["models", "import"]) == 0
    captured = capsys.readouterr()
    assert Path(captured.out.strip()).name.startswith(f"{NAME}-f16-")
    assert str(found) in captured.err


def test_the_converted_one_is_listed_and_deleted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "import", str(folder)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert run(["models", "list"]) == 0
    shown = capsys.readouterr().out
    assert "1 model." in shown
    assert "Encoders made by `models import`" in shown
    assert run(["models", "list", "--format", "json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert (model["source"], model["sample"], model["generates"]) == ("converted", False, False)
    assert run(["cache", "list"]) == 0
    assert "my-encoder f16 of " in capsys.readouterr().out
    assert run(["cache", "clean", "--yes"]) == 0
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], f"{NAME} was not found on this machine"),
        (["missing"], "missing does not exist"),
        (["empty"], "it lacks config.json, model.safetensors, vocab.txt"),
        (["precious.txt"], "precious.txt is no folder"),
        (["my-encoder", "--type", "q4_0"], "no type 'q4_0' for an encoder"),
        (["my-encoder", "-o", "precious.txt"], "was not converted by this tool"),
        (["my-encoder", "-o", "no/such/folder/e.gguf"], "is not a folder"),
    ],
)
def test_wrong_input_is_told_in_one_line(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    Path("precious.txt").write_text("precious", encoding="utf-8")
    assert run(["models", "import", *arguments]) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.out == ""
    assert Path("precious.txt").read_text(encoding="utf-8") == "precious"


def test_to_name_the_command_costs_no_library() -> None:
    heavy = "{'numpy', 'psutil', 'pydantic', 'gguf', 'llama_cpp'}"
    program = f"import sys, synapse_perf.commands.models_import; print({heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
