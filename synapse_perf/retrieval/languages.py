"""In which language, of people or of machines, is a file of this name written?"""

from __future__ import annotations

from pathlib import PurePath

_SUFFIXES = {
    "markdown": "md markdown mdx",
    "text": "txt text",
    "restructuredtext": "rst",
    "html": "html htm xhtml",
    "yaml": "yaml yml",
    "json": "json jsonl ndjson json5",
    "toml": "toml",
    "ini": "ini cfg conf properties",
    "xml": "xml",
    "python": "py pyi",
    "javascript": "js jsx mjs cjs",
    "typescript": "ts tsx mts cts",
    "go": "go",
    "rust": "rs",
    "java": "java",
    "kotlin": "kt kts",
    "scala": "scala",
    "swift": "swift",
    "c": "c h",
    "cpp": "cc cpp cxx hh hpp hxx",
    "csharp": "cs",
    "objective-c": "m mm",
    "ruby": "rb",
    "php": "php",
    "perl": "pl pm",
    "lua": "lua",
    "r": "r",
    "julia": "jl",
    "haskell": "hs",
    "elixir": "ex exs",
    "shell": "sh bash zsh fish",
    "powershell": "ps1",
    "sql": "sql",
    "css": "css scss sass less",
    "vue": "vue",
    "svelte": "svelte",
    "protobuf": "proto",
    "graphql": "graphql gql",
    "terraform": "tf",
    "asciidoc": "adoc asciidoc",
    "org": "org",
    "latex": "tex",
}
_NAMES = {
    "readme": "text",
    "license": "text",
    "changelog": "text",
    "notice": "text",
    "authors": "text",
    "contributing": "text",
    "makefile": "makefile",
    "dockerfile": "dockerfile",
}
_BY_SUFFIX = {f".{suffix}": language for language, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}


def language_of(name: PurePath) -> str:
    """The language, or "" for a file whose name does not say that it holds text."""
    return _BY_SUFFIX.get(name.suffix.lower()) or _NAMES.get(name.name.lower(), "")
