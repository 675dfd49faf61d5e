"""What does the command say that starts a model server: its program, its model files, its address, its key?

The words are those of a shell, without a shell: no pipes, no expansion but a leading ``~``. llama-server and
``python -m llama_cpp.server`` are known; of any other program the same options are looked for.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from synapse_perf.errors import InputError

MODEL_OPTIONS = ("-m", "--model")
# Read at the start as well, and so as cold or warm as the model.
MORE_FILES = ("-md", "--model-draft", "--spec-draft-model", "-mm", "--mmproj", "--clip_model_path")
PYTHON_SERVER = "llama_cpp.server"
HEALTH = "/health"  # llama-server: 503 while it loads, then 200
MODELS = "/v1/models"  # llama_cpp.server, which has no /health and opens its port when it has loaded
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_SHELL_SYNTAX = re.compile(r"\|\|?|&&?|;|\d*>>?(&\d|&)?|<|`.*|\$\(.*")
_SECRET_OPTIONS = frozenset(("--api-key", "--api_key", "--hf-token", "-hft"))
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_HIDDEN = "<hidden>"
_DEFAULT_PORT, _DEFAULT_PYTHON_PORT = "8080", "8000"
_REMEDY = "give the command as you type it, in quotes: --server 'llama-server -m MODEL.gguf -lv 4'"


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """The words of a command and the variables set before them."""

    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_python_server(self) -> bool:
        return PYTHON_SERVER in self.words

    @property
    def name(self) -> str:
        """Of its program, or of what an interpreter runs."""
        program, *rest = (os.path.basename(word) for word in self.words)  # noqa: PTH119 (words, not paths)
        if not program.startswith("python"):
            return program
        return next((word.removesuffix(".py") for word in rest if not word.startswith("-")), program)

    def value(self, *options: str, variable: str = "") -> str | None:
        """What the command gives for the last of these options, or else for the environment variable."""
        found = self.values(*options)
        if found:
            return found[-1]
        return (self.env.get(variable) or os.environ.get(variable)) if variable else None

    def values(self, *options: str) -> list[str]:
        """The value of every occurrence of these options, in either form: ``-m FILE``, ``--model=FILE``."""
        found = []
        for position, word in enumerate(self.words):
            name, equals, value = word.partition("=")
            if word in options and position + 1 < len(self.words):
                found.append(self.words[position + 1])
            elif equals and name.startswith("--") and name in options:
                found.append(value)
        return found

    def shown(self) -> str:
        """The command as text, without keys and tokens: it goes into results."""
        words = [f"{name}={_HIDDEN if _SECRET_NAME.search(name) else value}" for name, value in self.env.items()]
        is_secret = False
        for word in self.words:
            name, equals, _ = word.partition("=")
            words.append(_HIDDEN if is_secret else f"{name}={_HIDDEN}" if equals and name in _SECRET_OPTIONS else word)
            is_secret = word in _SECRET_OPTIONS
        return " ".join(word if word.endswith(_HIDDEN) else shlex.quote(word) for word in words)


def parse_command(text: str, option: str = "--server") -> ServerCommand:
    """The command of that text; raises InputError for one that cannot be started."""
    remedy = _REMEDY.replace("--server", option)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"{option}: {str(error).lower()} in: {text}", remedy) from error
    env: dict[str, str] = {}
    while words and (assignment := _ASSIGNMENT.fullmatch(words[0])):
        env[assignment[1]] = assignment[2]
        del words[0]
    if not words:
        raise InputError(f"{option} names no program", remedy)
    for word in words:
        if _SHELL_SYNTAX.fullmatch(word) or (word.endswith(";") and word == words[0]):
            instead = "put it into a script that ends with 'exec SERVER ...', or give it as: sh -c '...'"
            raise InputError(f"{option}: '{word}' is for a shell, and none reads the command", instead)
    words = [os.path.expanduser(word) for word in words]  # noqa: PTH111 (words, not paths)
    if shutil.which(words[0], path=env.get("PATH") or os.environ.get("PATH")) is None:
        raise InputError(f"{option}: there is no program '{words[0]}'", "give its full path, or put it on PATH")
    return ServerCommand(tuple(words), env)


def model_file(command: ServerCommand) -> str | None:
    """The file that holds the model, where the command names one."""
    if command.is_python_server or os.path.basename(command.words[0]).startswith("python"):  # noqa: PTH119 (a word)
        return command.value(*MODEL_OPTIONS[1:], variable="MODEL")  # its -m names a module
    return command.value(*MODEL_OPTIONS, variable="LLAMA_ARG_MODEL")


def more_files(command: ServerCommand) -> tuple[str, ...]:
    """Other files that the server reads before it is ready: a draft model, an image encoder."""
    return tuple(name for name in command.values(*MORE_FILES) if os.path.isfile(name))  # noqa: PTH113 (text)


def readiness_urls(command: ServerCommand) -> tuple[str, str]:
    """Where this server tells that it is ready, and where to ask if that is not there."""
    host = command.value("--host", variable="LLAMA_ARG_HOST") or "127.0.0.1"
    if host.startswith("/") or host.endswith(".sock"):
        raise InputError(f"--server listens on the socket {host}", "give it a port instead: --host 127.0.0.1 --port N")
    default = _DEFAULT_PYTHON_PORT if command.is_python_server else _DEFAULT_PORT
    port = command.value("--port", variable="PORT" if command.is_python_server else "LLAMA_ARG_PORT") or default
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"--server: --port {port} is no port", "give a number from 1 to 65535")
    place = f"{_reachable(host)}:{port}"
    paths = (MODELS, HEALTH) if command.is_python_server else (HEALTH, MODELS)
    prefix = (command.value("--api-prefix", variable="LLAMA_ARG_API_PREFIX") or "").rstrip("/")
    first, second = (f"http://{place}{prefix}{path}" for path in paths)
    return first, second


def _reachable(host: str) -> str:
    """The address to ask of a server that listens there."""
    if host in ("0.0.0.0", "::", "*"):  # noqa: S104 (where it listens is not ours to choose)
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def check_url(url: str) -> str:
    """The URL itself; raises InputError for one that cannot be asked."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"--url {url}: {error}", "such as http://127.0.0.1:8080/health") from error
    if parts.scheme != "http" or not parts.hostname or port == 0:
        raise InputError(f"--url {url}: not an http:// address", "such as http://127.0.0.1:8080/health")
    return url


def api_key(command: ServerCommand) -> str | None:
    """The key that requests need; of several the first."""
    key = command.value("--api-key", "--api_key", variable="LLAMA_API_KEY")
    return key.split(",")[0] if key else None
