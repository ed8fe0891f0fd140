"""ICC profiles: numbers of the colour transform stay, words and what nothing points at go, what is no profile goes whole."""

import io
from struct import pack

import pytest
from PIL import Image, ImageCms

from oathward.protocols.dicom.icc import cleaned

SECRET = b"Smith of Ward 7"


def profile(*tags: tuple[bytes, bytes], behind: bytes = b"", creator: bytes = b"Smit") -> bytes:
    """Write a profile of these tags; ``behind``: what stands after the last and is of none."""
    first = 132 + 12 * len(tags)
    table, body = b"", b""
    for name, data in tags:
        table += pack(">4sLL", name, first + len(body), len(data))
        body += data
    head = bytearray(128)
    head[:4] = pack(">L", first + len(body) + len(behind))
    head[8:24] = b"\x02\x10\0\0mntrRGB XYZ "
    head[36:40], head[80:84] = b"acsp", creator
    return bytes(head) + pack(">L", len(tags)) + table + body + behind


XYZ = b"XYZ \0\0\0\0" + pack(">3L", 1, 2, 3)


def test_words_go_and_numbers_stay_where_they_are():
    old = profile(
        (b"desc", b"desc\0\0\0\0" + SECRET),
        (b"rXYZ", XYZ),
        (b"cprt", b"text\0\0\0\0" + SECRET),
        behind=SECRET,
    )
    new = cleaned(old)
    assert len(new) == len(old)
    assert b"Smit" not in new
    assert XYZ in new
    assert new.index(XYZ) == old.index(XYZ)


@pytest.mark.parametrize(
    "hidden",
    [
        (b"Smit", XYZ),
        (b"rXYZ", b"text\0\0\0\0" + SECRET),
        (b"priv", b"Smit" + SECRET),
        (b"desc", b"XYZ \0\0\0\0" + SECRET),
    ],
)
def test_nobody_hides_in_a_tag(hidden: tuple[bytes, bytes]):
    assert b"Smit" not in cleaned(profile(hidden))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SECRET * 20,
        profile((b"rXYZ", XYZ))[:140],
        profile((b"rXYZ", XYZ)) + SECRET,
        profile((b"rXYZ", XYZ)).replace(pack(">L", 144), pack(">L", 1 << 30)),
        profile((b"rXYZ", XYZ)).replace(b"\0\0\0\x01rXYZ", b"\xff\xff\xff\xffrXYZ"),
    ],
)
def test_what_is_no_profile_goes_whole(data: bytes):
    assert cleaned(data) == b""


def test_an_independent_program_shows_the_same_colours():
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    old = ImageCms.ImageCmsProfile(srgb).tobytes()
    new = cleaned(old)
    assert "sRGB".encode("utf-16-be") in old
    assert "sRGB".encode("utf-16-be") not in new
    picture = Image.new("RGB", (2, 1))
    picture.putdata([(200, 30, 90), (10, 120, 250)])

    def shown(data: bytes) -> bytes:
        change = ImageCms.buildTransform(ImageCms.ImageCmsProfile(io.BytesIO(data)), lab, "RGB", "LAB")
        return ImageCms.applyTransform(picture, change).tobytes()

    assert shown(new) == shown(old)
