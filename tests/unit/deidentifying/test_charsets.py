"""What was written is searched in the character set that holds in it, not as if all were UTF-8."""

import pytest

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.core.words import WordHasher
from oathward.deid.profile import builtin_profiles
from oathward.deid.text.model import Known
from oathward.deidentifying.format import Folder, Terms, formats
from oathward.deidentifying.residue import found_in, words_of

HASHER = WordHasher(bytes(32))
MESSAGE = "MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.6||||||{charset}\rPID|||7\rOBX|1|ST|X||{text}||||||F\r"
NAMES = [
    ("8859/1", "iso8859-1", "Müller Jörgen"),
    ("8859/2", "iso8859-2", "Łukasiewicz Grażyna"),
    ("8859/5", "iso8859-5", "Иванова Мария"),
    ("8859/7", "iso8859-7", "Παπαδοπούλου Ελένη"),
    ("KS X 1001", "euc_kr", "김희중 홍길동"),
    ("UNICODE UTF-8", "utf-8", "Łukasiewicz Grażyna"),
    ("", "utf-8", "Łukasiewicz Grażyna"),
    ("", "iso8859-1", "Müller Jörgen"),
]


def words(name):
    family, given = name.split()
    known = Known((("patient.name", "", family), ("patient.name", "", given)))
    return words_of(known, builtin_profiles()["research"], HASHER)


def found(kind, data, name):
    of = formats()[kind]
    return found_in(data, HASHER, words(name), of.texts(data) if of.texts else None)


@pytest.mark.parametrize(("charset", "codec", "name"), NAMES)
def test_a_name_is_found_in_a_message_of_every_character_set(charset, codec, name):
    data = MESSAGE.format(charset=charset, text=f"seen with {name} today").encode(codec)
    assert found("hl7v2", data, name) == {"patient.name": 1}
    assert found("hl7v2", data, "Nobody Whatsoever") == {}


def test_messages_of_several_character_sets_stand_in_one_file():
    data = b"".join(
        MESSAGE.format(charset=charset, text=name).encode(codec) for charset, codec, name in NAMES[1:4]
    )
    for _, _, name in NAMES[1:4]:
        assert found("hl7v2", data, name) == {"patient.name": 1}


@pytest.mark.parametrize(
    "text", ["Quixley \\X5A6F7261696461\\", "\\H\\Quixley\\N\\ Zoraida", "Quixley\\T\\Zoraida"]
)
def test_a_name_is_found_behind_escapes(text):
    assert found("hl7v2", MESSAGE.format(charset="", text=text).encode(), "Quixley Zoraida") == {
        "patient.name": 1
    }


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfeseen with M\xfcller J\xf6rgen",
        "MSH|Müller Jörgen".encode("latin-1"),
        "Müller Jörgen\rMSH|".encode(),
    ],
)
def test_of_what_is_no_message_the_bytes_are_searched(data):
    assert found("hl7v2", data, "Müller Jörgen") == {"patient.name": 1}


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_name_is_found_in_a_text_as_it_was_written(codec):
    assert found("text", "seen with Müller Jörgen today".encode(codec), "Müller Jörgen") == {
        "patient.name": 1
    }


def test_of_a_text_that_is_not_what_its_mark_says_the_bytes_are_searched():
    assert found("text", b"\xff\xfe Quixley Zoraida!", "Quixley Zoraida") == {"patient.name": 1}


def test_a_header_alone_is_no_message_but_what_was_left_of_one():
    read, terms = formats()["hl7v2"].read, Terms(builtin_profiles()["research"], Folder("files"))
    cut = b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5"
    plan = formats()["hl7v2"].compile(terms)
    with pytest.raises(OathwardError) as caught:
        read(cut, terms).units[0].shape(plan, None)
    assert caught.value.reason is Reason.MESSAGE_UNDECODABLE
    (unit,) = read(cut + b"\rEVN||2026", terms).units
    assert not unit.identifiers
