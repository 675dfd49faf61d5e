from __future__ import annotations

import struct

from synapse_perf.host.macos_process import MACOS, ProcessUsage, parse, usage


def test_each_counter_is_found_at_its_place_in_the_record() -> None:
    """The 35 counters numbered in the order of Apple's header, after 16 bytes of identifier."""
    record = struct.pack("=16s35Q", b"identifier", *range(35))
    assert parse(record) == ProcessUsage(
        page_ins=4, resident_bytes=6, footprint_bytes=7, peak_footprint_bytes=28, disk_bytes_read=16
    )


def test_only_macos_has_it() -> None:
    assert (usage() is None) is not MACOS
