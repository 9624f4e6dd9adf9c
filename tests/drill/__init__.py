"""The fault drill: faults, one by one, in the middle of a running sandbox night (docs/drill.md)."""
