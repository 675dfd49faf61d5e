"""Does the set-up remember what was chosen, know its own work from a user's, and borrow without copying?"""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
from pathlib import Path

import encoder_weights
import install
import pytest

RECORD = "lib/python3.11/site-packages/llama_cpp_python-1.0.dist-info/direct_url.json"


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A real, empty environment in the place of .venv."""
    folder = tmp_path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    monkeypatch.setattr(install, "VENV", folder)
    monkeypatch.setattr(install, "PYTHON", folder / "bin" / "python")
    monkeypatch.setattr(install, "STAMP", folder / "set-up.json")
    monkeypatch.setattr(install, "BORROWED", folder / "borrowed")
    monkeypatch.delenv("PYTHON", raising=False)
    monkeypatch.delenv("CMAKE_ARGS", raising=False)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the tests keep their own handlers,
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)  # and wait for no set-up of this checkout
    return folder


def test_a_finished_set_up_is_recognised(venv: Path) -> None:
    install.write_stamp(install.stamp({}))
    before = install.read_stamp()
    assert install.stamp(before) == before


@pytest.mark.parametrize(("problem", "tries"), [("", 2), ("no network", 1)])
def test_weights_that_cannot_be_had_are_a_warning_and_tried_once(
    venv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], problem: str, tries: int
) -> None:
    asked: list[Path] = []

    def fetch(python: Path) -> str:
        asked.append(python)
        return problem

    monkeypatch.setattr(encoder_weights, "fetch", fetch)
    install.write_stamp(install.stamp({}))
    assert [install.main(), install.main()] == [0, 0]
    told = capsys.readouterr().err
    assert (told.count("warning: all-MiniLM-L6-v2 is not here"), told.count("no network")) == (2 - tries, 2 - tries)
    assert told.count(".venv is up to date") == 2
    assert len(asked) == tries  # the second time, what is here is only looked at


def test_weights_that_could_not_be_had_are_tried_again_with_the_next_installation(
    venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["no network", ""]
    monkeypatch.setattr(encoder_weights, "fetch", lambda _python: answers.pop(0))
    before = install.stamp({})
    install.fetch_encoder(before)
    install.fetch_encoder(install.stamp(install.read_stamp()))
    assert install.read_stamp() == before


def test_what_was_chosen_is_remembered_until_chosen_again(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {"interpreter": sys.executable, "cmake_args": "-DGGML_CUDA=on"}
    assert install.stamp(before)["cmake_args"] == "-DGGML_CUDA=on"
    monkeypatch.setenv("CMAKE_ARGS", "")
    assert install.stamp(before)["cmake_args"] == ""


def test_an_interpreter_that_is_gone_is_replaced(venv: Path) -> None:
    assert install.chosen_interpreter({"interpreter": "/nowhere/python3"}) == sys.executable


@pytest.mark.parametrize("content", ["", "[]", "{broken"])
def test_a_broken_stamp_counts_as_none(venv: Path, content: str) -> None:
    install.STAMP.write_text(content, encoding="utf-8")
    assert install.read_stamp() == {}


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("file:///cache/wheels/1.0-linux-x86_64-0123456789ab/a.whl", "1.0-linux-x86_64-0123456789ab"),
        ("file:///mine/wheels/llama_cpp_python.whl", None),
    ],
)
def test_a_wheel_of_ours_is_known_from_a_users(venv: Path, url: str, key: str | None) -> None:
    record = venv / RECORD
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"url": url}), encoding="utf-8")
    assert install.installed_from() == key


def test_another_interpreters_package_is_linked_and_forgotten(venv: Path, tmp_path: Path) -> None:
    package = tmp_path / "elsewhere" / "llama_cpp"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '9.9'\n", encoding="utf-8")
    assert install.borrow(package)
    assert install.imported([str(install.PYTHON), "-I", "-c", install.VERSION_PROBE]) == ("9.9", str(package))
    install.forget_borrowed()
    assert install.imported([str(install.PYTHON), "-I", "-c", install.VERSION_PROBE]) is None
    assert (package / "__init__.py").is_file()


def test_a_package_that_does_not_work_here_is_not_borrowed(venv: Path, tmp_path: Path) -> None:
    package = tmp_path / "elsewhere" / "llama_cpp"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import a_module_that_is_not_here\n", encoding="utf-8")
    assert not install.borrow(package)
    assert not install.BORROWED.exists()
