from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from synapse_perf.host import residency
from synapse_perf.host.page_cache import evict
from synapse_perf.host.residency import cachestat_share, mapped_by, mincore_share

PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(64 * PAGE + 1))
    evict([path])
    opened = os.open(path, os.O_RDONLY)
    yield opened
    os.close(opened)


@pytest.mark.skipif(sys.platform != "linux", reason="cachestat is Linux's")
@pytest.mark.parametrize("pages_read", [0, 1, 16, 65])
def test_the_two_instruments_agree(descriptor: int, pages_read: int) -> None:
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    for page in range(pages_read):
        os.pread(descriptor, 1, page * PAGE)
    size = os.fstat(descriptor).st_size
    by_cachestat = cachestat_share(descriptor, size)
    if by_cachestat is None:
        pytest.skip("this kernel has no cachestat")
    assert by_cachestat == mincore_share(descriptor, size) == pages_read / 65


PROGRAM = """
import os, sys
from synapse_perf.host.residency import may_see_residency, mincore_share
if os.geteuid() == 0:
    os.setuid(65533)  # root sees everything
descriptor = os.open("/etc/passwd", os.O_RDONLY)
os.pread(descriptor, 1, 0)
print(may_see_residency("/etc/passwd", descriptor), mincore_share(descriptor, 1 << 20))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hides it")
def test_a_file_that_one_neither_owns_nor_may_write_is_recognised() -> None:
    """The lie that `may_see_residency` protects from: mincore calls pages resident that the file does not even have."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "1.0"]


def test_that_nothing_is_resident_is_confirmed_by_the_other_instrument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a cachestat that looks in the wrong place, as it does on an overlay."""
    (tmp_path / "file").write_bytes(bytes(8 * PAGE))
    monkeypatch.setattr(residency, "cachestat_share", lambda _descriptor, _size: 0.0)
    assert residency.resident_share(tmp_path / "file") == 1.0


def test_nobody_maps_a_file_that_nobody_opened(tmp_path: Path) -> None:
    (tmp_path / "alone").write_bytes(b"x")
    assert mapped_by(tmp_path / "alone") == ()
