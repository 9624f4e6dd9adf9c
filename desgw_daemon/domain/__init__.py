"""The vocabulary: what the daemon's words mean. Standard library only, no I/O, no clock."""
