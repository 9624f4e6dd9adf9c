"""The rules: pure functions of what is written down, the policy and the time. No I/O, no clock."""
