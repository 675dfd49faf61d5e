"""Makes ``python -m synapse_perf`` the program."""

from synapse_perf.cli import main

if __name__ == "__main__":
    main()
