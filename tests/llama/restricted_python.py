"""Interpreters that may not do something, so that llama.cpp meets the refusal of the kernel itself (Linux)."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

# Neither more than 64 KiB of locked memory, nor, for root, the capability that lifts this limit.
_NO_LOCKED_MEMORY = """
import resource
resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
PR_CAPBSET_DROP, CAP_IPC_LOCK = 24, 14
libc.prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0)
"""
# A seccomp filter in classic BPF: openat() with O_DIRECT among its flags fails with EINVAL, as on a file system
# without direct I/O.
_NO_DIRECT_IO = """
import errno, struct
LOAD, JUMP_EQUAL, JUMP_SET, RETURN = 0x20, 0x15, 0x45, 0x06
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 0x00050000, 0x7FFF0000
CALL_NUMBER, LOW_HALF_OF_THIRD_ARGUMENT = 0, 32
steps = [
    (LOAD, 0, 0, CALL_NUMBER),
    (JUMP_EQUAL, 0, 3, OPENAT),
    (LOAD, 0, 0, LOW_HALF_OF_THIRD_ARGUMENT),
    (JUMP_SET, 0, 1, os.O_DIRECT),
    (RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.EINVAL),
    (RETURN, 0, 0, SECCOMP_RET_ALLOW),
]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(code)))
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) == 0
"""
_OPENAT = {"x86_64": 257, "aarch64": 56}
_SCRIPT = """#!{python}
import ctypes, os, sys
libc = ctypes.CDLL(None)
OPENAT = {openat}
{restriction}
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


def can_restrict() -> bool:
    return sys.platform == "linux" and platform.machine() in _OPENAT


def without_locked_memory(folder: Path) -> str:
    return _write(folder / "without-locked-memory", _NO_LOCKED_MEMORY)


def without_direct_io(folder: Path) -> str:
    return _write(folder / "without-direct-io", _NO_DIRECT_IO)


def _write(path: Path, restriction: str) -> str:
    openat = _OPENAT[platform.machine()]
    path.write_text(_SCRIPT.format(python=sys.executable, openat=openat, restriction=restriction))
    path.chmod(0o755)
    return str(path)
