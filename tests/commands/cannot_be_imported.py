"""A module of a user's that raises while it is imported."""

raise RuntimeError("no configuration")
