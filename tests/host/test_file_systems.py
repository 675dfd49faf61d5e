from __future__ import annotations

import pytest

from synapse_perf.host.file_systems import file_system, parse_macos_mounts, parse_mountinfo, why_not_cold

MOUNTINFO = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 22 0:26 / /dev/shm rw,nosuid,nodev shared:3 - tmpfs tmpfs rw,inode64
41 22 0:40 / /mnt/my\\040models rw,relatime - nfs4 nas:/models rw,vers=4.2
42 22 0:41 / /mnt/over rw,relatime - ext4 /dev/vdb rw
43 22 0:42 / /mnt/over rw,relatime - overlay overlay rw,lowerdir=/a
"""
MACOS_MOUNTS = """\
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
devfs on /dev (devfs, local, nobrowse)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse, protect, root data)
//ada@nas._smb._tcp.local/models on /Volumes/models (smbfs, nodev, nosuid, mounted by ada)
/dev/disk5s1 on /Volumes/T7 (black) (exfat, local, nodev)
"""


def test_mountinfo_gives_the_type_of_each_mount_and_the_visible_one_of_two() -> None:
    assert parse_mountinfo(MOUNTINFO) == {
        "/": "ext4",
        "/dev/shm": "tmpfs",
        "/mnt/my models": "nfs4",
        "/mnt/over": "overlay",
    }


def test_macos_mounts_give_the_type_of_each_mount() -> None:
    assert parse_macos_mounts(MACOS_MOUNTS) == {
        "/": "apfs",
        "/dev": "devfs",
        "/System/Volumes/Data": "apfs",
        "/Volumes/models": "smbfs",
        "/Volumes/T7 (black)": "exfat",
    }


@pytest.mark.parametrize("kind", ["tmpfs", "nfs4", "smbfs", "virtiofs", "9p", "zfs", "fuse.sshfs"])
def test_a_file_system_without_a_device_of_its_own_is_refused_with_a_reason(kind: str) -> None:
    assert kind in (why_not_cold(kind) or "")


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "apfs", "fuseblk", None])
def test_a_local_file_system_may_be_cold(kind: str | None) -> None:
    assert why_not_cold(kind) is None


def test_proc_is_known_on_linux() -> None:
    kind = file_system("/proc/self/status")
    if kind is None:
        pytest.skip("no mount table here")
    assert kind == "proc"
