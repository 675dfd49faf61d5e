from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from synapse_perf.errors import InputError
from synapse_perf.host.file_systems import file_system, why_not_cold
from synapse_perf.host.page_cache import evict, load_into_cache, prepare, share_of_all
from synapse_perf.host.residency import resident_share

MEGABYTE = 1 << 20
SIZE = 20 * MEGABYTE


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file of 20 MB on a file system whose cache can be controlled."""
    if why_not_cold(file_system(tmp_path)):
        pytest.skip("the temporary directory lies on a file system that cannot be evicted")
    path = tmp_path / "model.gguf"
    path.write_bytes(os.urandom(MEGABYTE) * 20)
    return path


def test_an_evicted_file_is_not_resident(model: Path) -> None:
    evict([model])
    assert resident_share(model) == 0.0


def test_a_file_that_was_read_in_full_is_resident(model: Path) -> None:
    evict([model])
    load_into_cache([model])
    assert resident_share(model) == 1.0


def test_asking_brings_no_page_in(model: Path) -> None:
    evict([model])
    assert [resident_share(model) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_half_a_file_is_half_resident(model: Path) -> None:
    evict([model])
    with model.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        file.read(SIZE // 2)
    share = resident_share(model)
    assert share is not None
    assert share == pytest.approx(0.5, abs=0.02)


def test_cold_is_certified(model: Path) -> None:
    certificate = prepare([model], "cold")
    assert (certificate.asked, certificate.proven, certificate.resident_before) == ("cold", True, 0.0)


def test_warm_is_certified(model: Path) -> None:
    evict([model])
    certificate = prepare([model], "warm")
    assert (certificate.asked, certificate.proven, certificate.resident_before) == ("warm", True, 1.0)


def test_a_held_mapping_makes_the_eviction_incomplete_and_its_holder_is_named(model: Path) -> None:
    with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        assert sum(held[:: mmap.PAGESIZE]) >= 0  # touch every page
        certificate = prepare([model], "cold")
    assert not certificate.proven
    assert certificate.resident_before is not None
    assert certificate.resident_before > 0.9
    assert f"pid {os.getpid()}" in certificate.how


def test_a_file_in_memory_is_never_cold() -> None:
    path = Path("/dev/shm") / f"synapse-perf-test-{os.getpid()}"
    if file_system("/dev/shm") != "tmpfs":
        pytest.skip("no memory file system here")
    try:
        path.write_bytes(bytes(MEGABYTE))
        certificate = prepare([path], "cold")
    finally:
        path.unlink(missing_ok=True)
    assert not certificate.proven
    assert "in memory (tmpfs)" in certificate.how


def test_several_files_are_weighted_by_their_size(model: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.gguf"
    small.write_bytes(os.urandom(5 * MEGABYTE))
    evict([small])
    load_into_cache([model])
    assert share_of_all([model, small]) == pytest.approx(0.8)


def test_dirty_pages_are_written_before_they_are_dropped(model: Path) -> None:
    with model.open("r+b") as file:
        file.write(os.urandom(SIZE))
    assert prepare([model], "cold").proven


@pytest.mark.parametrize("state", ["cold", "warm"])
def test_a_missing_file_is_the_users_error(tmp_path: Path, state: str) -> None:
    with pytest.raises(InputError, match=r"gone\.gguf: No such file"):
        prepare([tmp_path / "gone.gguf"], "cold" if state == "cold" else "warm")


def test_an_empty_file_has_no_share(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert resident_share(tmp_path / "empty") is None
