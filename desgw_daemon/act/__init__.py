"""Carries out one action at a time: claim in the database, perform, finish in the database."""
