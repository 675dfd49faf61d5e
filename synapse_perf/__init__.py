"""Performance toolkit for local language models: measure, judge, explain."""

__version__ = "0.1.0"
