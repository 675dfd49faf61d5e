"""Do people's units become the right base units, and wrong ones a clear line?"""

from __future__ import annotations

import pytest

from synapse_perf.errors import InputError
from synapse_perf.units import format_duration, parse_bytes


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


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (153.2e-9, "153 ns"),
        (1e-9, "1.00 ns"),
        (812e-6, "812 µs"),
        (4.312e-3, "4.31 ms"),
        (2.05, "2.05 s"),
        (200.0, "3 min 20 s"),
        (-153e-9, "-153 ns"),
        (1e-17, "0.00 µs"),
        (0.0, "0.00 s"),
    ],
)
def test_a_duration_has_three_digits_and_the_unit_that_reads_best(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown
