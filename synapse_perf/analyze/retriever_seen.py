"""What did the probe see of a user's own retriever, before anything was measured?"""

from __future__ import annotations

from dataclasses import dataclass

LARGE_BYTES = 64 * 1024  # a smaller file takes no time to speak of


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file of data that the retriever reads, and the step in which it was first seen open."""

    path: str
    size_bytes: int
    during: str


@dataclass(frozen=True, slots=True)
class OneByOne:
    """Texts that were embedded one by one in one step, and what one call with several of them takes instead."""

    library: str
    during: str
    calls: int
    seconds: float
    batch: int
    one_s: float  # for each text, one by one
    batch_s: float  # for each text, in one call
    rounds: int
    faster_rounds: int  # in which the one call was faster


@dataclass(frozen=True, slots=True)
class Seen:
    """What the probe saw; its times plan the run and are never judged."""

    files: tuple[ReadFile, ...]  # the largest first
    imports: tuple[tuple[str, float], ...]  # top-level module, seconds without the others; the most expensive first
    late_imports: tuple[tuple[str, float, str], ...]  # the same, and whether by the factory or by the first query
    libraries: tuple[str, ...]  # those mapped that bring threads of their own
    import_s: float
    build_s: float
    first_retrieve_s: float
    next_retrieve_s: float
    is_async: bool
    results: int | None
    warnings: tuple[str, ...]
    embedding: OneByOne | None = None

    def early_files(self) -> list[ReadFile]:
        """The large ones that are read while the module is imported."""
        return [file for file in self.files if file.during == "import" and file.size_bytes >= LARGE_BYTES]
