"""The guard's time: it grows with the size of what is searched, whatever that is made of."""

import pytest
from tests.cpu import cpu_s

from oathward.core.words import WordHasher
from oathward.gateway.guard import Guard
from oathward.gateway.guard.original import of_hl7v2
from oathward.gateway.guard.search import near
from oathward.gateway.guard.verdict import Stop
from oathward.protocols.hl7v2.reader import decode

HEAD = b"MSH|^~\\&|MON|ICU|E|H|20260301120000||ORU^R01|1|P|2.6\r"
PID = b"PID|1||12345678^^^H^MR||Rosenqvist^Adalbert||19700131|M\r"
ORIGINAL = decode(HEAD + PID)
UNITS = [
    b"0", b"7", b" ", b"a", b"0123", b"3a", b"a1", b"1 ", b"1-", b"1.", b"1/1/", b"12345678", b"1234567 8 ", b"QUJD",
    b"QUJDREVG\n", b"QUJDREVG%41", b"&#x41;", b"&#x", b"&a", b"%41", b"=41", b"0x41 ", b"41-", b"\\X41\\", b"\\.in+1\\",
    b"<a", b"\\", b"\xff", b"1\xc3\xa9", b"jan ", b"1 jan ", b"1 a", b"19700131", b"rosenqvist ", b"912345678 ",
]  # fmt: skip


def seconds(unit, size_bytes, *, identity=False):
    data = HEAD + b"OBX|1|TX|1^x^L||" + unit * (size_bytes // len(unit)) + b"\r"
    guard = Guard(WordHasher(b"k" * 32))
    original = of_hl7v2(ORIGINAL)
    return cpu_s(
        lambda: guard.check(original, data, carries_identity=identity, foreign=lambda _: frozenset())
    )


@pytest.mark.turns(2, "unit", "identity")  # each unit in one way
@pytest.mark.parametrize("identity", [False, True])
@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_twice_the_bytes_take_about_twice_the_time(unit, identity):
    once = min(seconds(unit, 20_000, identity=identity) for _ in range(2))
    twice = min(seconds(unit, 40_000, identity=identity) for _ in range(2))
    assert twice < 3 * once + 0.02, (once, twice)


@pytest.mark.turns(2, "unit")  # every second unit
@pytest.mark.parametrize(
    "unit", [b"0", b"7", b"0123", b"1-", b"QUJDREVG%41", b"\\X41\\", b"QUJDREVG\n", b"1 a"], ids=repr
)
def test_a_megabyte_is_answered_soon(unit):
    assert seconds(unit, 1_000_000, identity=True) < 5  # about 1 s where nothing else runs


def test_names_that_are_far_apart_are_told_at_once():
    words = [b"rosenqvist"] * 20_000 + [b"x"] * 9 + [b"adalbert"] * 20_000
    found = []
    took_s = cpu_s(lambda: found.append(near(iter([words]), {b"rosenqvist"}, {b"adalbert"}, 4)))
    assert not found[0]
    assert took_s < 1


def test_an_entity_of_thousands_of_digits_gets_a_verdict():
    data = HEAD + b"OBX|1|TX|1^x^L||&#" + b"1" * 5_000 + b";\r"
    verdict = Guard(WordHasher(b"k" * 32)).check(of_hl7v2(ORIGINAL), data, carries_identity=False)
    assert isinstance(verdict, Stop)
    assert verdict.kind == "unsearchable"


def test_more_persons_than_a_message_has_cannot_be_searched():
    many = b"".join(b"NK1|%d|Do%s^Jane\r" % (i, bytes([97 + i % 26, 97 + i // 26])) for i in range(300))
    verdict = Guard(WordHasher(b"k" * 32)).check(
        of_hl7v2(decode(HEAD + many + PID)), HEAD, carries_identity=False
    )
    assert verdict == Stop("unsearchable", "message")
    assert not isinstance(
        Guard(WordHasher(b"k" * 32)).check(of_hl7v2(ORIGINAL), HEAD, carries_identity=False), Stop
    )  # reverse


# --- JSON

TEXTS = [
    "a", "7", "0123 ", "12345678 ", "1234567 8 ", "QUJD", "QUJDREVG%41", "&#x41;", "<a", "19700131", "1970-01-31T08:30:00Z ",
    "rosenqvist ", "912345678 ", "6f1c2b44-9a77-4c1e-8d2e-3b5f0c9a7e11 ", "\\u0041", "\\n", "{", "[", '{\\"a\\":[', "http://x/%41/",
]  # fmt: skip
ITEMS = [
    "{}", '{"a":1}', "[]", "1", "19700131", '"rosenqvist"', '"x"', '{"a":{"b":"adalbert"}}', '"12345678"', '{"rosenqvist":1}',
    '"6f1c2b44-9a77-4c1e-8d2e-3b5f0c9a7e11"', '"{\\"a\\":1}"',
]  # fmt: skip
RESOURCE = '{"resourceType":"Observation","id":"0a1b2c3d4e5f6a7b8c9d-1",%s}'


def json_seconds(payload, *, identity):
    guard = Guard(WordHasher(b"k" * 32))
    original, data = of_hl7v2(ORIGINAL), payload.encode()
    return cpu_s(
        lambda: guard.check(original, data, carries_identity=identity, foreign=lambda _: frozenset())
    )


def in_text(unit, size_bytes):
    return RESOURCE % f'"note":"{unit * (size_bytes // len(unit))}"'


def in_array(unit, size_bytes):
    return RESOURCE % f'"x":[{",".join([unit] * (size_bytes // (len(unit) + 1)))}]'


def in_members(unit, size_bytes):
    many = (f'"m{n}":{unit}' for n in range(size_bytes // (len(unit) + 8)))
    return RESOURCE % ",".join(many)


@pytest.mark.turns(2, "unit", "identity")  # each unit in one way
@pytest.mark.parametrize("identity", [False, True])
@pytest.mark.parametrize(
    ("way", "unit"),
    [*((in_text, one) for one in TEXTS), *((way, one) for way in (in_array, in_members) for one in ITEMS)],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_twice_the_json_takes_about_twice_the_time(way, unit, identity):
    once = min(json_seconds(way(unit, 20_000), identity=identity) for _ in range(2))
    twice = min(json_seconds(way(unit, 40_000), identity=identity) for _ in range(2))
    assert twice < 3 * once + 0.02, (once, twice)


@pytest.mark.parametrize("way", [in_array, in_members, in_text])
def test_a_megabyte_of_json_is_answered_soon(way):
    assert (
        json_seconds(way('"12345678"' if way is not in_text else "12345678 ", 1_000_000), identity=True) < 5
    )


def test_json_as_deep_as_can_be_read_is_answered():
    for opens, closes in (("[", "]"), ('{"a":', "}")):
        for depth in (900, 5_000):
            payload = RESOURCE % ('"x":"\\n","y":' + opens * depth + "1" + closes * depth)
            assert json_seconds(payload, identity=False) < 2
