"""MSH-18: each set of table 0211 that Python can read, and what happens to the others."""

import pytest

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.charset import charset_of
from oathward.protocols.hl7v2.reader import decode


def oru(name: str, charset: str, codec: str, header: str = "") -> bytes:
    text = f"MSH|^~\\&|{header}||||||ORU^R01|1|P|2.6||||||{charset}\rPID|1||7^^^H||{name}^{name}^Q\rPV1|1|I\r"
    return text.encode(codec)


@pytest.mark.parametrize(
    ("charset", "codec", "name"),
    [
        ("", "ascii", "DOE"),
        ("ASCII", "ascii", "DOE"),
        ("8859/1", "latin-1", "Müller"),
        ("8859/2", "iso8859-2", "Łukasz"),
        ("8859/5", "iso8859-5", "Иванов"),
        ("8859/6", "iso8859-6", "علي"),
        ("8859/7", "iso8859-7", "Γιάννης"),
        ("8859/8", "iso8859-8", "דוד"),
        ("8859/9", "iso8859-9", "Şahin"),
        ("8859/15", "iso8859-15", "Œuvre"),
        ("UNICODE UTF-8", "utf-8", "Ørsted 山田"),
        ("UNICODE", "utf-8", "山田"),
        ("UTF-8", "utf-8", "山田"),
        ("UNICODE UTF-16", "utf-16", "山田"),
        ("UNICODE UTF-16", "utf-16-le", "山田"),
        ("UNICODE UTF-16", "utf-16-be", "山田"),
        ("UNICODE UTF-32", "utf-32", "山田"),
        ("UNICODE UTF-32", "utf-32-be", "山田"),
        ("~ISO IR87", "iso2022_jp", "山田"),
        ("ASCII~ISO IR87", "iso2022_jp", "山田"),
        ("ISO IR87", "iso2022_jp", "山田"),
        ("~ISO IR87~ISO IR159", "iso2022_jp_2", "山丂"),
        ("ISO IR14", "shift_jis", "ﾔﾏﾀﾞ"),
        ("KS X 1001", "euc_kr", "김철수"),
        ("~KS X 1001", "euc_kr", "김철수"),
        ("GB 18030-2000", "gb18030", "王小明"),
        ("BIG-5", "big5", "許功蓋"),  # 許功蓋: trail bytes are |, \ and \ of ASCII's kind
    ],
)
def test_a_name_is_read_in_its_character_set(charset, codec, name):
    raw = oru(name, charset, codec)
    message = decode(raw)
    assert message.raw == raw
    assert message.get("PID-5.1").reveal() == name
    assert message.get("PID-5.2").reveal() == name
    assert message.get("PID-5.3").reveal() == "Q"
    assert [message.name(i) for i in range(3)] == [b"MSH", b"PID", b"PV1"]


def test_bytes_that_hide_separators_become_utf_8_and_the_view_says_so():
    # 0x5C and 0x7C are second bytes of BIG-5 characters: splitting first would cut names in half.
    raw = oru("功", "BIG-5", "big5", header="許")
    assert b"\\" in raw.split(b"PID")[1]
    message = decode(raw)
    assert message.header(18) == b"UNICODE UTF-8"
    assert message.charset == "utf-8"
    assert decode(b"\r".join(message.segments)).get("PID-5.1").reveal() == "功"


@pytest.mark.parametrize("charset", ["", "8859/1", "UNICODE UTF-8"])
def test_a_byte_order_mark_wins_over_msh_18(charset):
    message = decode(b"\xef\xbb\xbf" + oru("Müller", charset, "utf-8"))
    assert message.segments[0].startswith(b"MSH")
    assert message.get("PID-5.1").reveal() == "Müller"
    assert message.header(18) == b"UNICODE UTF-8"


@pytest.mark.parametrize(("codec", "expected"), [("utf-8", "utf-8"), ("latin-1", "iso8859-1")])
@pytest.mark.parametrize("charset", ["", "ASCII"])
def test_undeclared_bytes_are_read_as_utf_8_or_latin_1(charset, codec, expected):
    message = decode(oru("5 µg", charset, codec))
    assert message.charset == expected
    assert message.get("PID-5.1").reveal() == "5 µg"


@pytest.mark.parametrize(
    "charset", ["EBCDIC", "CNS 11643-1992", "8859/12", "8859/16", "8859/1~8859/2", "DOE", "UTF-7"]
)
def test_an_unknown_set_is_refused_even_where_the_bytes_look_harmless(charset):
    with pytest.raises(DecodeError) as refused:
        decode(oru("DOE", charset, "ascii"))
    assert refused.value.reason is Reason.CHARSET_UNSUPPORTED
    assert charset not in str(refused.value)


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("UNICODE UTF-8", b"M\xfcller"),
        ("UNICODE UTF-16", b"Muller"),
        ("BIG-5", b"\xff\xff"),
        ("GB 18030-2000", b"\xff\xff"),
        ("ISO IR87", b"\xe9"),
        ("8859/3", b"\xa5"),
        ("KS X 1001", b"\xff\xff"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(charset, name):
    raw = oru("NAME", charset, "ascii").replace(b"NAME", name)
    with pytest.raises(DecodeError) as refused:
        decode(raw)
    assert refused.value.reason is Reason.CHARSET_BROKEN
    assert "ller" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


def test_names_of_the_table_are_all_known():
    for name in [b"ASCII", *(b"8859/%d" % n for n in (*range(1, 12), 13, 14, 15)), b"ISO IR14", b"ISO IR87",
                 b"ISO IR159", b"GB 18030-2000", b"KS X 1001", b"BIG-5", b"UNICODE", b"UNICODE UTF-8",
                 b"UNICODE UTF-16", b"UNICODE UTF-32"]:  # fmt: skip
        charset_of(name, 126)
