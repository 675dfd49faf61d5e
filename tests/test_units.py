"""Do people's units become the right base units, and wrong ones a clear line?"""

from __future__ import annotations

import pytest

from synapse_perf.errors import InputError
from synapse_perf.units import parse_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500MB", 500_000_000),
        ("1.5GiB", 3 * 512 * 1024**2),
        ("64k", 64_000),
        ("2 Mi", 2 * 1024**2),
        ("4096", 4096),
        ("10b", 10),
    ],
)
def test_a_size_is_read_in_bytes(text: str, expected: int) -> None:
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "MB", "-5MB", "5 apples", "5PB"])
def test_what_is_no_size_is_told(text: str) -> None:
    with pytest.raises(InputError, match="is not a size"):
        parse_bytes(text)
