"""Text with marks: words over several elements are one text; what is written is harmless, and of its format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.protocols import markup, rtf
from oathward.protocols.fhir.narrative import is_narrative
from oathward.protocols.shaping import Edit, Texts

SECRET = re.compile(r"Zephyr\s?Quarrel|ZQ7")


def edits(text: str, _context: Any) -> Sequence[Edit]:
    return [Edit(*found.span(), "[x]") for found in SECRET.finditer(text)]


TEXTS = Texts(edits)
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'


@pytest.mark.parametrize(
    ("inner", "left"),
    [
        ("<p>Zephyr Quarrel</p>", "<p>[x]</p>"),
        ("<p><b>Ze</b>phyr <i>Quarrel</i> &amp; co</p>", "<p><b>[x]</b><i></i> &amp; co</p>"),
        ("<p>&#90;ephyr\n     Quarrel</p>", "<p>[x]</p>"),
        ("<p>Zephyr</p><p>Quarrel</p>", None),
        (
            '<p title="ZQ7" id="ZQ7" class="ZQ7" style="color:red" align="left">a</p>',
            '<p title="[x]" align="left">a</p>',
        ),
        ('<a href="tel:ZQ7">a<!-- ZQ7 --></a><img src="#ZQ7" alt="ZQ7"/>', "<a>a</a>"),
        ('<td width="99999">a</td>', "<td>a</td>"),
        ("<pre>a\n  b</pre>a  b<br/>", "<pre>a\n  b</pre>a b<br/>"),
        ("&lt;script&gt; &quot;", '&lt;script&gt; "'),
    ],
)
def test_a_narrative(inner: str, left: str | None) -> None:
    made = markup.xhtml(DIV.format(inner), TEXTS, None)
    assert made == DIV.format(inner if left is None else left)
    assert is_narrative(made)


@given(
    st.lists(
        st.sampled_from(
            ["<p>", "</p>", "<b>", "</b>", "Zephyr", " ", "Quarrel", "ZQ7", "&amp;", "&#90;Q7", "<br/>"]
        )
    )
)
def test_a_narrative_stays_one_or_goes(parts: list[str]) -> None:
    made = markup.xhtml(DIV.format("".join(parts)), TEXTS, None)
    assert made is None or "ZQ7" not in re.sub("<[^>]*>", "", made)
    if made is not None and re.sub("<[^>]*>|\\s", "", made):
        assert is_narrative(made)


def test_html_as_it_is_written() -> None:
    given = (
        "<!DOCTYPE html><html onload=ZQ7><head><title>ZQ7</title><script>ZQ7</script><style>ZQ7{}</style><meta content=ZQ7>"
        "<body bgcolor=ZQ7><!-- ZQ7 --><P>Zephyr<BR>Quarrel</p><marquee>ok</marquee><svg>ZQ7</svg><a href=ZQ7>l</a>&nbsp;&#90;Q7<b>end"
    )
    made = markup.html(given, TEXTS, None)
    assert (
        made
        == "<html><head><title>[x]</title><body><p>[x]<br/></p>ok<a>l</a>\xa0[x]<b>end</b></body></head></html>"
    )


@given(st.text("<>&;#x\"'=/!- aZQ7script", max_size=80))
def test_html_of_any_kind_holds_no_secret_in_sight_and_nothing_that_runs(text: str) -> None:
    made = markup.html(text, TEXTS, None)
    assert made is None or "<script" not in made
    assert made is None or "ZQ7" not in re.sub("<[^>]*>", "", made)


def test_xml_keeps_its_elements() -> None:
    given = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><!-- ZQ7 --><?go ZQ7?><c:d xmlns:c="urn:hl7-org:v3"><id extension="99912345" root="ZQ7"/>'
        "<n><given use='Ann'>Ann</given> <Family>White</Family></n><v>Zephyr</v> <w>Quarrel</w><t>1970-01-02 99912345</t><![CDATA[ZQ7]]></c:d>"
    )
    made = markup.xml(given, TEXTS, None)
    assert made is not None
    assert "ZQ7" not in made
    assert '99912345"' not in made
    assert 'encoding="UTF-8"' in made
    assert '<c:d xmlns:c="urn:hl7-org:v3"><id></id><n><given></given> <Family></Family></n><v>' in made
    expat.ParserCreate().Parse(made.encode(), True)


@pytest.mark.parametrize(
    "text", ['<!DOCTYPE a [<!ENTITY b "ZQ7">]><a>&b;</a>', "<a><b></a>", "<a>" * 400, "no", "<a>\x01</a>"]
)
def test_what_is_no_xml_or_brings_entities_gives_nothing(text: str) -> None:
    assert markup.xml(text, TEXTS, None) is None


def test_rich_text_leaves_as_its_text() -> None:
    given = (
        r"{\rtf1\ansi\deff0{\fonttbl{\f0 ZQ7;}}{\info{\author ZQ7}}{\*\hidden ZQ7}\b Zephyr\b0  Quarrel\par "
        r"se\'f1al \u8364? \{x\} {\pict 0102}\tab end}"
    )
    made = rtf.cleaned(given, TEXTS, None)
    assert made is not None
    assert "ZQ7" not in made
    assert made.split("\n", 1)[1] == "[x]\\par\nse\\u241?al \\u8364? \\{x\\} \tend}"
    assert rtf.cleaned(made, Texts(lambda _text, _context: []), None) == made


@pytest.mark.parametrize(
    "text", ["no", r"{\rtf1 a}}", r"{\rtf1 \bin4 abcd}", "{\\rtf1 " + "{" * 300, "{\\rtf1 }" + "}"]
)
def test_what_is_no_rich_text_gives_nothing(text: str) -> None:
    assert rtf.cleaned(text, TEXTS, None) is None


@given(st.text("\\{}'0123456789abcdefu *\nZQ7rt", max_size=80))
def test_rich_text_of_any_kind_holds_no_secret(text: str) -> None:
    made = rtf.cleaned("{\\rtf1 " + text + "}", TEXTS, None)
    assert made is None or "ZQ7" not in made


@given(st.lists(st.text("Zephyr Quarl Q7", max_size=9)))
def test_pieces_together_say_what_the_whole_says(pieces: list[str]) -> None:
    made = TEXTS.pieces(pieces, None)
    assert made is not None
    assert len(made) == len(pieces)
    assert "".join(made) == TEXTS("".join(pieces), None)
