"""Do `models list` and `models synth` say on stdout what was asked for, and nothing else there?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from synapse_perf.cli import run
from synapse_perf.gguf_files.header import read_header
from tests.gguf_files.small_models import gguf, write

PROGRAM = [sys.executable, "-m", "synapse_perf"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(folder / "own"))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "OLLAMA_MODELS", "LLAMA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_an_empty_machine_is_told_where_was_looked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "list"]) == 0
    shown = capsys.readouterr().out
    assert "No models were found" in shown
    assert "Ollama" in shown


def test_a_named_file_is_listed_with_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, gguf(), "Some-4B-Q4_0.gguf")
    assert run(["models", "list", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "Some-4B-Q4_0" in shown
    assert "llama" in shown


def test_a_corrupt_file_does_not_stop_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "m", gguf(), "good.gguf")
    write(tmp_path / "m", gguf()[:-9], "bad.gguf")
    assert run(["models", "list", str(tmp_path / "m")]) == 0
    shown = capsys.readouterr().out
    assert "good" in shown
    assert "9 of 256 bytes are missing" in " ".join(shown.split())


def test_the_list_as_data_has_base_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, gguf(), "m.gguf")
    assert run(["models", "list", str(path), "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["kind"], data["schema_version"]) == ("models", 1)
    (model,) = data["models"]
    assert (model["name"], model["path"], model["size_bytes"]) == ("m", str(path), path.stat().st_size)
    assert (model["n_layer"], model["problem"], model["sample"]) == (None, None, False)


def test_the_shapes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "synth", "--list"]) == 0
    shown = capsys.readouterr().out
    assert "llama-3.1-8b" in shown
    assert "8.03B" in shown


def test_a_sample_goes_into_the_cache_and_its_path_to_stdout(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "synth", "--like", "minilm-l6", "--quant", "Q8_0"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.parent == home / "own" / "models"
    assert read_header(path).file_type == "Q8_0"


def test_the_same_sample_is_not_written_twice(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["models", "synth", "--like", "minilm-l6", "--quant", "q8_0"]
    assert run(command) == 0
    path = Path(capsys.readouterr().out.strip())
    written = path.stat().st_mtime_ns
    assert run(command) == 0
    assert capsys.readouterr().out.strip() == str(path)
    assert path.stat().st_mtime_ns == written


def test_a_sample_is_listed_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    run(["models", "synth", "--like", "minilm-l6", "--quant", "q8_0"])
    capsys.readouterr()
    run(["models", "list"])
    shown = capsys.readouterr().out
    assert "No model was found, only what is listed below" in shown
    assert "synth-minilm-l6-q8_0 " in shown


def test_the_output_may_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.gguf"
    assert run(["models", "synth", "--like", "minilm-l6", "-o", str(path), "--seed", "4"]) == 0
    assert capsys.readouterr().out.strip() == str(path)
    assert "seed 4" in str(read_header(path).made_by)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "the shape is missing"),
        (["--like", "gpt-5"], "no shape 'gpt-5'"),
        (["--like", "qwen3-4b", "--quant", "q3_k"], "no quantisation 'q3_k'"),
        (["--like", "minilm-l6", "-o", "no/such/folder/x.gguf"], "is not a folder"),
        (["--like", "minilm-l6", "-o", "precious.txt"], "was not made by this tool"),
        (["--like", "minilm-l6", "--seed", "-1"], "--seed"),
    ],
)
def test_wrong_input_is_told_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("precious.txt").write_text("precious", encoding="utf-8")
    assert run(["models", "synth", *arguments]) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.out == ""
    assert Path("precious.txt").read_text(encoding="utf-8") == "precious"


def test_ctrl_c_while_the_bar_is_shown_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    arguments = ["-m", "synapse_perf", "models", "synth", "--like", "qwen3-0.6b", "-o", str(target / "m.gguf")]
    child = pexpect.spawn(sys.executable, arguments, env={**os.environ, "TERM": "xterm"}, timeout=60)
    child.expect_exact("m.gguf")
    child.expect_exact("MiB")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert list(target.iterdir()) == []


def test_no_bar_where_stderr_is_no_terminal(tmp_path: Path) -> None:
    command = [*PROGRAM, "models", "synth", "--like", "minilm-l6", "-o", str(tmp_path / "m.gguf")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout == f"{tmp_path / 'm.gguf'}\n"


def test_to_name_the_commands_costs_no_library() -> None:
    heavy = "{'numpy', 'rich', 'psutil', 'pydantic', 'gguf', 'llama_cpp'}"
    program = (
        f"import sys, synapse_perf.commands.models, synapse_perf.commands.cache; print({heavy} & {{*sys.modules}})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in {"set()", "{'rich'}"}


def test_to_read_a_header_costs_no_library() -> None:
    program = (
        "import sys, synapse_perf.gguf_files.header, synapse_perf.gguf_files.discovery;"
        "print({'numpy', 'rich', 'psutil', 'pydantic', 'gguf', 'llama_cpp'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
