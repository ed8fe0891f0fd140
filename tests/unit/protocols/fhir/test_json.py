"""JSON that two readers could read differently is refused, with its reason; numbers keep their digits."""

import json
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir import json as reader
from oathward.protocols.fhir.json import NESTED_MAX, dumps, loads
from oathward.protocols.fhir.limits import LIMITS, Limits, effort
from oathward.protocols.fhir.message import Verbatim

SECRET = "Ödegård"


def refused(body, limits=LIMITS):
    with pytest.raises(DecodeError) as caught:
        loads(body, limits)
    assert SECRET not in f"{caught.value!s}{caught.value.where}{caught.value.why}"
    return caught.value.reason


def nested(depth):
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


BAD = {
    "nothing": (b"", Reason.MESSAGE_EMPTY),
    "blanks": (b" \r\n\t", Reason.MESSAGE_EMPTY),
    "many blanks": (b" " * 5000, Reason.MESSAGE_EMPTY),
    "XML": (b"<Patient xmlns='http://hl7.org/fhir'/>", Reason.FORMAT_UNSUPPORTED),
    "XML after blanks": (b"\n <?xml version='1.0'?><Patient/>", Reason.FORMAT_UNSUPPORTED),
    "billion laughs": (b'<!DOCTYPE x [<!ENTITY a "a">]><Patient/>', Reason.FORMAT_UNSUPPORTED),
    "an array": (b"[]", Reason.JSON_INVALID),
    "a text": (b'"a"', Reason.JSON_INVALID),
    "null": (b"null", Reason.JSON_INVALID),
    "cut off": (b'{"a":1', Reason.JSON_INVALID),
    "two objects": (b'{"a":1}{"a":1}', Reason.JSON_INVALID),
    "lines of objects": (b'{"a":1}\n{"a":1}\n', Reason.JSON_INVALID),
    "trailing comma": (b'{"a":1,}', Reason.JSON_INVALID),
    "comment": (b'{"a":1/* */}', Reason.JSON_INVALID),
    "single quotes": (b"{'a':1}", Reason.JSON_INVALID),
    "NaN": (b'{"a":NaN}', Reason.JSON_INVALID),
    "Infinity": (b'{"a":-Infinity}', Reason.JSON_INVALID),
    "leading zero": (b'{"a":01}', Reason.JSON_INVALID),
    "leading plus": (b'{"a":+1}', Reason.JSON_INVALID),
    "raw control character": (b'{"a":"\x00"}', Reason.JSON_INVALID),
    "raw line feed": (b'{"a":"\n"}', Reason.JSON_INVALID),
    "lone surrogate": (rb'{"a":"\ud800"}', Reason.JSON_INVALID),
    "lone low surrogate": (rb'{"a":"\udc00x"}', Reason.JSON_INVALID),
    "byte order mark": (b"\xef\xbb\xbf{}", Reason.CHARSET_UNSUPPORTED),
    "UTF-16": ('{"a":1}'.encode("utf-16"), Reason.CHARSET_UNSUPPORTED),
    "Latin-1": (('{"a":"' + SECRET + '"}').encode("latin-1"), Reason.CHARSET_BROKEN),
    "overlong UTF-8": (b'{"a":"\xc0\xaf"}', Reason.CHARSET_BROKEN),
    "surrogate in UTF-8": (b'{"a":"\xed\xa0\x80"}', Reason.CHARSET_BROKEN),
    "key twice": (b'{"a":1,"a":1}', Reason.DUPLICATE_KEY),
    "key twice, spaced": (b'{ "id" : "1", "id" : "2" }', Reason.DUPLICATE_KEY),
    "key twice, deep": (f'{{"a":[{{"{SECRET}":1,"{SECRET}":2}}]}}'.encode(), Reason.DUPLICATE_KEY),
    "key twice, escaped": (rb'{"a":1,"\u0061":2}', Reason.DUPLICATE_KEY),
    "NUL": (rb'{"a":"\u0000"}', Reason.VALUE_INVALID),
    "NUL in a key": (rb'{"\u0000":1}', Reason.VALUE_INVALID),
    "backspace": (rb'{"a":"\b"}', Reason.VALUE_INVALID),
    "vertical tab": (rb'{"a":"\u000B"}', Reason.VALUE_INVALID),
    "escape after a backslash": (rb'{"a":"\\\u001b"}', Reason.VALUE_INVALID),
    "huge number": (b'{"a":1e400}', Reason.NUMBER_UNBOUNDED),
    "huge exponent": (b'{"a":1e999999999999}', Reason.NUMBER_UNBOUNDED),
    "tiny number": (b'{"a":1e-400}', Reason.NUMBER_UNBOUNDED),
    "many digits": (b'{"a":' + b"9" * 65 + b"}", Reason.NUMBER_UNBOUNDED),
    "many decimals": (b'{"a":0.' + b"3" * 64 + b"}", Reason.NUMBER_UNBOUNDED),
    "a million digits": (b'{"a":' + b"9" * 1_000_000 + b"}", Reason.NUMBER_UNBOUNDED),
    "nested": (nested(NESTED_MAX + 1), Reason.LIMIT_EXCEEDED),
    "nested very much": (b'{"a":' * 200_000, Reason.LIMIT_EXCEEDED),
    "nested arrays": (b"[" * 200_000, Reason.LIMIT_EXCEEDED),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_json_is_refused_with_its_reason(name):
    body, reason = BAD[name]
    assert refused(body) is reason


def test_what_is_just_good_enough_is_read():
    assert loads(nested(NESTED_MAX - 1))
    assert loads(rb'{"a":"\\u0000 \\b","b":"\t\r\n\u20ac \ud83d\ude00"}')["a"] == r"\u0000 \b"
    assert loads(b' {"a" : [ ] }\r\n') == {"a": []}
    assert loads('{"a":"Ödegård"}'.encode()) == {"a": "Ödegård"}


@pytest.mark.parametrize(
    ("limits", "body"),
    [
        (Limits(message_bytes_max=10), b'{"a":"bcdef"}'),
        (Limits(uncounted_bytes_max=0, containers_max=3), b'{"a":[[],[]]}'),
        (Limits(uncounted_bytes_max=0, values_max=2), b'{"a":[1,2,3,4]}'),
        (Limits(number_chars_max=4), b'{"a":1.00000}'),
    ],
)
def test_each_limit_is_what_refuses(limits, body):
    assert refused(body, limits) in (Reason.LIMIT_EXCEEDED, Reason.NUMBER_UNBOUNDED)
    assert loads(body)


@pytest.mark.parametrize(
    "text",
    ["1.00", "1.0", "0.10", "-0", "-0.0", "1E5", "1e-7", "100", "12345678901234567890123", "98.6", "0.30000000000000004",
     "123456789012345678", "1234567890123456789", "18446744073709551616", "5e-324", "0.1234567890123456789"],
)  # fmt: skip
@pytest.mark.parametrize("blank", ["", " "])
def test_a_number_keeps_its_digits(text, blank):
    found = loads(f'{{"a":{blank}{text}}}'.encode())
    assert dumps(found) == f'{{"a":{text}}}'.encode()
    assert float(found["a"]) == float(text)


def test_only_a_number_that_changes_is_kept_as_text():
    found = loads(b'{"a":1.00,"b":1.5,"c":7}')
    assert found["a"].__class__ is Verbatim
    assert [found["b"].__class__, found["c"].__class__] == [float, int]


def test_what_cannot_be_written_is_an_error():
    with pytest.raises(TypeError):
        dumps({"a": object()})


def test_without_the_look_at_keys_the_last_one_would_win(monkeypatch):
    monkeypatch.setattr(reader, "_unrepeated", dict)
    assert loads(b'{"a":1,"a":2}') == {"a": 2}


def test_without_the_look_at_control_characters_they_would_pass(monkeypatch):
    monkeypatch.setattr(reader, "_CONTROL", re.compile(rb"(?!)"))
    assert loads(rb'{"a":"\u0000"}') == {"a": "\0"}


@given(st.text(alphabet='\\u0018bfn"', max_size=40))
def test_control_characters_are_found_where_a_pattern_of_the_whole_finds_them(text):
    body = text.encode()
    slow = re.search(rb"(?<!\\)(?:\\\\)*\\(?:u00(?:0[0-8bBcCeEfF]|1[0-9a-fA-F])|[bf])", body)
    assert reader._control(body) == (slow and slow.end())


def test_without_the_comparison_digits_would_be_lost(monkeypatch):
    monkeypatch.setattr(reader, "_exactly", lambda body, _: orjson.loads(body))
    assert dumps(loads(b'{"a":1.00}')) == b'{"a":1.0}'


BLANKS = st.text(alphabet=" \t\r\n", max_size=2)
WORDS = st.text(alphabet='a b\\u"', max_size=3).map(json.dumps)
NUMBERS = st.sampled_from(["1", "1.0", "1.00", "-0", "12", "1 ", "1e2"])


@st.composite
def spaced(draw, inner):
    """Objects as somebody might write them: blanks anywhere, keys that may stand twice."""
    one = st.tuples(BLANKS, WORDS, BLANKS, BLANKS, inner, BLANKS).map(
        lambda p: f"{p[0]}{p[1]}{p[2]}:{p[3]}{p[4]}{p[5]}"
    )
    return "{" + ",".join(draw(st.lists(one, min_size=1, max_size=3))) + "}"


@given(spaced(st.recursive(WORDS | NUMBERS, spaced, max_leaves=4)))
def test_what_is_read_quickly_is_what_is_read_exactly(text):
    def told(read):
        try:
            return dumps(read())
        except DecodeError as error:
            return error.reason

    body = text.encode()
    assert told(lambda: loads(body)) == told(lambda: reader._exactly(body, LIMITS))


def test_blanks_alone_send_nobody_the_long_way(monkeypatch):
    monkeypatch.setattr(reader, "_exactly", lambda _body, _limits: {})
    text = json.dumps('a \\ b" c')
    body = f'{{ "a b": [1.5, {{"c":\n\t{text}}}] }}'.encode()
    assert loads(body) == orjson.loads(body)


def test_without_the_count_of_tokens_a_key_could_stand_twice_among_blanks(monkeypatch):
    monkeypatch.setattr(reader, "_bare", lambda _: b"")
    assert loads(b'{ "id": "1", "id": "2" }') == {"id": "2"}


def test_effort_weighs_what_costs_more_than_its_bytes():
    flat, deep = b'{"a":"' + b"x" * 1000 + b'"}', b'{"a":[' + b"{}," * 332 + b"{}]}"
    assert effort(flat) < 1.1 * len(flat)
    assert effort(deep) > 5 * len(deep)
    many = orjson.dumps({"entry": [{"resource": {"resourceType": "Patient"}}] * 10})
    assert effort(many) > 9 * 2_048
