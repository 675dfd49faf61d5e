from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_perf.commands.doctor import doctor
from synapse_perf.errors import InputError


def test_it_passes_where_models_can_be_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor() == 0
    assert capsys.readouterr().out.startswith("Ready")


def test_without_a_working_interpreter_it_ends_as_wrong_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert doctor(python=str(tmp_path / "python"), format="json") == 2
    data = json.loads(capsys.readouterr().out)
    assert data["can_measure"] is False
    assert data["conditions"][0]["state"] == "unavailable"


def test_a_folder_of_models_is_tried_as_well(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    model.touch()
    doctor(python=str(tmp_path / "python"), models=[str(model)], format="json")
    data = json.loads(capsys.readouterr().out)
    tried = [one["what"] for one in data["conditions"] if one["name"] == "page cache"]
    assert any("model.gguf" in what for what in tried)


def test_a_folder_that_is_not_there_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        doctor(models=[str(tmp_path / "gone")])


def test_to_name_the_command_costs_no_library() -> None:
    program = (
        "import sys, synapse_perf.commands.doctor; "
        "print({'numpy', 'psutil', 'pydantic', 'scipy', 'llama_cpp'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
