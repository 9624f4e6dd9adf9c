"""The forms of the files that the stand-in for run_postproc.py leaves. Standard library only."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from typing import Any

BLOCK = 2880


def _header(*cards: str) -> bytes:
    text = "".join(card.ljust(80) for card in (*cards, "END"))
    return text.ljust(-(-len(text) // BLOCK) * BLOCK).encode()


def _card(key: str, value: object) -> str:
    return f"{key:<8}= {value:>20}" if isinstance(value, int) else f"{key:<8}= {value}"


def fits_table(numbers: Sequence[int], *, csv_readable: bool = True) -> bytes:
    """A FITS file with one table, a row for each number. Whether a CSV reader gets through depends on its bytes."""
    primary = _header(f"SIMPLE  ={'T':>21}", _card("BITPIX", 8), _card("NAXIS", 0), f"EXTEND  ={'T':>21}")
    extension = _header(
        _card("XTENSION", "'BINTABLE'"),
        *(_card(key, value) for key, value in (("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 77), ("NAXIS2", len(numbers)))),
        *(_card(key, value) for key, value in (("PCOUNT", 0), ("GCOUNT", 1), ("TFIELDS", 2))),
        *(_card(key, value) for key, value in (("TTYPE1", "'object'"), ("TFORM1", "'69A'"))),
        *(_card(key, value) for key, value in (("TTYPE2", "'expnum'"), ("TFORM2", "'K'"))),
    )
    rows = b""
    for place, number in enumerate(numbers):
        name = b"DESGW: a hex" if csv_readable or place else b"\n" + b"," * 40
        packed = number.to_bytes(8, "big").translate(bytes.maketrans(b'\n\r",', b"    "))
        rows += name.ljust(69) + packed
    return primary + extension + rows.ljust(-(-len(rows) // BLOCK) * BLOCK, b"\0")


def is_whole_fits(data: bytes) -> bool:
    """Whether a reader of FITS would take it."""
    return data.startswith(b"SIMPLE  =") and len(data) % BLOCK == 0 and len(data) > 2 * BLOCK


def numpy_file(value: Any) -> bytes:
    """What numpy.save makes of a dictionary."""
    described = "{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    described = described.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(described)) + described.encode() + pickle.dumps(value)


def from_numpy_file(data: bytes) -> Any:
    """The dictionary. Raises ValueError or pickle.UnpicklingError for what numpy.load would not take."""
    if not data.startswith(b"\x93NUMPY"):
        raise ValueError("Cannot load file containing pickled data when allow_pickle=False")
    (length,) = struct.unpack("<H", data[8:10])
    return pickle.loads(data[10 + length :])


TRUTH_HEADER = "SNFAKE_ID EXPNUM CCDNUM RA DEC MAG MAGERR TRUEMAG REJECT ML_SCORE BAND NITE SEASON"

#: CCDs with a fake, in each exposure.
FAKES = (3, 28, 60)


def truth_table(rows: Sequence[dict[str, str]], season: str) -> str:
    """A few fakes for each exposure, as the query that makes truthplus leaves them."""
    lines = [TRUTH_HEADER]
    for row in rows:
        lines += [
            f"{number} {row['expnum']} {ccd} 334.5 -38.0 21.5 0.02 21.4 0 0.93 {row['filter']} {row['nite']} {season}"
            for number, ccd in enumerate(FAKES, start=101)
        ]
    return "\n".join(lines) + "\n"
