"""desgw_daemon: image processing and post-processing of DES-GW, run through the night by itself."""

__version__ = "0.1.0"
