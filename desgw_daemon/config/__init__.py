"""daemon.toml: finding it, reading it, checking it, noticing that it was changed.

This file stays empty: `config.locate` must be importable without pydantic.
"""
