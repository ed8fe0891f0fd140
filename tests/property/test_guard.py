"""The guard for any payload: memory changes no verdict, planted values are seen, bytes of any kind are answered."""

import base64
import json
import zlib

from hypothesis import given
from hypothesis import strategies as st

from oathward.core.words import WordHasher
from oathward.gateway.guard import Guard
from oathward.gateway.guard.original import of_hl7v2
from oathward.gateway.guard.verdict import Stop
from oathward.patients.card import words_of_card
from oathward.protocols.hl7v2.escapes import escape
from oathward.protocols.hl7v2.reader import decode

HASHER = WordHasher(b"k" * 32)
HEADER = "MSH|^~\\&|M|I|E|H|20260301120000||ORU^R01|1|P|2.6||||||UNICODE UTF-8"
ORIGINAL = decode(
    f"{HEADER}\rPID|1||00471122^^^H^MR~903-22-771^^^S^SS||Fernandez^Lucia||19610412|F|||9 Elm Way||555 871 2236\r".encode()
)
CARD = dict(words_of_card(ORIGINAL, ORIGINAL.segments[1], HASHER))
STRONG = [
    "00471122",
    "471122",
    "903-22-771",
    "Fernandez, Lucia",
    "LUCIA FERNANDEZ",
    "1961-04-12",
    "12.04.1961",
    "5558712236",
    "9 Elm Way",
]

words = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0\x0b\x1c"), max_size=12)
pieces = st.sampled_from(
    [
        "fernandez",
        "lucia",
        "1961",
        "04",
        "12",
        "471",
        "122",
        "MDC_DIM",
        "97",
        "20260301",
        "\\T\\",
        "%41",
        "TWFu",
        "4d61",
        "&amp;",
        "<b>",
    ]
)
lines = st.lists(st.lists(words | pieces, max_size=6).map(" ".join) | words, max_size=6)


def payload(texts):
    return "".join(f"{line}\r" for line in [HEADER, *(f"NTE|1||{escape(t)}|F" for t in texts)]).encode()


WARM = Guard(HASHER)


@given(st.lists(lines, min_size=1, max_size=3))
def test_what_a_guard_remembers_changes_no_verdict(payloads):
    for texts in payloads:
        data = payload(texts)
        cold = Guard(HASHER).check(of_hl7v2(ORIGINAL), data, carries_identity=False, card_words=CARD)
        assert WARM.check(of_hl7v2(ORIGINAL), data, carries_identity=False, card_words=CARD) == cold
        # A digit changed: same outline, and still the same answer as from nothing.
        turned = data.translate(bytes.maketrans(b"47", b"58"))
        cold = Guard(HASHER).check(of_hl7v2(ORIGINAL), turned, carries_identity=False, card_words=CARD)
        assert WARM.check(of_hl7v2(ORIGINAL), turned, carries_identity=False, card_words=CARD) == cold


def upper(text):
    return text.upper()


def hexadecimal(text):
    return text.encode().hex()


def base_64(text):
    return base64.b64encode(text.encode()).decode()


def compressed(text):
    return base64.b64encode(zlib.compress(text.encode())).decode()


def percent(text):
    return "".join(f"%{byte:02x}" for byte in text.encode())


def utf_16(text):
    return base64.b64encode(text.encode("utf-16-le")).decode()


LAYERS = [upper, hexadecimal, base_64, compressed, percent, utf_16]


@given(
    st.sampled_from(STRONG),
    st.lists(st.sampled_from(LAYERS), max_size=3),
    st.lists(words, max_size=3),
    st.sampled_from([" ", ", ", ": ", "|", "^", "~"]),
)
def test_a_planted_value_is_seen_through_any_layers(value, layers, around, separator):
    if upper in layers[1:]:
        return  # capitals of an encoding are another text
    for layer in layers:
        value = layer(value)
    text = separator.join([*around, value, *around])
    data = "".join(f"{line}\r" for line in [HEADER, f"NTE|1||{text}|F"]).encode()
    assert isinstance(Guard(HASHER).check(of_hl7v2(ORIGINAL), data, carries_identity=False), Stop)


def as_value(text):
    return f'"x":{json.dumps(text)}'


def as_escapes(text):
    return '"note":[{"text":"' + "".join(f"\\u{ord(c):04x}" for c in text) + '"}]'


def as_member(text):
    return f"{json.dumps(text)}:1"


def as_extension(text):
    return f'"extension":[{{"url":"u","extension":[{{"url":"v","valueString":{json.dumps(text, ensure_ascii=False)}}}]}}]'


def as_json(text):
    return f'"x":{json.dumps(json.dumps({"a": [{"b": text}]}))}'


def as_entities(text):
    return f'"text":{{"div":"<div>{"".join(f"&#{ord(c)};" for c in text)}</div>"}}'


def as_first_of_two(text):
    return f'"x":{json.dumps(text)},"x":"y"'


@given(
    st.sampled_from(STRONG),
    st.lists(st.sampled_from(LAYERS), max_size=2),
    st.sampled_from([as_value, as_escapes, as_member, as_extension, as_json, as_entities, as_first_of_two]),
    st.lists(words.filter(lambda text: not text.isdigit()), max_size=2),
)
def test_a_planted_value_is_seen_in_json_through_any_layers(value, layers, way, around):
    if upper in layers[1:]:
        return  # capitals of an encoding are another text
    for layer in layers:
        value = layer(value)
    more = "".join(f',"y{n}":{json.dumps(text)}' for n, text in enumerate(around))
    data = f'{{"resourceType":"Observation","id":"0a1b2c3d4e5f6a7b8c9d-1",{way(value)}{more}}}'.encode()
    assert isinstance(Guard(HASHER).check(of_hl7v2(ORIGINAL), data, carries_identity=False), Stop)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10) | pieces,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | pieces, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.lists(json_values, min_size=1, max_size=3), st.booleans(), st.booleans())
def test_any_json_gets_a_verdict_and_memory_does_not_change_it(values, identity, ascii_only):
    known = {"carries_identity": identity, "card_words": CARD, "foreign": lambda _: frozenset()}
    for value in values:
        data = json.dumps({"x": value}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        cold = Guard(HASHER).check(of_hl7v2(ORIGINAL), data, **known)
        assert WARM.check(of_hl7v2(ORIGINAL), data, **known) == cold
        turned = data.translate(bytes.maketrans(b"47", b"58"))
        cold = Guard(HASHER).check(of_hl7v2(ORIGINAL), turned, **known)
        assert WARM.check(of_hl7v2(ORIGINAL), turned, **known) == cold


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_get_a_verdict_that_prints_no_value(data, identity):
    verdict = Guard(HASHER).check(
        of_hl7v2(ORIGINAL), data, carries_identity=identity, card_words=CARD, foreign=lambda _: frozenset()
    )
    assert "ernandez" not in repr(verdict)
    assert "471122" not in repr(verdict)
