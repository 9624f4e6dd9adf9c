"""The rules, one class for each, on small built values."""
