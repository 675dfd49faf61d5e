"""Makes ``python -m synapse_perf`` the program, and lets Ctrl-C end it quietly while it is still being imported."""

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Entry point of the console script too."""
    try:
        from synapse_perf.cli import main as program
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.stderr.flush()
        os._exit(130)
    program()


if __name__ == "__main__":
    main()
