"""Is what was embedded once still there, and whole, whatever ended the process that kept it?"""

from __future__ import annotations

import fcntl
import hashlib
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synapse_perf.retrieval.embedding_cache import DIGEST_BYTES, HEADER_BYTES, EmbeddingCache

DIMENSION = 4
RECORD_BYTES = DIGEST_BYTES + 4 * DIMENSION
WRITER = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from synapse_perf.retrieval.embedding_cache import EmbeddingCache

def vector(text):
    return np.full({dimension}, len(text), dtype=np.float32)

with EmbeddingCache(Path(sys.argv[1]), {dimension}) as cache:
{body}
"""
KEEPS_ON = """
    for number in range(10**9):
        text = "x" * (number % 700)
        cache.add(text, vector(text))
        if number == 200:
            print("going", flush=True)
"""
ASKED = """
    cache.add("before", vector("before"))
    print("open", flush=True)
    sys.stdin.readline()
    cache.add("after", vector("after"))
"""
NO_ROOM = """
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
    try:
        for number in range(100):
            cache.add(str(number), vector(str(number)))
    except OSError as error:
        print(error.strerror)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "embeddings" / "encoder.vectors"


def vector(text: str) -> Any:
    """Another for every text."""
    numbers = np.frombuffer(hashlib.sha256(text.encode("utf-8", "replace")).digest()[: 4 * DIMENSION], dtype=np.uint32)
    return (numbers / 2**31).astype(np.float32)


def fill(path: Path, *texts: str) -> None:
    with EmbeddingCache(path, DIMENSION) as cache:
        for text in texts:
            cache.add(text, vector(text))


def texts_in(path: Path, *texts: str) -> list[str]:
    """Those that the cache has, each with its own vector."""
    with EmbeddingCache(path, DIMENSION) as cache:
        found = [text for text in texts if text in cache]
        assert len(cache) == len(found)
        for text in texts:
            kept = cache.get(text)
            assert (kept is None) == (text not in found)
            assert kept is None or np.array_equal(kept, vector(text))
        return found


def writer(path: Path, body: str, **values: int) -> subprocess.Popen[str]:
    code = WRITER.format(dimension=DIMENSION, body=body.format(**values))
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_vector_comes_back_as_it_was(path: Path) -> None:
    odd = ["", "a text", "日本", "half \ud800 a pair", "nul \0 inside", "long " * 10_000]
    fill(path, *odd)

    assert texts_in(path, *odd, "another") == odd


def test_the_next_to_open_goes_on(path: Path) -> None:
    fill(path, "a", "b")
    fill(path, "c")

    assert texts_in(path, "a", "b", "c", "d") == ["a", "b", "c"]


def test_what_is_added_is_had_at_once(path: Path) -> None:
    with EmbeddingCache(path, DIMENSION) as cache:
        assert cache.get("a") is None
        cache.add("a", vector("a"))
        kept = cache.get("a")
        assert kept is not None
        kept[:] = 0  # the caller's own
        again = cache.get("a")
        assert again is not None
        assert np.array_equal(again, vector("a"))


def test_a_text_that_is_added_again_has_its_last_vector(path: Path) -> None:
    with EmbeddingCache(path, DIMENSION) as cache:
        cache.add("a", vector("old"))
        cache.add("a", vector("a"))
    assert texts_in(path, "a") == ["a"]


@pytest.mark.parametrize("kept", range(RECORD_BYTES))
def test_a_record_that_was_cut_at_any_byte_is_embedded_again(path: Path, kept: int) -> None:
    fill(path, "a", "b", "c")
    with path.open("r+b") as file:
        file.truncate(HEADER_BYTES + 2 * RECORD_BYTES + kept)

    assert texts_in(path, "a", "b", "c") == ["a", "b"]
    fill(path, "c", "d")
    assert texts_in(path, "a", "b", "c", "d") == ["a", "b", "c", "d"]


@pytest.mark.parametrize("kept", [0, 1, HEADER_BYTES // 2, HEADER_BYTES - 1])
def test_a_file_whose_first_line_was_cut_is_begun_anew(path: Path, kept: int) -> None:
    fill(path)
    with path.open("r+b") as file:
        file.truncate(kept)

    assert texts_in(path, "a") == []
    fill(path, "a")
    assert texts_in(path, "a") == ["a"]


def test_vectors_of_another_length_are_not_taken_for_these(path: Path) -> None:
    with EmbeddingCache(path, 2 * DIMENSION) as cache:
        for number in range(9):
            cache.add(str(number), np.ones(2 * DIMENSION, dtype=np.float32))

    assert texts_in(path, *map(str, range(9))) == []
    fill(path, "a")
    assert texts_in(path, "a") == ["a"]


def test_a_file_of_something_else_is_begun_anew(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a cache of vectors " * 100)

    fill(path, "a")
    assert texts_in(path, "a") == ["a"]


def test_a_writer_that_is_killed_leaves_whole_vectors(path: Path) -> None:
    with writer(path, KEEPS_ON) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "going\n"
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=60)
    assert running.returncode == -signal.SIGKILL

    with EmbeddingCache(path, DIMENSION) as cache:
        assert 200 < len(cache) <= 700
        for length in range(len(cache)):
            kept = cache.get("x" * length)
            assert kept is not None
            assert set(kept) == {length}


def test_of_two_processes_the_second_waits_and_has_what_the_first_kept(path: Path) -> None:
    waiting = threading.Event()
    seen: dict[str, Any] = {}

    def open_as_well() -> None:
        with EmbeddingCache(path, DIMENSION, waiting.set) as cache:
            seen.update({text: cache.get(text) for text in ("before", "after")})

    with writer(path, ASKED) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "open\n"
        with path.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        second = threading.Thread(target=open_as_well)
        second.start()
        assert waiting.wait(60), "it did not say that it waits"
        assert seen == {}
        first.communicate("go on\n", timeout=60)
        second.join(60)

    assert {text: list(kept) for text, kept in seen.items()} == {"before": [6.0] * 4, "after": [5.0] * 4}


def test_one_that_need_not_wait_says_nothing(path: Path) -> None:
    with EmbeddingCache(path, DIMENSION, lambda: pytest.fail("nobody else has it open")):
        pass


def test_a_disk_that_is_full_is_told_and_loses_no_vector(path: Path) -> None:
    """The last record that has some room, but not enough, is written in part."""
    limit = HEADER_BYTES + 3 * RECORD_BYTES + 17
    with writer(path, NO_ROOM, limit=limit) as running:
        assert running.communicate(timeout=60)[0] == "File too large\n"
    assert path.stat().st_size == limit

    with EmbeddingCache(path, DIMENSION) as cache:
        assert [text for text in map(str, range(100)) if text in cache] == ["0", "1", "2"]
