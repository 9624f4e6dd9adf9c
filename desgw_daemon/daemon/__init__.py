"""The daemon itself: one cycle (`tick`) and the loop that repeats it."""
