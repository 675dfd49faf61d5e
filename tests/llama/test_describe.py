from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import synapse_perf.llama.describe as module

SCRIPT = Path(module.__file__)


def test_the_script_prints_one_json_object_whatever_libraries_print(tmp_path: Path) -> None:
    """Planted: a llama_cpp that prints while it is imported, and then cannot be used."""
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text("print('hello from the library')\n")
    (tmp_path / "llama_cpp" / "llama_cpp.py").write_text("")
    environment = {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True, env=environment)
    assert "hello" in done.stderr
    assert json.loads(done.stdout)["error"].startswith("AttributeError")


def test_no_module_beside_the_script_hides_one_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text("import settings\nraise ValueError(settings.__file__)\n")
    (tmp_path / "settings.py").write_text("")
    environment = {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout)["error"] == f"ValueError: {tmp_path / 'settings.py'}"


def test_the_library_of_these_tests_is_described() -> None:
    import llama_cpp.llama_cpp as low_level

    found = module.build(low_level)
    assert found["mmap"] is True
    assert Path(found["library"]).name.startswith("libllama")
    assert found["devices"][0]["total_bytes"] > 0
