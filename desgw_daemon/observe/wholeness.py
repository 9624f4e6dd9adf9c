"""Whether a file that post-processing left is whole, as far as a short look at it tells, and which exposures it names.

Must not read more than a few blocks of a long file, and must not say what follows from a flaw.
"""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import dataclass
from typing import BinaryIO, Final

#: Files made by one run hold an exposure a line, or less; a longer one is something else (bytes).
_MOST: Final = 8_000_000
#: A row is 120 bytes, and an exposure has a thousand fakes or two: the worst night has 50 MB (bytes).
_MOST_TRUTH: Final = 100_000_000
#: Of a long file so much is read from its beginning and from its end (bytes).
_PIECE: Final = 1 << 16
_BLOCK: Final = 2880
#: Blocks of one header, and headers of one file, before it is called odd. A table has a header of one block or two.
_MOST_BLOCKS: Final = 64
_NUMPY: Final = b"\x93NUMPY"
#: The columns by which the truth table's header is known.
_TRUTH: Final = frozenset({"SNFAKE_ID", "EXPNUM"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a look at a file showed. See EvidenceFile for the meaning of each."""

    flaw: str | None = None
    expnums: tuple[int, ...] | None = None
    entries: tuple[tuple[int, str, str], ...] | None = None
    rows: int | None = None


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def number_list(file: BinaryIO) -> Content:
    """A number a line, as the real reader takes them: a blank line or a word makes it die."""
    if _size(file) > _MOST:
        return Content(flaw=f"has more than {_MOST} bytes: that is no list of exposures")
    data = file.read(_MOST)
    try:
        numbers = tuple(int(line) for line in data.decode("ascii").splitlines())
    except ValueError:
        return Content(flaw="holds a line that is no number")
    if data and not data.endswith(b"\n"):
        return Content(flaw="is cut off in its last line")
    return Content(expnums=numbers)


def exposure_table(file: BinaryIO) -> Content:
    """expniteband_df.csv: a line an exposure, with columns expnum, nite and filter (or band)."""
    if _size(file) > _MOST:
        return Content(flaw=f"has more than {_MOST} bytes: that is no table of exposures")
    data = file.read(_MOST)
    if not data.endswith(b"\n"):
        return Content(flaw="is empty" if not data else "is cut off in its last line")
    try:
        header, *rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))
        place = {name.strip().lower(): number for number, name in enumerate(header)}
        band = place["filter"] if "filter" in place else place["band"]
        if any(len(row) != len(header) for row in rows):
            return Content(flaw="has lines of different lengths")
        entries = tuple((int(row[place["expnum"]]), row[place["nite"]].strip(), row[band].strip()) for row in rows)
    except (KeyError, ValueError, csv.Error):
        return Content(flaw="is no table with expnum, nite and filter")
    if not entries:
        return Content(flaw="names no exposure")
    return Content(entries=entries, expnums=tuple(expnum for expnum, _, _ in entries))


def truth_table(file: BinaryIO) -> Content:
    """truthplus: columns with blanks between, and a header with SNFAKE_ID and EXPNUM.

    expnums: those that it has rows of; not known of a very long one, of which only the ends are looked at.
    """
    size = _size(file)
    head = file.read(_PIECE)
    first, end, _ = head.partition(b"\n")
    columns = first.decode("utf-8", "replace").upper().split()
    if not end or not _TRUTH.issubset(columns):
        return Content(flaw="is empty" if not head else "has no header with SNFAKE_ID and EXPNUM")
    file.seek(max(0, size - _PIECE))
    tail = file.read(_PIECE)
    if not tail.endswith(b"\n"):
        return Content(flaw="is cut off in its last line")
    last = tail[:-1].rpartition(b"\n")[2]
    if len(last.split()) != len(columns):
        return Content(flaw=f"is cut off: {len(last.split())} values in its last line, {len(columns)} columns")
    if size > _MOST_TRUTH:
        return Content()
    place = columns.index("EXPNUM")
    file.seek(len(first) + 1)
    found = {row[place] for line in file if len(row := line.split(None, place + 1)) > place}
    return Content(expnums=tuple(sorted(int(word) for word in found if word.isdigit())))


def fits_table(file: BinaryIO) -> Content:
    """A FITS file with a table: as long as its headers promise. rows: of the first table."""
    size = _size(file)
    if size == 0:
        return Content(flaw="is empty")
    if file.read(9) != b"SIMPLE  =":
        return Content(flaw="does not begin as a FITS file")
    if size % _BLOCK:
        return Content(flaw=f"is cut off: {size} bytes are no whole number of FITS blocks ({_BLOCK} bytes)")
    place, rows = 0, None
    for _ in range(_MOST_BLOCKS):
        if place >= size:
            break
        cards = _header(file, place)
        if cards is None:
            return Content(flaw="has a FITS header without an end")
        values, length = cards
        if rows is None and values.get("XTENSION", "").strip("' ") in ("BINTABLE", "TABLE"):
            rows = _number(values, "NAXIS2", 0)
        place += length + _data_length(values)
    if place > size:
        return Content(flaw=f"is cut off: {size} bytes, where its headers promise {place}")
    return Content(flaw=None if rows is not None else "holds no table", rows=rows)


def _header(file: BinaryIO, place: int) -> tuple[dict[str, str], int] | None:
    """The cards of one header, and its length in bytes."""
    file.seek(place)
    cards: dict[str, str] = {}
    for blocks in range(1, _MOST_BLOCKS + 1):
        block = file.read(_BLOCK).decode("latin-1")
        if len(block) < _BLOCK:
            return None
        for start in range(0, _BLOCK, 80):
            key, value = block[start : start + 8].rstrip(), block[start + 10 : start + 80]
            if key == "END":
                return cards, blocks * _BLOCK
            if block[start + 8 : start + 10] == "= ":
                cards.setdefault(key, value.split("/")[0].strip())
    return None


def _number(cards: dict[str, str], key: str, default: int) -> int:
    text = cards.get(key, "")
    return int(text) if text.lstrip("-").isdecimal() else default


def _data_length(cards: dict[str, str]) -> int:
    """Bytes of the data behind a header, in whole blocks."""
    axes = min(max(_number(cards, "NAXIS", 0), 0), 999)
    if axes == 0:
        return 0
    cells = math.prod(max(_number(cards, f"NAXIS{axis}", 0), 0) for axis in range(1, axes + 1))
    bits = abs(_number(cards, "BITPIX", 8)) * max(_number(cards, "GCOUNT", 1), 1)
    length = bits * (max(_number(cards, "PCOUNT", 0), 0) + cells) // 8
    return -(-length // _BLOCK) * _BLOCK


def numpy_file(file: BinaryIO) -> Content:
    """What numpy.save leaves: its magic, a whole header, data; of pickled data the last byte is a full stop."""
    size = _size(file)
    head = file.read(1 << 12)
    if not head.startswith(_NUMPY):
        return Content(flaw="is empty" if not head else "is no file of numpy")
    wide = head[6:7] > b"\x01"
    begin = 12 if wide else 10
    end = begin + int.from_bytes(head[8:begin], "little")
    if len(head) < begin or size <= end:
        return Content(flaw="is cut off in its header")
    if b"|O" in head[begin:end]:
        file.seek(size - 1)
        if file.read(1) != b".":
            return Content(flaw="is cut off: its pickled data has no end")
    return Content()


def status_word(file: BinaryIO) -> Content:
    """hostmatchstatus.txt: 0 when the host match ended well."""
    word = file.read(64)
    if word == b"0":
        return Content()
    return Content(flaw="is empty" if not word else f"says {word.decode('ascii', 'replace')!r}, not 0: it failed")
