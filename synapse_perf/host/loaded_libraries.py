"""Which shared libraries are in this process, and are there two OpenMP or two BLAS runtimes among them?"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterable
from pathlib import Path

MAPS = Path("/proc/self/maps")
# As file names begin: GNU's, LLVM's and Intel's OpenMP; then the BLAS libraries that wheels bring along.
_OPENMP = re.compile(r"lib(?:gomp|iomp5|omp)(?:[-._]|\d|$)")
_BLAS = re.compile(r"lib(?:(?:scipy_)?openblas[op]?(?:64_?)?|blis|mkl_rt|cblas|blas)(?:[-._]|\d|$)")


def loaded_libraries() -> list[str] | None:
    """The paths of the libraries that are mapped now; None where the system does not tell."""
    if sys.platform == "darwin":
        return _images_of_dyld()
    try:
        lines = MAPS.read_text(errors="replace").splitlines()
    except OSError:
        return None
    paths = (line.split(maxsplit=5)[5] for line in lines if line.count("/"))
    return sorted({path.removesuffix(" (deleted)") for path in paths if ".so" in path})


def thread_runtimes(paths: Iterable[str]) -> dict[str, list[str]]:
    """The OpenMP and the BLAS libraries, each with a pool of threads of its own, with the folder that brought them."""
    found: dict[str, list[str]] = {"openmp": [], "blas": []}
    for path in sorted(paths):
        file = Path(path)
        kind = "openmp" if _OPENMP.match(file.name) else "blas" if _BLAS.match(file.name) else None
        if kind:
            found[kind].append(f"{file.parent.name}/{file.name}")
    return found


def _images_of_dyld() -> list[str] | None:
    library = ctypes.CDLL(None)
    try:
        count, name = library._dyld_image_count, library._dyld_get_image_name
    except AttributeError:
        return None
    name.restype = ctypes.c_char_p
    return sorted({(name(number) or b"").decode(errors="replace") for number in range(count())})
