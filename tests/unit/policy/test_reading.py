"""Places in TOML: every key knows its line, whatever stands between."""

import pytest

from oathward.core.errors import PolicyError
from oathward.policy.reading import Document, Section, near

TRICKY = '''# comment [not.a.table]
a = 1 # = [
text = """
[not.a.table]
key = "value"
"""
raw = \'\'\'
b = 2 [
\'\'\' # after
list = [ # one
  "x", # [[
  "y = 3",
  [1, 2],
]
table.dotted.key = 1
"quoted key" = { inner = "z" }
'single' = 2

[one]
a = 1

[one.two]
a = 1

[[rows]]
a = 1
[[rows]]
a = 2
[rows.sub]
b = "]"
[[rows.deep]]
c = 3
[[rows.deep]]
c = 4
[ spaced . "out" ]
d = 4
'''  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ((), 1), (("a",), 2), (("text",), 3), (("raw",), 7), (("list",), 10), (("table",), 15),
        (("table", "dotted", "key"), 15), (("quoted key",), 16), (("quoted key", "inner"), 16), (("single",), 17),
        (("one",), 19), (("one", "a"), 20), (("one", "two"), 22), (("one", "two", "a"), 23),
        (("rows", 0), 25), (("rows", 0, "a"), 26), (("rows", 1), 27), (("rows", 1, "a"), 28),
        (("rows", 1, "sub", "b"), 30), (("rows", 1, "deep", 0, "c"), 32), (("rows", 1, "deep", 1, "c"), 34),
        (("spaced", "out", "d"), 36), (("one", "missing"), 19), (("nowhere",), 1),
    ],
)  # fmt: skip
def test_a_key_knows_its_line(keys, line):
    assert Document("f.toml", TRICKY.encode()).at(keys) == f"f.toml:{line}"


def test_a_word_in_a_list_knows_its_line():
    document = Document("f.toml", TRICKY.encode())
    assert document.at(("list",), "x") == "f.toml:11"
    assert document.at(("list",), "y = 3") == "f.toml:12"
    assert document.at(("list",), "d") == "f.toml:10"


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"a = 1\nb =\n", "f:2"),
        (b"a = [1,\n", "f:2"),
        (b"a = 1\na = 2\n", "f:2"),
        (b"\xff", "f:1"),
        (b"a = 1\n\n\xff", "f:3"),
    ],
)
def test_what_is_not_toml_is_placed(content, where):
    with pytest.raises(PolicyError) as caught:
        Document("f", content)
    assert caught.value.where == where


def test_a_section_tells_all_and_gives_harmless_values():
    errors: list[PolicyError] = []
    document = Document(
        "f.toml", b'flag = 1\nlist = "x"\nnumber = true\nwhen = 2026-01-01\nrows = 3\ntable = []\nextra = 1\n'
    )
    section = Section(document, document.table, errors)
    assert section.flag("flag", default=False) is False
    assert section.words("list") == ()
    assert section.whole("number", 3) == 3
    assert section.moment("when") == 1_767_225_600_000_000
    assert section.moment("never") is None
    assert section.sections("rows") == []
    assert section.section("table") is None
    assert section.text("gone") == ""
    section.done()
    assert [e.where for e in errors] == [
        "f.toml:1",
        "f.toml:2",
        "f.toml:3",
        "f.toml:5",
        "f.toml:6",
        "f.toml:1",
        "f.toml:7",
    ]


def test_near_says_what_was_meant():
    assert near("purpos", ["purpose", "profile"]) == "did you mean `purpose`?"
    assert near("MTLS", ["mtls"]) == "did you mean `mtls`?"
    assert near("zzz", ["b", "a"]) == "known: a, b"
    assert near("zzz", []) == "there is none"
