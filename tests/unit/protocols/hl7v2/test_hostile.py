"""Whoever writes a message must not choose how long we look at it, what we remember, or what we write down."""

import importlib
import pkgutil
import random
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from tests.cpu import cpu_s
from tests.shaped import PLANS, SEEDS

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.deid.plan import shape
from oathward.protocols import hl7v2
from oathward.protocols.hl7v2 import ack, catalogue, elements, reader, rewrite, shapes
from oathward.protocols.hl7v2.batch import FRAME_MESSAGES_MAX, split_batch
from oathward.protocols.hl7v2.catalogue import classes_present
from oathward.protocols.hl7v2.reader import LIMITS, Limits, Message, decode
from oathward.protocols.shaping import KEEP

LOADED = 5
"""How much slower a busy machine may be than the bounds say."""

SECONDS_PER_60_KB_MAX = 0.05 * LOADED
SECONDS_PER_MESSAGE_MAX = 0.3 * LOADED
HEAD = b"MSH|^~\\&|MON|ICU|E|H|20260301||ORU^R01|1|P|2.6\r"
LOINC = b"8867-4^HR^LN"


# --- time


def growing(build: Callable[[int], bytes], work: Callable[[bytes], object]) -> float:
    """Give the longest time for values up to about 60 kB; stop at the first that took too long.

    The steps are short where an exponential pattern starts to hurt, so that a red test ends.
    """
    longest = 0.0
    for n in (8, 12, 16, 18, 20, 22, 24, 26, 64, 512, 4_096, 60_000):
        value = build(n)[:60_000]
        took = cpu_s(lambda value=value: work(value))
        if took > SECONDS_PER_60_KB_MAX:
            took = min(took, cpu_s(lambda value=value: work(value)))
        longest = max(longest, took)
        if took > SECONDS_PER_60_KB_MAX:
            break
    return longest


def patterns() -> Iterator[re.Pattern[bytes]]:
    """Find every compiled pattern of the package: in modules, tables and what ``marks_of`` makes."""
    found: set[re.Pattern[bytes]] = set()

    def look(thing: object, depth: int = 0) -> None:
        owner = getattr(thing, "__self__", thing)
        if isinstance(owner, re.Pattern) and isinstance(owner.pattern, bytes):
            found.add(owner)
        elif depth < 4 and isinstance(thing, dict):
            for value in thing.values():
                look(value, depth + 1)
        elif depth < 4 and isinstance(thing, tuple | list):
            for value in thing:
                look(value, depth + 1)
        elif depth < 4 and getattr(thing, "__closure__", None):
            for cell in thing.__closure__:
                look(cell.cell_contents, depth + 1)

    for info in pkgutil.iter_modules(hl7v2.__path__, hl7v2.__name__ + "."):
        look(vars(importlib.import_module(info.name)))
    look(tuple(shapes.marks_of(shapes.USUAL)))
    yield from sorted(found, key=lambda pattern: pattern.pattern)


def adversaries(pattern: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give starts and pieces to repeat, from the words and signs of a pattern."""
    words = [b"", *dict.fromkeys(re.findall(rb"[A-Za-z]+_(?:[A-Za-z]+_)*|[A-Z]{2,}|[a-z]{3,}", pattern))]
    signs = [b" ", b"0", b"A", b"a", b"_", b".", b"-", b"~", b"^", b" ~", b"0~", b"0.", b"-0", b'""', b"\\X"]
    for start in words[:6]:
        for piece in (*words[1:8], *signs):
            yield start, piece


def test_every_pattern_takes_time_in_proportion_to_its_value():
    slow = []
    known = list(patterns())
    assert len(known) > 50
    for pattern in known:
        for start, piece in adversaries(pattern.pattern):
            took = growing(lambda n, s=start, p=piece: s + p * n + b"\x01", pattern.fullmatch)
            if took > SECONDS_PER_60_KB_MAX:
                slow.append((pattern.pattern[:60], start, piece))
    assert slow == []


@pytest.mark.turns(2, "pattern")  # the one that was found first
@pytest.mark.parametrize(
    ("pattern", "piece"), [(rb"(?: ?0? ?)(?:~(?: ?0? ?))*", b" ~"), (rb"[A-Z]*PATIENT[A-Z]*", b"PATIENT")]
)
def test_the_measure_finds_what_once_was_here(pattern: bytes, piece: bytes):
    work = re.compile(pattern).fullmatch
    assert growing(lambda n: piece * n + b"\x01", work) > SECONDS_PER_60_KB_MAX


@pytest.mark.parametrize("datatype", [b"NM", b"NA", b"MA", b"NR", b"SN"])
@pytest.mark.parametrize("piece", [b" ~", b" ^", b"^~", b"0~", b"0.^", b'""^', b"-~", b" 0 ^", b"^^^~"])
def test_a_value_of_spaces_and_separators_is_judged_at_once(datatype: bytes, piece: bytes):
    def work(value: bytes) -> None:
        classes_present(
            decode(HEAD + b"OBX|1|" + datatype + b"|" + LOINC + b"||" + value + b"\r", limits=WIDE)
        )

    assert growing(lambda n: piece * n + b"X", work) < SECONDS_PER_60_KB_MAX


@pytest.mark.parametrize("mark", [b".", b"-", b"+", b'"', b"<", b"=", b":", b"/"])
@pytest.mark.parametrize("datatype", [b"NA", b"SN"])
def test_a_separator_that_is_part_of_numbers_is_a_separator(mark: bytes, datatype: bytes):
    for repetition, component in ((b"~", mark), (mark, b"^")):
        head = HEAD.replace(b"|^~\\&|", b"|" + component + repetition + b"\\&|").replace(
            b"U^R", b"U" + component + b"R"
        )
        code = LOINC.replace(b"-", b"x").replace(b"^", component)
        obx = head + b"OBX|1|" + datatype + b"|" + code + b"||"
        for piece in (b"0" + mark, mark * 2 + b"0", mark):

            def work(value: bytes, obx: bytes = obx) -> None:
                classes_present(decode(obx + value + b"\r", limits=WIDE))

            assert growing(lambda n, p=piece: p * n + b"X", work) < SECONDS_PER_60_KB_MAX


WIDE = Limits(repetitions_per_field_max=10**9, parts_per_message_max=10**9)
"""Here the test is of the patterns alone."""

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MILLION = 1_000_000
LARGEST = {
    "repetitions": b"PV1|1|I|" + b"~".join([b"A^B"] * 250_000),
    "repetitions within the limit": b"\r".join(
        b"NK1|1|" + b"~".join([b"%c^B" % c] * 999) for c in b"ABCDEFGHIJ"
    ),
    "components": b"PID|1||" + b"1^" * 500_000,
    "components within the limit": b"\r".join(b"PID|1||" + b"%c^" % c * 1_900 for c in b"ABCDEFGHIJ"),
    "sub-components": b"PID|1||" + b"1&" * 500_000,
    "fields": b"\r".join([b"ZZZ|" + b"|".join([b"a"] * 4_000)] * 120),
    "fields within the limit": b"\r".join(
        b"ZZZ|" + b"|".join([b"%c" % c] * 990) for c in b"ABCDEFGHIJKLMNOPQRST"
    ),
    "segments": b"\r".join([b"OBX|1|NM|" + LOINC + b"||72|||||F"] * 27_000),
    "segments within the limit": b"\r".join(b"OBX|%d|NM|" % i + LOINC + b"||72|||||F" for i in range(1_900)),
    "samples": b"OBX|1|NM|" + LOINC + b"||" + b"~".join([b"1"] * 500_000),
    "array": b"OBX|1|NA|" + LOINC + b"||" + b"^".join([b"17"] * 330_000),
    "personal array": b"OBX|1|NA|45394-4^x^LN||" + b"^".join([b"17"] * 330_000),
    "coded": b"OBX|1|CWE|" + LOINC + b"||" + b"^a" * 500_000,
    "name": b"OBX|1|ST|1^MDC_ATTR_" + b"PATIENT" * 140_000 + b"0^MDC||x",
    "long segment name": b"Q" * MILLION,
}


TAKEN = {"samples", "array", "personal array", "name", "long segment name"}


@pytest.mark.parametrize("name", LARGEST)
def test_a_message_of_a_megabyte_is_judged_or_refused_at_once(name: str):
    raw = HEAD + LARGEST[name] + b"\r"

    def work() -> None:
        with suppress(DecodeError):
            found.append(decode(raw))
        if not found:
            return
        message = found[0]
        classes_present(message)
        shape(message, PLANS["safe-harbor"], SEEDS)

    found: list[Message] = []
    took = cpu_s(work)
    assert took < SECONDS_PER_MESSAGE_MAX
    assert bool(found) is (name in TAKEN or "within" in name)


def test_odd_separators_are_counted_before_they_are_rewritten():
    raw = HEAD.replace(b"^~\\&", b"^1\\&") + b"PID|1||" + b"a1" * 500_000 + b"\r"
    with pytest.raises(DecodeError) as refused:
        decode(raw)
    assert refused.value.reason is Reason.LIMIT_EXCEEDED


def test_a_waveform_is_no_hostile_message():
    """ECG of a minute, 500 samples a second: more samples than a message may have parts."""
    for datatype, mark in ((b"NA", b"^"), (b"MA", b"~")):
        obx = b"OBX|1|" + datatype + b"|131328^MDC_ECG_ELEC_POTL^MDC||" + mark.join([b"-12"] * 30_000)
        assert classes_present(decode(HEAD + obx + b"\r")) >= {"observation.value"}
        # Reverse: anywhere else so many are refused.
        with pytest.raises(DecodeError):
            decode(HEAD + obx.replace(datatype, b"CX", 1) + b"\r")


# --- memory


def big(i: int, parts: int) -> bytes:
    """Write a message whose PV1-3 has another shape for every ``i``: which repetitions have a second part."""
    chosen = random.Random(i).getrandbits(parts)
    return HEAD + b"PV1|1|I|" + b"~".join(b"A^B" if chosen >> k & 1 else b"A" for k in range(parts)) + b"\r"


def leaves_remembered() -> int:
    return sum(len(field.leaves) for _, fields in shapes._interned for field in fields)


@pytest.fixture
def fresh() -> Iterator[None]:
    shapes._forget()
    catalogue._present.clear()
    yield
    shapes._forget()


@pytest.mark.usefixtures("fresh")
def test_a_huge_segment_is_not_remembered(monkeypatch: pytest.MonkeyPatch):
    plan = rewrite.compile_rewriter(lambda _cls, _part: KEEP)
    for i in range(5):
        message = decode(big(i, 900))
        classes_present(message)
        plan(message, "OUT", None)
    assert leaves_remembered() < 100
    assert [len(plan._assemblies), len(catalogue._present)] == [0, 0]
    assert len(plan._steps) == 1  # MSH
    # Reverse: without the limit each stays.
    monkeypatch.setattr(shapes, "LEAVES_REMEMBERED_MAX", 10**9)
    for i in range(5):
        classes_present(decode(big(i, 900)))
    assert leaves_remembered() > 5_000


@pytest.mark.usefixtures("fresh")
def test_all_that_is_remembered_together_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shapes, "LEAVES_KNOWN_MAX", 3_000)
    plan = rewrite.compile_rewriter(lambda _cls, _part: KEEP)
    before = shapes.generation()
    for i in range(200):
        message = decode(big(i, 100))
        classes_present(message)
        plan(message, "OUT", None)
        assert leaves_remembered() <= 3_000 + shapes.LEAVES_REMEMBERED_MAX
    assert shapes.generation() > before
    assert len(plan._steps) < 30
    assert len(catalogue._present) < 30


@pytest.mark.usefixtures("fresh")
def test_sets_of_separators_are_bounded():
    marks = b"!$%'*+,-./:;<=>?@"
    for a in marks:
        for b in marks:
            if a != b:
                head = HEAD.replace(b"|^~\\&|", b"|^%c\\%c|" % (a, b))
                classes_present(decode(head + b"PID|1\r"))
    assert len(shapes._known) <= shapes.SEPARATORS_KNOWN_MAX + 1
    assert shapes._known[shapes.USUAL] is shapes._usual


def test_long_values_of_the_header_are_in_no_memory():
    caches = (elements.fields_of, reader._known_type, ack._pieces)
    sizes = [cache.cache_info().currsize for cache in caches]
    message = decode(
        HEAD.replace(b"ORU^R01", b"ORU^" + b"x" * 500).replace(b"MON", b"M" * 5_000) + b"QUETZAL|1\r"
    )
    classes_present(message)
    ack.acknowledge(message, "AA", now=NOW, control_id="1")
    assert [cache.cache_info().currsize for cache in caches] <= [sizes[0] + 2, *sizes[1:]]


# --- what is written down


@pytest.mark.parametrize(
    ("msh9", "expected"),
    [
        (b"ORU^R01^ORU_R01", ("ORU", "R01", "ORU_R01")),
        (b"ADT^A01", ("ADT", "A01", "")),
        (b"ACK", ("ACK", "", "")),
        (b"ACK^^ACK", ("ACK", "", "ACK")),
        (b"ACK^R40^ACK^more", ("ACK", "R40", "ACK")),
        (b"QBP^ZV1^QBP_Q11", ("QBP", "ZV1", "QBP_Q11")),
        (b"ORU^DOE_JANE_12345678^X", ("ORU", "", "")),
        (b"ORU^R01^DOE_JANE_12345678", ("ORU", "R01", "")),
        (b"ORU^r01^oru_r01", ("ORU", "", "")),
        (b"ORU^12345678^ORU_R01", ("ORU", "", "ORU_R01")),
        (b"ORU^R012", ("ORU", "", "")),
        (b"ORU^R01&DOE", ("ORU", "", "")),
    ],
)
def test_no_value_travels_as_a_message_type(msh9: bytes, expected: tuple[str, str, str]):
    message = decode(HEAD.replace(b"ORU^R01", msh9))
    assert (message.code, message.trigger, message.structure) == expected
    assert "DOE" not in repr(message)


@pytest.mark.parametrize("msh9", [b"DOE_JANE^R01", b"12345678^R01", b"JANEDOE", b"oru^R01", b"OR^R01"])
def test_a_value_in_place_of_the_message_code_is_no_message(msh9: bytes):
    with pytest.raises(DecodeError) as refused:
        decode(HEAD.replace(b"ORU^R01", msh9))
    assert (refused.value.reason, refused.value.where) == (Reason.HEADER_INCOMPLETE, "MSH-9")


@pytest.mark.parametrize("name", ["ZPD", "DOE", "D0E", "JANE", "pid", "Ä1", "12345678"])
def test_the_name_of_an_unlisted_segment_is_not_written_down(name: str):
    found = shapes.shapes(decode(HEAD + name.encode() + b"|a|b\r"))[1]
    assert (found.name, found.uncatalogued) == ("segment", ("segment-1", "segment-2"))
    listed = shapes.shapes(decode(HEAD + b"PV1" + b"|" * 90 + b"x\r"))[1]
    assert (listed.name, listed.uncatalogued) == ("PV1", ("PV1-90",))


# --- batches


def test_a_frame_of_many_messages_is_refused_before_it_is_cut():
    assert len(split_batch(HEAD * FRAME_MESSAGES_MAX, messages_max=FRAME_MESSAGES_MAX)) == FRAME_MESSAGES_MAX
    for raw in (HEAD * (FRAME_MESSAGES_MAX + 1), b"MSH\r" * 250_000, b"BHS\rBTS\r" * 100_000):

        def work(raw: bytes = raw) -> None:
            with pytest.raises(DecodeError) as refused:
                split_batch(raw, messages_max=FRAME_MESSAGES_MAX)
            assert refused.value.reason is Reason.LIMIT_EXCEEDED

        assert cpu_s(work) < SECONDS_PER_60_KB_MAX


def test_limits_are_those_that_were_measured():
    assert Limits(16_777_216, 2_000, 1_000, 20_000, 1_000, 20_000, 4_096, 200) == LIMITS
