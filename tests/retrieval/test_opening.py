"""Do all ways to open an index give the same index, and what becomes of a file that is none?"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from synapse_perf.retrieval.building import build_index, save_index
from synapse_perf.retrieval.opening import BLOCK_BYTES, OPEN_MODES, IndexUnusable, OpenMode, open_index, read_ahead
from synapse_perf.retrieval.synthetic import synthetic_vectors

VECTORS, QUERIES = synthetic_vectors(600, 16, queries=20)
FACTORIES = ("Flat", "IVF8,Flat", "IVF8,SQ8", "SQ8", "HNSW8", "IVF8,SQ4,RFlat", "PCA8,IVF8,Flat")
OPENS_AND_SEARCHES = """
import resource, sys
from pathlib import Path
import numpy as np
from synapse_perf.retrieval.opening import OPEN_MODES, IndexUnusable, open_index

resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for name in sys.argv[1:]:
    for mode in OPEN_MODES:
        print(f"{Path(name).name} {mode}", flush=True)
        try:
            index = open_index(name, mode)
            if index.d == 16:
                index.search(np.zeros((1, 16), dtype=np.float32), 5)
        except IndexUnusable as error:
            assert str(error).strip() and "\\n" not in str(error), error
        except RuntimeError:
            pass  # in the search
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexes")
    for factory in FACTORIES:
        save_index(build_index(VECTORS, factory), folder / factory)
    return folder


def found_in(index: Any) -> Any:
    return index.search(QUERIES, 10)


@pytest.mark.parametrize("factory", FACTORIES)
def test_every_way_gives_the_same_results_as_reading(folder: Path, factory: str) -> None:
    distances, ids = found_in(open_index(str(folder / factory)))

    for mode in OPEN_MODES:
        index = open_index(str(folder / factory), mode)
        other_distances, other_ids = found_in(index)
        assert index.ntotal == len(VECTORS)
        assert np.array_equal(other_ids, ids), mode
        assert np.array_equal(other_distances, distances), mode


def test_reading_ahead_reads_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * (BLOCK_BYTES + 17))

    assert read_ahead(str(path)) == BLOCK_BYTES + 17
    path.write_bytes(b"")
    assert read_ahead(str(path)) == 0


@pytest.mark.parametrize("mode", ["ifc", "readahead"])
def test_a_faiss_that_cannot_map_flat_codes_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mode: OpenMode
) -> None:
    monkeypatch.delattr(faiss, "IO_FLAG_MMAP_IFC")

    with pytest.raises(IndexUnusable, match=r"^FAISS [\d.]+ cannot map flat codes \(IO_FLAG_MMAP_IFC\)$"):
        open_index(str(folder / "Flat"), mode)
    assert open_index(str(folder / "Flat"), "read").ntotal == len(VECTORS)
    assert open_index(str(folder / "IVF8,Flat"), "mmap").ntotal == len(VECTORS)


@pytest.mark.parametrize("mode", OPEN_MODES)
def test_a_file_that_is_missing_is_told_with_the_systems_word(tmp_path: Path, mode: OpenMode) -> None:
    with pytest.raises(IndexUnusable, match=r"No such file or directory$"):
        open_index(str(tmp_path / "missing.index"), mode)


@pytest.mark.parametrize("mode", OPEN_MODES)
@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "read error|could not mmap"), (b"some text, not an index", "not recognized"), (b"\x93NUMPY\1\0", "NUM")],
)
def test_a_file_of_another_kind_is_told_in_one_line(tmp_path: Path, content: bytes, told: str, mode: OpenMode) -> None:
    path = tmp_path / "other.index"
    path.write_bytes(content)

    with pytest.raises(IndexUnusable, match=told) as caught:
        open_index(str(path), mode)
    assert "\n" not in str(caught.value)
    assert "Error in" not in str(caught.value)


@pytest.mark.parametrize("mode", OPEN_MODES)
def test_a_folder_is_no_index(tmp_path: Path, mode: OpenMode) -> None:
    with pytest.raises(IndexUnusable):
        open_index(str(tmp_path), mode)


@pytest.mark.parametrize("factory", ["Flat", "IVF8,SQ8", "HNSW8"])
def test_no_truncated_or_damaged_file_makes_it_hang(folder: Path, tmp_path: Path, factory: str) -> None:
    """FAISS may take the process with it, which is why a worker opens an index."""
    whole = (folder / factory).read_bytes()
    draw = random.Random(factory)
    damaged = [whole[: int(len(whole) * share)] for share in (0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999)]
    for _ in range(30):
        place = draw.randrange(draw.choice((60, 600, len(whole))))
        damaged.append(whole[:place] + draw.randbytes(8) + whole[place + 8 :])
    for number, content in enumerate(damaged):
        (tmp_path / f"{number:03}.index").write_bytes(content)
    left = sorted(tmp_path.glob("*.index"))
    deaths = 0
    while left:
        done = subprocess.run(
            [sys.executable, "-c", OPENS_AND_SEARCHES, *map(str, left)], capture_output=True, text=True, timeout=60
        )
        assert "Traceback" not in done.stderr, done.stderr
        if done.returncode == 0:
            break
        deaths += 1
        assert done.returncode < 0, done.stderr  # a signal
        last = done.stdout.splitlines()[-1].split()[0]
        left = left[[path.name for path in left].index(last) + 1 :]
    assert deaths < len(damaged)
