"""What a guard remembers changes no verdict: whatever patients, links and payloads came before, in whatever order."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.gateway.disguises import ALL
from tests.unit.gateway.fhir_disguises import ALL as FRAGMENTS
from tests.unit.gateway.fhir_disguises import SAFE as SAFE_FRAGMENTS
from tests.unit.gateway.guarding import FHIR_ORIGINAL, UUID, fhir

from oathward.core.words import WordHasher
from oathward.gateway.guard import Guard
from oathward.gateway.guard import check as check_module
from oathward.gateway.guard.context import Context
from oathward.gateway.guard.original import of_hl7v2
from oathward.gateway.guard.verdict import CLEAN, Stop
from oathward.patients.card import words_of_card
from oathward.protocols.hl7v2.reader import decode

HASHER = WordHasher(b"k" * 32)
HEADER = "MSH|^~\\&|MON|ICU|EHR|HOSP|{at}||ORU^R01|MSG77|P|2.6||||||{charset}"
PERSONS = [
    (
        (
            "PID|1||004711223^^^HOSP^MR||DOE^JOHN^QUENTIN|ROSENQVIST^ADA|19700131|M|||12 Rosebud Lane^^Springwell^OR^97477||"
            "(555) 314-1592~^NET^X.400^john.doe77@example.org"
        ),
        "NK1|1|Vandermeulen^Berta|SPO||(555) 271-8281|||||||99-00-5512-7",
    ),
    ("PID|1||88200199^^^HOSP^MR||White^May||20260220|F|||4 Elm Street^^Hill^^AB12 3CD",),
    ("PID|1||4821^^^HOSP^MR~AB12345678^^^HOSP^PI||Müßig^Jürgen||19610412|M",),
    ("PID|1||55^^^HOSP^MR",),
]


def original(person, at, charset):
    text = "".join(f"{line}\r" for line in (HEADER.format(at=at, charset=charset), *person))
    return decode(text.encode("latin-1" if charset == "8859/1" else "utf-8"))


ORIGINALS = [
    (n, original(person, at, charset))
    for n, person in enumerate(PERSONS)
    for at in ("20260301120000", "20260415120000")
    for charset in ("UNICODE UTF-8", "8859/1")
]
BABY = {
    "resourceType": "Patient",
    "id": "88200199",
    "name": [{"family": "White", "given": ["May"]}],
    "birthDate": "2026-02-20",
}
SHORT = {
    "resourceType": "Patient",
    "identifier": [{"value": "4821"}],
    "name": [{"family": "Li", "given": ["Na"]}],
}


def measured(at, **more):
    return {"resourceType": "Observation", "id": "o1", "effectiveDateTime": at} | more


FHIR_ORIGINALS = [
    (who, fhir(resources))
    for at in ("2026-03-01T12:00:00Z", "2026-04-15T12:00:00Z")
    for who, resources in (
        (0, (*FHIR_ORIGINAL[:-1], measured(at))),
        (1, (BABY, measured(at, subject={"reference": "Patient/88200199"}))),
        (2, (SHORT, measured(at))),
        (0, (measured(at, subject={"reference": "Patient/pat-88x21z", "display": "John Doe"}),)),
        (
            3,
            (
                measured(
                    at,
                    subject={"reference": UUID},
                    performer=[{"identifier": {"value": "99887766"}, "type": "Patient"}],
                ),
            ),
        ),
        (3, (measured(at),)),
    )
]
CARDS = [
    dict(words_of_card(one, one.segments[1], HASHER))
    for one in (original(person, "20260301120000", "UNICODE UTF-8") for person in PERSONS)
]
OWNERS = {HASHER.token(text): n for text, n in
          {"004711223": 0, "4711223": 0, "88200199": 1, "ab12345678": 2, "99887766": 9}.items()}  # fmt: skip
CANARIES = frozenset({HASHER.word("zyxwutonia"), HASHER.token("99000777001")})
CLEAR = [frozenset(), frozenset({"patient.birth-date"}), frozenset({"patient.name", "patient.identifier"})]
LINKS = [(True, CLEAR[0]), *((False, clear) for clear in CLEAR)]

TEXTS = [
    *ALL.values(), "all well", "99887766", "9988-7766", "OTk4ODc3NjY=", "Zyxwutonia", "990-007-77001", "White", "Hill",
    "May be", "20260220", "2026-02-20", "AB12 3CD", "ab123cd", "4821", "97477", "1961-04-12", "Müßig, Jürgen", "mussig jurgen",
    "AB-123456 78", "\\X39393838373736360A\\", "1.2.3.4", "31 Jan 1970", "0x41 0x42", "\0",
]  # fmt: skip
PLACES = [
    "OBX|3|TX|1^NOTE^L||{}||||||F", "NTE|1||{}", "OBX|3|NM|{}^X^L|1|72", "OBX|3|NM|150456^MDC^MDC|{}|72|u",
    "OBX|3|NM|1^X^L|1|{}|u|||||F|||20260301115930", "PV1|1|I|{}", "{}|{}",
]  # fmt: skip
SAFE = [
    HEADER.format(at="20260301120000", charset="UNICODE UTF-8").replace("MSG77", "0ABCDEFGHIJ123456789"),
    "OBX|1|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.1.1.3|97|262688^MDC_DIM_PERCENT^MDC|90-100||||F|||20260301115930",
    "OBX|2|NM|149530^MDC_PULS_OXIM_PULS_RATE^MDC|1.1.1.4|61.5|264864^MDC_DIM_BEAT_PER_MIN^MDC|50-120||||F",
]
TURNED = str.maketrans("4719", "5820")  # another number, the same outline

lines = st.builds(
    lambda place, text, turned: place.replace("{}", text.translate(TURNED) if turned else text),
    st.sampled_from(PLACES),
    st.sampled_from(TEXTS),
    st.booleans(),
)
TIMES = ["20260301115931", "20260301120000", "20260220101500", "20261301115930", "20260301", "88200199115930", "99887766", "004711223"]  # fmt: skip
times = st.sampled_from(TIMES)


def stamped(more, time, other, count):
    """Write observations that differ from those of other payloads in their time only, as a monitor does."""
    many = [f"OBX|{n}|NM|150456^MDC^MDC|{n}|9{n}|u|||||F|||{time if n else other}" for n in range(count)]
    trailed = [f"{line}|{other}|x" for line in many[1:2]]
    return "".join(f"{x}\r" for x in [*SAFE, *more, *trailed, *many]).encode()


OUR_ID = "0a1b2c3d4e5f6a7b8c9d"
RESOURCE = (
    '{"resourceType":"Observation","id":"%s-%d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":'
    '"59408-5"}]},"subject":{"reference":"Patient/px55abq"},"effectiveDateTime":"%s","valueQuantity":{"value":9%d,'
    '"unit":"%%"}%s}'
)
MORE = [
    *FRAGMENTS.values(), *SAFE_FRAGMENTS.values(), '"x":"99887766"', '"x":99887766', '"x":"9988-7766"', '"x":"OTk4ODc3NjY="',
    '"note":[{"text":"Zyxwutonia"}]', '"x":"990-007-77001"', '"code":{"text":"White"}', '"x":"2026-02-20"', '"code":"4821"',
    '"value":"4821"', '"id":"4821"', '"family":"Li","given":["Na"]', '"family":"Li","a":{},"given":["Na"]', '"x":"Na Li"',
    '"x":"\\u0039\\u0039887766"', '"city":"White"', f'"x":"{UUID}"', f'"x":"{OUR_ID}"', f'"id":"{OUR_ID}-1"', '"x":{', '"x":\\',
]  # fmt: skip


def observed(fragments, time, count, ours, bundled):
    """Write one Observation or more, the first with more members."""
    many = [
        RESOURCE % (ours, n, time, n % 7, "".join(f",{one}" for one in (fragments if n == 0 else ())))
        for n in range(count)
    ]
    entries = ",".join(f'{{"resource":{one}}}' for one in many)
    text = f'{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}'
    return (text if bundled else many[0]).encode("utf-8", "surrogatepass")


json_lines = st.builds(
    lambda text, turned: text.translate(TURNED) if turned else text, st.sampled_from(MORE), st.booleans()
)
INSTANTS = [
    "2026-03-01T11:59:30.120Z",
    "2026-03-01T11:59:31+01:00",
    "2026-02-20",
    "1970-01-31",
    "2026-03-01T11:59:30.004711223Z",
]
json_payloads = st.builds(
    observed, st.lists(json_lines, max_size=3), st.sampled_from(INSTANTS), st.sampled_from([1, 5]),
    st.sampled_from([OUR_ID, "ffa1b2c3d4e5f6a7b8c0", "obs", "00471122347112230000"]), st.booleans(),
)  # fmt: skip
payloads = json_payloads | st.builds(
    stamped, st.lists(lines, max_size=3), times, times, st.sampled_from([0, 4])
)
steps = st.tuples(
    st.sampled_from([*((who, of_hl7v2(one)) for who, one in ORIGINALS), *FHIR_ORIGINALS]),
    st.lists(payloads, min_size=len(LINKS), max_size=len(LINKS)),  # each link's own
    st.permutations(LINKS),
    st.booleans(),  # with the card
    st.booleans(),  # with canaries
    st.sampled_from([None, 1, 2]),  # without a patients' index, or with one
    st.booleans(),  # everything forgotten before
)


def asking(me):
    return lambda tokens: {token for token in tokens if OWNERS.get(token, me) != me}


WARM = Guard(HASHER)


@given(st.lists(steps, min_size=1, max_size=4))
def test_a_warm_guard_says_what_a_new_one_says(history):
    for (who, message), payload, links, carded, canaried, index, forgotten in history:
        if forgotten:
            WARM.forget()
        known = {
            "card_words": CARDS[who] if carded else {},
            "canaries": CANARIES if canaried else frozenset(),
            "foreign": asking(who) if index else None,
        }
        one = WARM.message(message, **known)
        for (identity, clear), data in zip(links, payload, strict=True):
            link = {"carries_identity": identity, "clear": clear}
            cold = Guard(HASHER).check(message, data, **link, **known)
            assert WARM.link(one, data, **link) == cold  # with what the message's other links found out
            assert WARM.link(one, data, **link) == cold
            assert WARM.check(message, data, **link, **known) == cold


@given(st.sampled_from(FHIR_ORIGINALS), json_payloads, st.booleans(), st.booleans())
def test_a_quick_look_at_json_says_what_a_closer_one_says(whose, data, carded, identity):
    who, message = whose
    known = {"card_words": CARDS[who] if carded else {}, "canaries": CANARIES, "foreign": asking(who)}
    try:
        json.loads(data)
    except ValueError:
        return  # what is no JSON cannot be looked at closer
    quick = Guard(HASHER).check(message, data, carries_identity=identity, **known)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(check_module, "is_quiet", lambda *_: False)
        assert Guard(HASHER).check(message, data, carries_identity=identity, **known) == quick


@pytest.mark.parametrize(
    ("name", "text"), [("may_hold_number", "004711223"), ("is_lettered", "12rosebudlane")]
)
def test_reverse_a_short_cut_that_says_no_too_often_lets_values_pass(name, text, monkeypatch):
    _, message = ORIGINALS[0]
    data = "".join(f"{line}\r" for line in [*SAFE, f"OBX|3|ST|1^X^L||{text}"]).encode()
    assert isinstance(Guard(HASHER).check(of_hl7v2(message), data, carries_identity=False), Stop)
    monkeypatch.setattr(Context, name, lambda *_: False)
    assert Guard(HASHER).check(of_hl7v2(message), data, carries_identity=False) is CLEAN


def test_a_newborn_grows_older():
    """Born in the month before the message, the birth date only counts; later it stops, whatever was known."""
    guard, data = Guard(HASHER), "".join(f"{x}\r" for x in [*SAFE, "NTE|1||20260220"]).encode()
    newborn, later = (
        original(PERSONS[1], at, "UNICODE UTF-8") for at in ("20260301120000", "20260415120000")
    )
    for _ in range(2):
        assert not isinstance(guard.check(of_hl7v2(newborn), data, carries_identity=False), Stop)
        assert isinstance(guard.check(of_hl7v2(later), data, carries_identity=False), Stop)


def test_one_index_answer_serves_the_links_of_one_message_only():
    guard, asked = Guard(HASHER), []
    _, message = ORIGINALS[0]
    data = "".join(f"{x}\r" for x in [*SAFE, "NTE|1||chart 99887766"]).encode()

    def ask(tokens):
        asked.append(set(tokens))
        return frozenset()

    one = guard.message(of_hl7v2(message), foreign=ask)
    for identity in (True, False, True):
        assert guard.link(one, data, carries_identity=identity) is CLEAN
    assert len(asked) == 1
    assert guard.link(guard.message(of_hl7v2(message), foreign=ask), data, carries_identity=False) is CLEAN
    assert asked[1] < asked[0]
    assert isinstance(guard.check(of_hl7v2(message), data, carries_identity=True, foreign=asking(0)), Stop)


def test_a_token_that_is_nobodys_is_asked_about_once_a_message_and_for_each_message_anew():
    guard, asked = Guard(HASHER), []
    _, message = FHIR_ORIGINALS[0]
    hidden = '"x":"OTk4ODc3NjY="'  # 99887766 in base64
    first, second = (
        observed([hidden, f'"note":[{{"text":"{text}"}}]'], INSTANTS[0], 1, OUR_ID, bundled=False)
        for text in ("chart 99887766", "the chart 99887766")
    )
    token = HASHER.token("99887766")

    def ask(tokens):
        asked.append(set(tokens))
        return frozenset()

    for _ in range(2):
        asked.clear()
        one = guard.message(message, foreign=ask)
        for identity, data in ((True, first), (False, second), (True, second)):
            assert guard.link(one, data, carries_identity=identity) is CLEAN
        assert sum(token in tokens for tokens in asked) == 1
    somebodys = guard.message(message, foreign=asking(0))
    for identity in (True, False, True):  # one that is somebody's stops each time
        verdict = guard.link(somebodys, first, carries_identity=identity)
        assert isinstance(verdict, Stop)
        assert verdict.kind == "other-patient"
