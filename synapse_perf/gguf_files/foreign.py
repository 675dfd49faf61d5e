"""What is a file that is no GGUF, judged by its first bytes?"""

from __future__ import annotations

CONVERT = "convert it with llama.cpp's convert_hf_to_gguf.py, or download the GGUF version of the model"
DOWNLOAD = "download the model file itself"

_BY_PREFIX: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a zip archive, as PyTorch checkpoints are", CONVERT),
    (b"\x80\x02", "a Python pickle, as old PyTorch checkpoints are", CONVERT),
    (b"\x93NUMPY", "a NumPy array", CONVERT),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"lmgg", "an unversioned ggml file from before GGUF", CONVERT),
    (b"fmgg", "a ggmf file from before GGUF", CONVERT),
    (b"tjgg", "a ggjt file from before GGUF", CONVERT),
    (b"algg", "a ggla adapter from before GGUF", CONVERT),
    (
        b"version https://git-lfs",
        "a git-lfs pointer instead of the file it stands for",
        "run `git lfs pull` in its repository",
    ),
)


def describe_foreign(head: bytes) -> tuple[str, str]:
    """What the file looks like, and what to do about it; `head` is its first kilobyte or less."""
    for prefix, looks_like, remedy in _BY_PREFIX:
        if head.startswith(prefix):
            return looks_like, remedy
    if _is_safetensors(head):
        return "a safetensors file", CONVERT
    if not head.strip(b"\0"):
        return "zeros, as left by a download that never finished", DOWNLOAD
    return _describe_text(head)


def _is_safetensors(head: bytes) -> bool:
    header_bytes = int.from_bytes(head[:8], "little")
    return len(head) > 8 and head[8:9] == b"{" and 2 <= header_bytes <= 100_000_000


def _describe_text(head: bytes) -> tuple[str, str]:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return "an HTML page, such as a log-in or error page", DOWNLOAD
    if start.startswith(b"<?xml"):
        return "an XML document, such as a server's error message", DOWNLOAD
    if start.startswith((b"{", b"[")):
        return "JSON text", DOWNLOAD
    if head.isascii() and all(byte >= 32 or byte in b"\t\r\n" for byte in head):
        return "a text file", DOWNLOAD
    shown = "".join(chr(byte) if 32 < byte < 127 else "." for byte in head[:4])
    return f"something else (it starts with '{shown}' instead of 'GGUF')", "give a GGUF model file"
