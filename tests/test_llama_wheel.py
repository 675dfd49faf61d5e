"""Is llama-cpp-python compiled once per machine, whole or not at all, and is a failure told with its cause?

A stand-in for pip writes the compiler's lines and a wheel: what is tested is everything around the compilation.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import llama_wheel
import pytest

FAKE_PIP = """#!{python}
import os, pathlib, sys, time
if "install" in sys.argv:
    sys.exit(0)
home = pathlib.Path({home!r})
with (home / "compiled").open("a") as record:
    record.write(os.environ["CMAKE_ARGS"] + "\\n")
print("  [1/2] g++ one.cpp", flush=True)
if (home / "hang").exists():
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.02)
    sys.exit(1)
if (home / "fail").exists():
    print("  one.cpp:1: error: no such thing\\n  error: subprocess-exited-with-error\\n  note: from pip")
    sys.exit(1)
print("  [2/2] g++ two.cpp")
folder = pathlib.Path(sys.argv[sys.argv.index("--wheel-dir") + 1])
folder.mkdir()
(folder / "llama_cpp_python-0-py3-none-any.whl").touch()
"""
ENSURE = """
import sys
from pathlib import Path
sys.path.insert(0, {ci!r})
import llama_wheel, signal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
print(llama_wheel.ensure(Path(sys.argv[1]), ""))
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command that stands for the interpreter with pip; its folder takes the switches and the record."""
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", "true")  # only asked whether it is there
    path = tmp_path / "python"
    path.write_text(FAKE_PIP.format(python=sys.executable, home=str(tmp_path)), encoding="utf-8")
    path.chmod(0o755)
    return path


def start(fake: Path) -> subprocess.Popen[str]:
    code = ENSURE.format(ci=str(Path(llama_wheel.__file__).parent))
    command = [sys.executable, "-c", code, str(fake)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def compilations(fake: Path) -> list[str]:
    return fake.with_name("compiled").read_text(encoding="utf-8").splitlines()


def leftovers() -> list[str]:
    return [path.name for path in llama_wheel.directory().iterdir() if ".building" in path.name]


def test_it_is_compiled_once(fake: Path) -> None:
    first = llama_wheel.ensure(fake, "")
    assert first.is_file()
    assert llama_wheel.ensure(fake, "") == first
    assert compilations(fake) == [llama_wheel.FLAGS]
    assert leftovers() == []


def test_other_flags_give_another_wheel(fake: Path) -> None:
    assert llama_wheel.ensure(fake, "") != llama_wheel.ensure(fake, "-DGGML_CUDA=on")
    assert compilations(fake) == [llama_wheel.FLAGS, f"{llama_wheel.FLAGS} -DGGML_CUDA=on"]


def test_set_ups_at_the_same_time_share_one_compilation(fake: Path) -> None:
    running = [start(fake) for _ in range(3)]
    answers = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(answers) == 1
    assert len(compilations(fake)) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_compilation_is_begun_again(fake: Path, number: signal.Signals) -> None:
    hang = fake.with_name("hang")
    hang.touch()
    process = start(fake)
    assert process.stderr is not None
    assert any("compiling 2 files" in line for line in process.stderr)
    process.send_signal(number)
    process.communicate()
    assert process.returncode != 0
    assert llama_wheel.find("") is None
    hang.unlink()
    assert llama_wheel.ensure(fake, "").is_file()
    assert leftovers() == []


def test_a_failure_tells_the_compilers_words_and_the_remedy(fake: Path) -> None:
    fake.with_name("fail").touch()
    with pytest.raises(llama_wheel.SetUpError) as caught:
        llama_wheel.ensure(fake, "")
    assert "one.cpp:1: error: no such thing" in str(caught.value)
    assert "note: from pip" not in str(caught.value)
    assert "the whole output is in" in caught.value.remedy
    assert llama_wheel.find("") is None


def test_a_missing_compiler_is_told_before_anything_is_fetched(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(fake.parent))
    monkeypatch.delenv("CXX")
    with pytest.raises(llama_wheel.SetUpError, match=r"no C\+\+ compiler"):
        llama_wheel.ensure(fake, "")
    assert not fake.with_name("compiled").exists()


def test_the_source_is_pinned_by_its_hash() -> None:
    source, version = llama_wheel.pinned_source()
    assert source.startswith(f"llama-cpp-python=={version} ")
    assert "--hash=sha256:" in source


def test_the_key_tells_flags_apart() -> None:
    assert llama_wheel.key("") == llama_wheel.key("")
    assert llama_wheel.key("") != llama_wheel.key("-DGGML_CUDA=on")
