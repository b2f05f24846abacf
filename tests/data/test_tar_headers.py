import io
import tarfile

import numpy as np
import pytest

from keras_adasim.data.tar_headers import BLOCK, read_members
from keras_adasim.data.tar_index import yield_all
from tests.data.tar_files import write_tar

FORMS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def members_of(content):
    """Members of an archive's bytes, and whether it has its end mark."""
    found = []
    walk = read_members(lambda place, count: content[place : place + count], len(content))
    ended = yield_all(walk, found.append)
    return found, ended


def some_names(form):
    rng = np.random.default_rng(0)
    yield from ("a.jpg", "./b/c.png", "caf\udce9.png" if form == "gnu" else "caf\u00e9.png")
    for size in (99, 100, 101, 140, 200):
        yield f"{'d' * (size // 2)}/{''.join(rng.choice(list('xyz'), size - size // 2 - 1))}"
    if form != "ustar":
        yield "/".join(["e" * 90] * 6) + ".jpg"


@pytest.mark.parametrize("form", FORMS)
def test_members_are_where_tarfile_finds_them(tmp_path, form):
    contents = {name: bytes([i]) * (300 * i) for i, name in enumerate(some_names(form))}
    write_tar(tmp_path / "a.tar", contents, FORMS[form])
    content = (tmp_path / "a.tar").read_bytes()
    found, ended = members_of(content)
    assert ended
    with tarfile.open(tmp_path / "a.tar") as archive:
        wanted = [(m.name, m.offset_data, m.size, "") for m in archive]
    assert [(m.name, m.offset, m.size, m.reason) for m in found] == wanted
    for member, wanted in zip(found, contents.values(), strict=True):
        assert content[member.offset : member.offset + member.size] == wanted


def test_folders_are_passed_over_and_links_named(tmp_path):
    folder, link, hard = (tarfile.TarInfo(name) for name in ("cat", "cat/b.jpg", "cat/c.jpg"))
    folder.type, link.type, hard.type = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
    link.linkname = hard.linkname = "cat/a.jpg"
    write_tar(tmp_path / "a.tar", [("", folder), ("cat/a.jpg", b"a" * 600), ("", link), ("", hard)])
    found, _ = members_of((tmp_path / "a.tar").read_bytes())
    assert [(m.name, m.reason) for m in found] == [
        ("cat/a.jpg", ""),
        ("cat/b.jpg", "a link"),
        ("cat/c.jpg", "a link"),
    ]


def test_sparse_files_are_named_in_both_formats():
    def header(name, kind, size):
        member = tarfile.TarInfo(name)
        member.size, member.type = size, kind
        return bytearray(member.tobuf(tarfile.GNU_FORMAT))

    def with_checksum(block):
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        return bytes(block)

    old = header("old.jpg", b"S", 10)
    old[482] = 1  # The map goes on in a block of its own, behind which the bytes begin.
    record = b"25 GNU.sparse.name=a.jpg\n"
    pax = bytes(header("x", b"x", len(record))) + record.ljust(BLOCK, b"\0")
    content = with_checksum(old) + bytes(BLOCK) + b"o" * 10 + bytes(BLOCK - 10)
    content += pax + bytes(header("GNUSparseFile.1/a.jpg", b"0", 0)) + bytes(2 * BLOCK)
    found, ended = members_of(content)
    assert ended
    assert [(m.name, m.offset, m.reason) for m in found] == [
        ("old.jpg", 2 * BLOCK, "a sparse file"),
        ("a.jpg", 6 * BLOCK, "a sparse file"),
    ]


def test_archives_behind_an_archive_are_read_too(tmp_path):
    """As `cat a.tar b.tar` makes them; tarfile stops at the first end."""
    parts = []
    for name in ("a.jpg", "b.jpg"):
        write_tar(tmp_path / "a.tar", {name: b"content"})
        parts.append((tmp_path / "a.tar").read_bytes())
    found, ended = members_of(b"".join(parts))
    assert ended
    assert [m.name for m in found] == ["a.jpg", "b.jpg"]
    assert [m.offset for m in found] == [BLOCK, len(parts[0]) + BLOCK]


def test_numbers_beyond_octal_digits():
    member = tarfile.TarInfo("a.jpg")
    member.size = 2**36
    block = member.tobuf(tarfile.GNU_FORMAT)

    def read(place, count):
        return block if place == 0 else bytes(count)

    found = []
    yield_all(read_members(read, 2**36 + 2 * BLOCK), found.append)
    assert found[0].size == 2**36


def test_what_is_damaged_is_told_with_its_place(tmp_path):
    contents = {"a.jpg": b"a" * 700, "b" * 150 + ".jpg": b"b" * 700, "c.jpg": b"c" * 700}
    write_tar(tmp_path / "a.tar", contents, tarfile.GNU_FORMAT)
    whole = (tmp_path / "a.tar").read_bytes()
    first = 3 * BLOCK  # Where the second member begins.
    flipped = bytearray(whole)
    flipped[first + 3] ^= 1
    for content, wanted in (
        (bytes(flipped), f"damaged at byte {first}, where a header"),
        (whole[: first + 100], f"cut off at byte {first}, within a header"),
        (whole[: first + 2 * BLOCK], f"cut off at byte {first + 2 * BLOCK}, behind a long name"),
        (whole[: first + 3 * BLOCK + 9], f"cut off at byte {first + 3 * BLOCK + 9}, within 'bbb"),
        (whole[:100], "cut off at byte 0, within a header"),
        (b"no archive" * 100, "damaged at byte 0"),
        (b"\x1f\x8b" + whole, "compressed by gzip"),
    ):
        with pytest.raises(ValueError, match=wanted):
            members_of(content)
    # Cut off behind a whole member: all that is known is that the end is missing.
    assert members_of(whole[:first])[1] is False
    assert members_of(b"") == ([], False)


def test_any_cut_is_noticed_or_leaves_whole_members(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("a.jpg", "caf\u00e9" * 30 + ".jpg", "c.jpg"):
            member = tarfile.TarInfo(name)
            member.size = 20
            archive.addfile(member, io.BytesIO(b"x" * 20))
    whole = buffer.getvalue()
    wanted, _ = members_of(whole)
    end = wanted[-1].offset + BLOCK
    for cut in range(0, end, 61):
        try:
            found, ended = members_of(whole[:cut])
        except ValueError as error:
            assert "cut off at byte" in str(error)  # noqa: PT017
        else:
            assert not ended
            assert found == wanted[: len(found)]
