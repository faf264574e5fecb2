"""Unpacks gzip and ZIP with bounds, counting what really comes out: the sizes an archive states are claims.

Names inside an archive are shown and never used as paths.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from crm.errors import UnreadableFile

_CHUNK = 1 << 20
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 0x1
_UTF8_NAME = 0x800
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
# The signs of gzip and zlib's own window, as zlib wants it told.
_GZIP_WINDOW = 31

_MAX_CONTENTS = 1 << 20
# The end of a ZIP is followed by a comment of up to 65,535 bytes.
_END_WITHIN = 65_535 + 22 + 20

# What zipfile raises at a damaged table of contents.
_UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,
    ValueError,
    LookupError,
    ArithmeticError,
    struct.error,
    OSError,
)

_PACK_AGAIN = "Make the archive again, or choose the file that is inside it."


@dataclass(frozen=True)
class Bounds:
    """How much may come out of an archive: in all, of one entry, of how many, and how many times its size.

    The ratio counts from `grace` bytes on: small things may be packed as tightly as they like.
    """

    total: int
    entry: int
    entries: int = 1000
    ratio: int = 100
    grace: int = 100 << 10


UNPACKED = Bounds(total=2 << 30, entry=2 << 30, grace=10 << 20)
"""Of an archive around one file."""


def unpack(path: str, target: str, what: str) -> dict[str, Any]:
    """Write the one file inside the archive `path` to `target`; return its name and size in bytes.

    `what` is `gzip` or `zip`. The name is empty when the archive states none. Raises UnreadableFile when
    the archive is damaged, encrypted, holds several files or none, or more than the bounds allow.
    """
    size = 0
    name = ""
    if what == "zip":
        entry = _only_entry(entries_of(Path(path), UNPACKED))
        name = shown_name(entry)
        pieces = inflate(Path(path), entry, UNPACKED)
    else:
        pieces = _gunzip(Path(path), UNPACKED)
    with Path(target).open("wb") as file:
        for piece in pieces:
            size += len(piece)
            file.write(piece)
    return {"name": name, "size": size}


def entries_of(path: Path, bounds: Bounds, *, lenient: bool = False) -> list[zipfile.ZipInfo]:
    """Return the entries of a ZIP that are files, after what its table of contents alone can refuse.

    `lenient` is for a look at their names: only a table of contents that is too long is refused.
    """
    if _length_of_contents(path) > _MAX_CONTENTS:
        raise UnreadableFile(
            f"The archive holds more than the {bounds.entries:,} entries that are read.", _PACK_AGAIN
        )
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except _UNREADABLE as error:
        raise UnreadableFile(
            "The archive is damaged: it has no readable table of contents.", _PACK_AGAIN
        ) from error
    if len(entries) > bounds.entries:
        raise UnreadableFile(
            f"The archive holds {len(entries):,} entries; up to {bounds.entries:,} are read.", _PACK_AGAIN
        )
    files = [entry for entry in entries if not entry.filename.endswith("/")]
    if lenient:
        return files
    for entry in files:
        if entry.flag_bits & _ENCRYPTED:
            raise UnreadableFile(
                "The archive is protected with a password.", "Unpack it, and import the file inside."
            )
        _hold(entry.file_size, entry.compress_size, bounds)
    if sum(entry.file_size for entry in files) > bounds.total:
        raise _too_much(bounds.total)
    return files


def _length_of_contents(path: Path) -> int:
    """Return the bytes of a ZIP's table of contents as its end states them; 0 when no end is found."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_WITHIN))
        end = file.read()
        at = end.rfind(b"PK\x05\x06")
        if at < 0 or at + 16 > len(end):
            return 0
        (length,) = struct.unpack_from("<I", end, at + 12)
        if length == 0xFFFFFFFF and end[at - 20 : at - 16] == b"PK\x06\x07":
            file.seek(min(struct.unpack_from("<Q", end, at - 12)[0], size))
            large = file.read(48)
            if len(large) == 48:
                (length,) = struct.unpack_from("<Q", large, 40)
    return int(length)


def inflate(path: Path, entry: zipfile.ZipInfo, bounds: Bounds) -> Iterator[bytes]:
    """Yield what really is in one entry of a ZIP, in pieces of up to a megabyte.

    Raises UnreadableFile as soon as it is more than the bounds allow, and at the end when it is not what
    the table of contents says.
    """
    if entry.compress_type not in (_STORED, _DEFLATED):
        raise UnreadableFile(
            "The archive is packed in a way that cannot be read here (neither stored nor deflated).",
            _PACK_AGAIN,
        )
    size = check = 0
    for piece in _entry_pieces(path, entry):
        size += len(piece)
        check = zlib.crc32(piece, check)
        _hold(size, entry.compress_size, bounds)
        yield piece
    if size != entry.file_size or check != entry.CRC:
        raise UnreadableFile(
            "The archive is damaged: what is inside is not what its table of contents says.", _PACK_AGAIN
        )


def _entry_pieces(path: Path, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    # Not ZipFile.open, which stops at the size that the table of contents claims.
    with path.open("rb") as file:
        file.seek(max(0, entry.header_offset))
        head = file.read(_LOCAL_HEADER.size)
        if entry.header_offset < 0 or len(head) < _LOCAL_HEADER.size or not head.startswith(b"PK\x03\x04"):
            raise UnreadableFile("The archive is damaged: an entry is not where it should be.", _PACK_AGAIN)
        name_length, extra_length = _LOCAL_HEADER.unpack(head)[-2:]
        file.seek(name_length + extra_length, 1)
        left = entry.compress_size
        if entry.compress_type == _STORED:
            while left > 0 and (piece := file.read(min(_CHUNK, left))):
                left -= len(piece)
                yield piece
            return
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        while left > 0 and not engine.eof and (packed := file.read(min(_CHUNK, left))):
            left -= len(packed)
            yield from _drain(engine, packed)


def _drain(engine: Any, packed: bytes) -> Iterator[bytes]:
    try:
        while packed and not engine.eof:
            if piece := engine.decompress(packed, _CHUNK):
                yield piece
            packed = engine.unconsumed_tail
    except zlib.error as error:
        raise UnreadableFile("The archive is damaged: it cannot be unpacked.", _PACK_AGAIN) from error


def _gunzip(path: Path, bounds: Bounds) -> Iterator[bytes]:
    """Yield what a gzip file holds, all its members one after the other."""
    packed_size = path.stat().st_size
    size = 0
    engine = zlib.decompressobj(_GZIP_WINDOW)
    begun = False
    with path.open("rb") as file:
        while packed := file.read(_CHUNK):
            while packed:
                if engine.eof:
                    packed = packed.lstrip(b"\0")  # padding behind a member
                    if not packed:
                        break
                    engine = zlib.decompressobj(_GZIP_WINDOW)
                begun = True
                for piece in _drain(engine, packed):
                    size += len(piece)
                    _hold(size, packed_size, bounds)
                    yield piece
                packed = engine.unused_data
    if not begun or not engine.eof:
        raise UnreadableFile("The archive is damaged: it ends in the middle.", _PACK_AGAIN)


def _hold(size: int, packed: int, bounds: Bounds) -> None:
    if size > bounds.entry:
        raise _too_much(bounds.entry)
    if size > bounds.grace and size > packed * bounds.ratio:
        raise UnreadableFile(
            f"The file unpacks to more than {bounds.ratio} times its size, as no real table does.",
            "If you trust it, unpack it, save the table as CSV with UTF-8 encoding, and import that.",
        )


def _too_much(limit: int) -> UnreadableFile:
    return UnreadableFile(
        f"The file unpacks to more than {limit >> 20:,} MB, the most that is read.",
        "Divide the table into several files.",
    )


def shown_name(entry: zipfile.ZipInfo) -> str:
    """Return the last part of an entry's name as text to be shown, without control characters.

    A name that is not marked as UTF-8 was written in the code page of somebody's computer: UTF-8 and
    Chinese are tried before the code page of the first PCs.
    """
    name = entry.filename
    if not entry.flag_bits & _UTF8_NAME and not name.isascii():
        raw = name.encode("cp437", errors="replace")
        for encoding in ("utf-8", "gb18030"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    name = PurePosixPath(name.replace("\\", "/")).name
    return "".join(sign for sign in name if sign.isprintable())[:255]


def _only_entry(entries: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    files = [entry for entry in entries if not _is_clutter(entry)]
    if not files:
        raise UnreadableFile("The archive holds no file.", "Choose the file that holds the table.")
    if len(files) > 1:
        names = ", ".join(shown_name(entry) for entry in files[:5])
        more = f" and {len(files) - 5:,} more" if len(files) > 5 else ""
        raise UnreadableFile(
            f"The archive holds {len(files):,} files: {names}{more}.",
            "Unpack it, and import one file at a time.",
        )
    return files[0]


def _is_clutter(entry: zipfile.ZipInfo) -> bool:
    """Return whether an entry is what operating systems add by themselves."""
    parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
    return "__MACOSX" in parts or (bool(parts) and parts[-1] in {".DS_Store", "Thumbs.db", "desktop.ini"})
