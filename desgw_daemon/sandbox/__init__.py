"""A small observatory for the demo and for the tests: a fake /pnfs and stand-ins for the pipeline's programs.

It imports nothing of the rest of desgw_daemon and only the standard library, so that the daemon and
what it is tried against do not share one mind.
"""
