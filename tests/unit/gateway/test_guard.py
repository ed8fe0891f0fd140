"""The guard: every disguise is caught, what is not a person's passes, and links for identity look for others."""

import base64
import gzip
import zlib

import pytest
from tests.unit.gateway import guarding
from tests.unit.gateway.disguises import ALL, BARE, NAMES, NOT_CAUGHT

from oathward.core.words import WordHasher
from oathward.gateway.guard import Guard
from oathward.gateway.guard import guard as guard_module
from oathward.gateway.guard import of_hl7v2 as hl7v2_tokens
from oathward.gateway.guard.original import of_hl7v2
from oathward.gateway.guard.tokens import Tokens
from oathward.gateway.guard.verdict import CLEAN, Counted, Stop
from oathward.patients.card import words_of_card
from oathward.protocols.hl7v2.escapes import escape
from oathward.protocols.hl7v2.reader import decode

KEY = b"k" * 32
HASHER = WordHasher(KEY)
HEADER, *PERSONS = guarding.HL7_ORIGINAL
OBSERVATIONS = [
    "PV1|1|I|ICU^2^A^HOSP",
    "OBR|1|||69837^MDC_DEV_METER_PHYSIO_MULTI_PARAM_MDS^MDC|||20260301115900+0000",
    "OBX|1|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.1.1.3|97|262688^MDC_DIM_PERCENT^MDC|90-100||||F|||20260301115930",
    "OBX|2|NM|149530^MDC_PULS_OXIM_PULS_RATE^MDC|1.1.1.4|61.5|264864^MDC_DIM_BEAT_PER_MIN^MDC|50-120||||F",
]


def message(*lines):
    return decode("".join(f"{line}\r" for line in lines).encode())


ORIGINAL = message(HEADER, *PERSONS, *OBSERVATIONS)
SAFE = [HEADER.replace("MSG77", "0ABCDEFGHIJ123456789"), "PID|1||PX55^^^OW||||1970|M", *OBSERVATIONS]


def check(text, *, guard=None, original=ORIGINAL, place="OBX|3|TX|1^NOTE^L||{}||||||F", **options):
    """Ask about a safe message with one more segment that holds the text."""
    outgoing = "".join(f"{line}\r" for line in [*SAFE, place.format(text)]).encode()
    options = {"carries_identity": False} | options
    return (guard or Guard(WordHasher(KEY))).check(of_hl7v2(original), outgoing, **options)


def test_a_safe_message_is_clean():
    assert check("all well") is CLEAN
    assert len(ALL) >= 40


@pytest.mark.parametrize("disguise", ALL)
def test_a_disguise_is_caught(disguise):
    verdict = check(ALL[disguise])
    assert isinstance(verdict, Stop)
    assert "segment 7" in verdict.where


@pytest.mark.parametrize("disguise", ALL)
def test_reverse_without_tokens_nothing_is_caught(disguise, monkeypatch):
    monkeypatch.setattr(hl7v2_tokens, "tokens_of", lambda _: Tokens())
    assert check(ALL[disguise]) is CLEAN


@pytest.mark.parametrize("disguise", ALL)
def test_a_disguise_is_caught_by_a_guard_that_has_seen_much(disguise):
    guard = WARM
    for _ in range(2):
        assert isinstance(check(ALL[disguise], guard=guard), Stop)
        assert check("all well", guard=guard) is CLEAN


WARM = Guard(WordHasher(KEY))


@pytest.mark.parametrize(
    "place", ["NTE|1||{}", "ZZ1|{}", "OBX|3|ED|1^X^L||^TEXT^^^{}", "PV1|1|I|{}", "DOE|{}", "{}"]
)
@pytest.mark.parametrize(
    "text", ["John Doe", "004711223", "1970-01-31", base64.b64encode(b"John Doe").decode()]
)
def test_the_place_does_not_matter(place, text):
    assert isinstance(check(text, place=place), Stop)


@pytest.mark.parametrize("disguise", ALL)
def test_a_verdict_names_no_value(disguise):
    verdict = check(ALL[disguise])
    for value in ("doe", "john", "4711223", "1970", "rosebud", "555"):
        assert value not in verdict.where.lower()


@pytest.mark.parametrize("text", NOT_CAUGHT.values(), ids=NOT_CAUGHT)
def test_what_is_said_not_to_be_caught_is_not(text):
    assert not isinstance(check(text), Stop)


# --- what must not stop


@pytest.mark.parametrize(
    "text",
    [
        "14711223",  # another number that ends the same
        "47112231",
        "4711 2234",
        "20260131",  # another date
        "31/01/1971",
        "1970",
        "13.01.70.5",
        "471122",
        "John slept. Later the nurse said that Doe would come.",
        "Doe",
        "1.2.840.113619",
        "Springwell 97477",
        "White^HL70005",
        "English",
        "97 98 99 47 11 22 30 12",
        "HOSP",
        "MDC_PRESS_BLD_ART_ABP_SYS",
        "5%",
        "AT&T; R&D",
        "C:\\temp\\x",
        "<5 and >3",
        "T=37.2",
        base64.b64encode(bytes(range(256))).decode(),
        base64.b64encode(b"nobody in particular").decode(),
    ],
)
def test_what_is_not_the_patient_does_not_stop(text):
    assert not isinstance(check(text), Stop)


def test_weak_tokens_count():
    verdict = check("Doe lives in Springwell 97477")
    assert isinstance(verdict, Counted)
    assert verdict.hits == {"PID-5": 1, "PID-11": 2}
    assert verdict.places == ("PID-11", "PID-5")


def test_a_short_row_of_numbers_is_no_identifier():
    original = message(HEADER, "PID|1||979899^^^HOSP^MR")
    assert check("96 97 98 99 97 95", original=original) is CLEAN
    assert isinstance(check("97 98 99", original=original), Stop)
    assert isinstance(check("id 979-899, stable", original=original), Stop)
    assert isinstance(check("979899", original=original), Stop)


def test_a_newborns_birth_date_does_not_stop_every_time_stamp():
    original = message(HEADER, "PID|1||77001122^^^HOSP^MR||DOE^BABY||20260301")
    assert not isinstance(check("20260301120000", original=original), Stop)
    assert isinstance(check("77001122", original=original), Stop)
    card = dict(words_of_card(original, original.segments[1], HASHER))
    assert not isinstance(check("x", original=message(HEADER), card_words=card), Stop)


@pytest.mark.parametrize("name", ["UNKNOWN^UNKNOWN", "DOE", "^", "XX^XX", "TEST^PATIENT", "BABY^BOY"])
def test_a_placeholder_is_no_name(name):
    original = message(HEADER, f"PID|1||000000^^^HOSP^MR||{name}")
    assert not isinstance(check("unknown unknown xx test patient baby boy 000000", original=original), Stop)


def test_a_short_name_needs_its_words_side_by_side():
    original = message(HEADER, "PID|1||||LI^NA")
    assert not isinstance(check("LI 5.1, K 4, NA 140", original=original), Stop)
    assert not isinstance(check("salina", original=original), Stop)
    assert isinstance(check("Na Li", original=original), Stop)


@pytest.mark.parametrize(
    "text",
    ["山田 太郎", "山田太郎", "太郎山田", "患者山田太郎様", base64.b64encode("山田太郎".encode()).decode()],
)
def test_names_without_spaces(text):
    original = message(HEADER, "PID|1||||山田^太郎")
    assert isinstance(check(text, original=original), Stop)


@pytest.mark.parametrize("text", ["Jürgen Müßig", "JUERGEN MUESSIG", "jurgen mussig", "Mussig, Jurgen"])
def test_names_with_umlauts_in_every_spelling(text):
    original = message(HEADER, "PID|1||||Müßig^Jürgen")
    assert isinstance(check(text, original=original), Stop)


def test_other_separators_and_character_sets_are_read():
    header = "MSH#$%*@#MON#ICU###20260301##ORU$R01#1#P#2.6######8859/1\r"
    original = decode((header + "PID#1##004711223$$$HOSP##Müller$Jörg#\r").encode("latin-1"))
    outgoing = (header + "NTE#1##seen: Jörg Müller\r").encode("latin-1")
    assert isinstance(Guard(HASHER).check(of_hl7v2(original), outgoing, carries_identity=False), Stop)
    outgoing = (header + "NTE#1##seen: J*XF6*rg M*XFC*ller\r").encode("latin-1")
    assert isinstance(Guard(HASHER).check(of_hl7v2(original), outgoing, carries_identity=False), Stop)


# --- hostile payloads


def test_a_bomb_is_stopped_within_bounds():
    bomb = base64.b64encode(zlib.compress(b"\0" * 200_000_000, 9)).decode()
    assert check(bomb) == Stop("unsearchable", "message")


def test_layers_without_end_are_stopped():
    text = "nothing here at all"
    for _ in range(9):
        text = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    assert check(text) == Stop("unsearchable", "message")


def test_a_packed_payload_is_opened():
    packed = gzip.compress(b"the note of John Doe", mtime=0)
    verdict = Guard(HASHER).check(of_hl7v2(ORIGINAL), packed, carries_identity=False)
    assert isinstance(verdict, Stop)
    assert verdict.where == "PID-5 in segment 1 through gzip"


@pytest.mark.parametrize(
    "outgoing",
    [b"", b"\r\r\r", b"\x00", b"\xff\xfe", b"MSH", b"MSH|", b"\x1f\x8b", b"PK\x03\x04", b"\\", b"%", b"&#;"],
)
def test_any_bytes_get_a_verdict(outgoing):
    assert Guard(HASHER).check(of_hl7v2(ORIGINAL), outgoing, carries_identity=False) is CLEAN


def test_an_id_of_ours_is_not_searched_but_one_of_the_senders_is():
    sent = HEADER.replace("MSG77", "40471122300ABCDEFGHI")
    original = message(sent, *PERSONS)
    for line in (sent, HEADER.replace("MSG77", BARE), HEADER.replace("MSG77", "00000000000004711223")):
        outgoing = f"{line}\rPID|1\r".encode()
        stopped = isinstance(Guard(HASHER).check(of_hl7v2(original), outgoing, carries_identity=False), Stop)
        assert stopped == ("ABC" not in line)


# --- the card


CARD = dict(words_of_card(ORIGINAL, ORIGINAL.segments[1], HASHER))
NO_PID = message(HEADER, "PID|1||55^^^HOSP", *OBSERVATIONS)


@pytest.mark.parametrize(
    "disguise",
    [name for name in NAMES if name not in {
        "spelled out", "hyphenated letters", "backwards", "backwards joined", "joined with more", "mother and alias"}],
)  # fmt: skip
def test_the_cards_name_is_caught_in_a_message_without_it(disguise):
    assert isinstance(check(NAMES[disguise], original=NO_PID, card_words=CARD), Stop)


@pytest.mark.parametrize(
    "text",
    ["004711223", "MRN 004711223", "123-45-6780", "123 45 6780", "5553141592", "(555) 314-1592", "ACC881234X", "19700131",
     "1970-01-31", "31/01/1970", "197001310830", base64.b64encode(b"004711223").decode(), b"004711223".hex()],
)  # fmt: skip
def test_the_cards_numbers_are_caught_in_a_message_without_them(text):
    verdict = check(text, original=NO_PID, card_words=CARD)
    assert isinstance(verdict, Stop)
    assert verdict.where.startswith("card in segment 7")
    assert check(text, original=NO_PID) is CLEAN  # reverse: without the card


def test_the_cards_single_words_count():
    verdict = check("Quentin of Springwell", original=NO_PID, card_words=CARD)
    assert isinstance(verdict, Counted)
    assert verdict.hits == {"card": 2}


def test_a_card_that_changes_is_looked_at_anew():
    guard = Guard(HASHER)
    assert check("John Doe", guard=guard, original=NO_PID) is CLEAN
    assert isinstance(check("John Doe", guard=guard, original=NO_PID, card_words=CARD), Stop)
    assert isinstance(check("John Doe", guard=guard, original=NO_PID, card_words=dict(CARD)), Stop)
    assert check("John Doe", guard=guard, original=NO_PID) is CLEAN


# --- links that keep some classes


def test_a_class_the_plan_keeps_does_not_stop_and_the_others_still_do():
    clear = frozenset({"patient.birth-date"})
    verdict = check("19700131", clear=clear, card_words=CARD)
    assert isinstance(verdict, Counted)
    assert verdict.hits == {"PID-7": 1}
    for text in ("1970-01-31", "31 Jan 1970"):
        assert not isinstance(check(text, clear=clear), Stop)
    for text in ("004711223", "John Doe", "Berta Vandermeulen", "5553141592"):
        assert isinstance(check(text, clear=clear), Stop)
    assert isinstance(check("19700131", original=NO_PID, card_words=CARD), Stop)
    assert not isinstance(check("19700131", original=NO_PID, card_words=CARD, clear=clear), Stop)
    relative = message(HEADER, "NK1|1|||||||||||||||19620305")
    assert isinstance(check("1962-03-05", original=relative, clear=clear), Stop)
    assert not isinstance(
        check("1962-03-05", original=relative, clear=frozenset({"relative.birth-date"})), Stop
    )


def test_links_of_one_message_do_not_mix_what_they_keep():
    guard = Guard(HASHER)
    for _ in range(2):
        assert isinstance(check("19700131", guard=guard), Stop)
        assert not isinstance(check("19700131", guard=guard, clear=frozenset({"patient.birth-date"})), Stop)


# --- links that carry identity


OTHERS = {HASHER.token("88200199"): "somebody else", HASHER.token("ab12345678"): "somebody else"}


def foreign(tokens):
    return OTHERS.keys() & set(tokens)


@pytest.mark.parametrize(
    "text",
    ["88200199", "chart 88200199 was open", "8820-0199", "88 200 199", "AB12345678", "ab-12345678",
     base64.b64encode(b"see 88200199").decode(), b"88200199".hex(), "\\X3838323030313939\\", "８８２００１９９"],
)  # fmt: skip
def test_another_patients_identifier_is_stopped_where_identity_may_pass(text):
    verdict = check(text, carries_identity=True, foreign=foreign)
    assert isinstance(verdict, Stop)
    assert verdict.kind == "other-patient"
    assert check(text, carries_identity=True) is CLEAN  # reverse: without the index


@pytest.mark.parametrize("text", ["John Doe", "004711223", "1970-01-31", "14711223"])
def test_the_patients_own_identity_may_pass_there(text):
    assert check(text, carries_identity=True, foreign=foreign) is CLEAN


def test_times_and_own_tokens_are_not_asked_about():
    asked = set()

    def ask(tokens):
        asked.update(tokens)
        return frozenset()

    check("20260301120000 004711223", carries_identity=True, foreign=ask, card_words=CARD)
    assert HASHER.token("20260301") not in asked
    assert HASHER.token("004711223") not in asked
    assert HASHER.token("150456") in asked


CANARIES = frozenset({HASHER.word("zyxwutonia"), HASHER.token("99000777001")})


@pytest.mark.parametrize("identity", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "Zyxwutonia",
        "mrs zyxwutonia x",
        "99000777001",
        "990-007-77001",
        base64.b64encode(b"of Zyxwutonia").decode(),
    ],
)
def test_a_canary_is_stopped_on_every_link(text, identity):
    guard = Guard(HASHER)
    assert check(text, guard=guard, carries_identity=identity) is CLEAN
    verdict = check(text, guard=guard, carries_identity=identity, canaries=CANARIES)
    assert isinstance(verdict, Stop)
    assert verdict.kind == "canary"


# --- memory


def test_forget_drops_every_value():
    guard = Guard(WordHasher(KEY))
    check("John", guard=guard, card_words=CARD)
    check("88200199", guard=guard, carries_identity=True, foreign=foreign)
    assert held_by(guard)
    guard.forget()
    assert not held_by(guard)


def held_by(guard):
    """List what a guard remembers that may hold values."""
    return [
        *guard._contexts,
        *(line for outlines, _ in guard._readers.values() for line in (*outlines._known, *outlines._lines)),
        *guard._hashes._tokens,
        *guard._hashes._days,
        *guard._hashes._words._memo,
    ]


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(guard_module, "CONTEXTS_MAX", 8)
    monkeypatch.setattr("oathward.gateway.guard.outlines.OUTLINES_MAX", 50)
    for name in ("LINES_MAX", "FRESH_MAX"):
        monkeypatch.setattr(f"oathward.gateway.guard.outlines.{name}", 50)
    for name in ("HASHES_MAX", "DAYS_MAX"):
        monkeypatch.setattr(f"oathward.gateway.guard.hashes.{name}", 50)
    monkeypatch.setattr("oathward.gateway.guard.context.OUTLINES_MAX", 20)
    guard = Guard(WordHasher(KEY))
    for n in range(400):
        for _ in range(4):  # as often as it takes to be worth remembering
            original = message(HEADER, f"PID|1||{n // 2 + 5_000_000}^^^HOSP")
            text = "x" * (n % 70) + f" {n:08} 2026010{n % 9}{n // 10:06}"
            check(text, guard=guard, original=original, card_words=CARD)
            outgoing = f'{{"x":"{text}","y":[{{"z":"{"a" * (n % 60)}"}}]}}'.encode()
            guard.check(of_hl7v2(original), outgoing, carries_identity=False, card_words=CARD)
    outlines, _ = guard._readers["utf-8", 92]
    assert len(guard._contexts) <= 8
    assert all(0 < len(context.quiet) <= 20 for context in guard._contexts.values())
    assert all(len(context.outlines) <= 20 for context in guard._contexts.values())
    assert len(outlines._known) + len(outlines._variants) <= 50
    assert 0 < len(outlines._lines) <= 50
    assert 0 < len(outlines._by_tokens) <= 50
    assert 0 < len(guard._hashes._tokens) <= 50
    assert 0 < len(guard._hashes._days) <= 50


def test_character_sets_that_come_by_turns_are_bounded():
    guard = Guard(WordHasher(KEY))
    for escape_character in "\\!$%/?@;":
        original = message(HEADER.replace("\\", escape_character), "PID|1||5000000^^^HOSP")
        assert check("all well", guard=guard, original=original) is CLEAN
    assert len(guard._readers) == guard_module.READERS_MAX


def test_a_digit_that_changes_is_seen_however_often_the_line_was_clean():
    guard = Guard(HASHER)
    for n in range(300):
        assert check(f"chart {n + 5_000_000:09}", guard=guard) is CLEAN
    assert isinstance(check("chart 004711223", guard=guard), Stop)
    clean = base64.b64encode(b"004711229").decode()
    assert check(clean, guard=guard) is CLEAN
    assert isinstance(check(base64.b64encode(b"004711223").decode(), guard=guard), Stop)


def test_escape_of_the_standard_does_not_matter():
    assert isinstance(check(escape("DOE^JOHN|004711223")), Stop)
