"""The SQLite file: the only package that writes it."""
