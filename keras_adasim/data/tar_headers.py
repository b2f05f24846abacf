"""What is in a tar archive, by its headers alone."""

import zlib
from typing import NamedTuple

BLOCK = 512
# Of headers that describe the next one: GNU's long names and links, pax records.
_LONG_NAME, _LONG_LINK, _PAX, _GLOBAL = b"L", b"K", b"xX", b"g"
_WITHOUT_DATA = b"123456"
_WHAT = {
    b"1": "a link",
    b"2": "a link",
    b"S": "a sparse file",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
}
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        name: String, the path in the archive.
        offset: Integer. Where its bytes begin; its header is the block before.
        size: Integer. Number of its bytes.
        check: Integer. CRC-32 of its header.
        reason: String. Why its bytes can't be read as they lie there, such as of a link; empty if
            they can.
    """

    name: str
    offset: int
    size: int
    check: int
    reason: str


def read_members(read, size):
    """Walks through the headers of an archive, archives appended to it by `cat` included.

    Args:
        read: Function of an offset and a number of bytes, that returns the bytes there, fewer at
            the end.
        size: Integer. Bytes of the archive.

    Yields:
        `Member` of each file; folders are passed over.

    Returns:
        Whether the archive has its end mark.

    Raises:
        ValueError: If it is compressed, damaged or cut off; tells at which byte.
    """
    _check_not_compressed(read(0, BLOCK))
    place, told, ended = 0, {}, False
    while place < size:
        block = read(place, BLOCK)
        ended = not any(block)
        if ended:
            _check_complete(told, place)
            place += BLOCK
            continue
        kind, length = _checked(block, place)
        check, place = zlib.crc32(block), place + BLOCK
        if kind in _PAX + _LONG_NAME:
            length = _fitting(length, place, size, "a long name")
            told |= _told_ahead(kind, read(place, length), place)
        elif kind not in _LONG_LINK + _GLOBAL:
            name = told.get("sparse") or told.get("name") or _name(block)
            length = 0 if kind in _WITHOUT_DATA else told.get("size", length)
            place = _behind_sparse_map(read, place) if kind == b"S" and block[482] else place
            length = _fitting(length, place, size, repr(name))
            if kind != b"5" and not name.endswith("/"):
                why = "a sparse file" if "sparse" in told else _WHAT.get(kind, "")
                yield Member(name, place, length, check, why)
            told = {}
        place += -(-length // BLOCK) * BLOCK
    _check_complete(told, size)
    return ended


def _check_not_compressed(start):
    for magic, name in _COMPRESSED.items():
        if start.startswith(magic):
            raise ValueError(f"one compressed by {name}, where no member can be read by itself")


def _check_complete(told, place):
    if told:
        raise ValueError(f"one that is cut off at byte {place}, behind a long name")


def _checked(block, place):
    """Kind and size of a header that has its checksum."""
    if len(block) < BLOCK:
        raise ValueError(f"one that is cut off at byte {place}, within a header")
    try:
        is_sound = _number(block[148:156]) == sum(block) - sum(block[148:156]) + 8 * ord(" ")
        length = _number(block[124:136])
    except ValueError:
        is_sound = False
    if not is_sound:
        raise ValueError(f"one that is damaged at byte {place}, where a header should be")
    kind = block[156:157]
    if kind == b"M":
        raise ValueError(f"a volume of several, whose member at byte {place} begins in another")
    return kind, length


def _fitting(length, place, size, what):
    if place + length > size:
        raise ValueError(
            f"one that is cut off at byte {size}, within {what}, which ends at byte "
            f"{place + length}"
        )
    return length


def _number(field):
    """A number in a header: octal digits, or as GNU writes large ones."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    return int(field.partition(b"\0")[0].strip() or b"0", 8)


def _name(block):
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _text(name):
    return name.decode("utf-8", "surrogateescape")


def _told_ahead(kind, content, place):
    """What a header of its own says of the next member: name, size, whether it is sparse."""
    if kind == _LONG_NAME:
        return {"name": _text(content.partition(b"\0")[0])}
    told, start = {}, 0
    while start < len(content):
        digits = content[start : start + 20].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = content[start + len(digits) + 1 : start + length]
        key, equals, value = record.rstrip(b"\n").partition(b"=")
        if not length or not equals or (key == b"size" and not value.isdigit()):
            raise ValueError(f"one that is damaged at byte {place + start}, in a long name")
        if key == b"path":
            told["name"] = _text(value)
        elif key == b"size":
            told["size"] = int(value)
        elif key.startswith(b"GNU.sparse."):
            is_name = key == b"GNU.sparse.name"
            told["sparse"] = _text(value) if is_name else told.get("sparse", "")
        start += length
    return told


def _behind_sparse_map(read, place):
    """Where the bytes of a sparse file begin, of which more is told than its header holds."""
    more = True
    while more:
        block = read(place, BLOCK)
        if len(block) < BLOCK:
            raise ValueError(f"one that is cut off at byte {place}, within a sparse file")
        more, place = block[504], place + BLOCK
    return place
