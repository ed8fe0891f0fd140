"""What the structured part knows is found in a text however it is written: variants made at random, and what must stay."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.text import known as known_module
from oathward.deid.text.budget import Budget, Meter
from oathward.deid.text.find import find
from oathward.deid.text.known import find_known
from oathward.deid.text.known_names import NEAR_MAX, Names
from oathward.deid.text.known_parts import PARTED_MAX
from oathward.deid.text.model import Context, Known, Span
from oathward.deid.text.tokens import tokens
from oathward.protocols.shaping import REMOVE

GIVEN = (
    "Robert", "Alexander", "Christopher", "Mary", "Anne-Marie", "Jo", "Sumiko254", "José", "Zoë", "Will", "Grace", "Li",
    "François", "Catherine", "Dolores", "Wojciech", "Ana",
)  # fmt: skip
FAMILY = (
    "Smith", "Müller", "O'Brien", "de la Cruz", "van der Berg", "Larue605", "White", "Young", "Nguyen", "García Márquez",
    "Øster", "Łukasiewicz", "Featherstonehaugh", "Mac Donald", "Ng", "Saint-Just", "Yamamoto",
)  # fmt: skip
STREETS = (
    "633 Abernathy Landing",
    "12 North Quail Street",
    "4 Rue Verte Lane",
    "1800 Tamarack Boulevard Apt 4",
)
_MONTHS = "January February March April May June July August September October November December"
MONTHS = _MONTHS.split()
_MESES = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
MESES = _MESES.split()
BEFORE = ("Seen today: ", "pt ", "The note says ", "cc: ", "- ", "El paciente ", "Dr. ", "(", "for ", '"')
BEHIND = (
    " was told.",
    "",
    ", who agreed",
    ")",
    "'s wife came",
    "\nnext line",
    "; stable",
    " fue visto",
    ".",
    '"',
)

Made = tuple[Known, str]


def names(chance: random.Random) -> Made:
    """Make a name, and the same written otherwise."""
    given, family = chance.choice(GIVEN), chance.choice(FAMILY)
    middle = chance.choice([g for g in GIVEN if g != given])
    known = Known(
        (("patient.name", "", family), ("patient.name", "rest", given), ("patient.name", "rest", middle))
    )
    first = given[0]
    forms = [
        f"{given} {family}", f"{family}, {given}", f"{given} {middle[0]}. {family}", f"{first}. {family}", f"{family} {first}.",
        f"{family}", f"{given} {middle} {family}", f"{family} {given} {middle[0]}", f"{first}.{family}", f"{given}\n{family}",
    ]  # fmt: skip
    text = chance.choice(forms)
    ways: list[Callable[[str], str]] = [
        str, str.upper, bare, decomposed, hyphens, joined, split_line, spelled_out, lambda t: wrong(t, chance),
    ]  # fmt: skip
    return known, chance.choice(ways)(text)


def bare(text: str) -> str:
    """Leave out accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def decomposed(text: str) -> str:
    """Write accents as characters of their own."""
    return unicodedata.normalize("NFD", text)


def hyphens(text: str) -> str:
    """Write spaces for hyphens."""
    return text.replace("-", " ")


def joined(text: str) -> str:
    """Join particles with what they belong to."""
    return (
        text.replace("de la Cruz", "Delacruz").replace("van der Berg", "Vanderberg").replace("Mac D", "MacD")
    )


def split_line(text: str) -> str:
    """Break the longest word over two lines, as a fixed width does."""
    longest = max(text.split(), key=len)
    cut = len(longest) // 2
    return (
        text.replace(longest, f"{longest[:cut]}-\n{longest[cut:]}") if longest.isalpha() and cut > 2 else text
    )


def spelled_out(text: str) -> str:
    """Write umlauts as two letters."""
    return text.replace("ü", "ue").replace("Ø", "Oe")


def wrong(text: str, chance: random.Random) -> str:
    """Put one wrong letter into a word of five letters or more."""
    words = [w for w in text.split() if w.isalpha() and len(w) >= 5 and w not in ("White", "Young", "Grace")]
    if not words:
        return text
    word = chance.choice(words)
    at = chance.randrange(1, len(word) - 1)
    made = chance.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + "x" + word[at + 1 :],
        )
    )
    return text.replace(word, made)


def identifiers(chance: random.Random) -> Made:
    """Make an identifier, and the same with other separators."""
    digits = "".join(chance.choice("123456789") for _ in range(chance.randint(6, 12)))
    value = chance.choice((digits, f"00{digits}", f"MX{digits}", f"{digits[:3]}-{digits[3:]}"))
    cls = chance.choice(("patient.identifier", "patient.encounter", "device.identity"))
    plain = value.replace("-", "").lstrip("0")
    written = chance.choice(
        (
            value, plain, plain.lower(), f"00{plain}" if plain.isdigit() else plain, grouped(value, " "), grouped(plain, "-"),
            grouped(plain, "."), f"{plain[:4]}\n{plain[4:]}",
        )
    )  # fmt: skip
    return Known(((cls, "", value),)), written


def grouped(text: str, mark: str) -> str:
    """Write a number in groups of three."""
    text = text.replace("-", "")
    return mark.join(text[i : i + 3] for i in range(0, len(text), 3))


def phones(chance: random.Random) -> Made:
    """Make a telephone number, and the same as people write it."""
    a, b, c = (str(chance.randint(low, high)) for low, high in ((200, 999), (200, 999), (1000, 9999)))
    known = chance.choice((f"{a}-{b}-{c}", f"+1{a}{b}{c}", f"({a}){b}-{c}", f"1-{a}-{b}-{c}"))
    written = chance.choice(
        (
            f"{a}{b}{c}",
            f"({a}) {b}-{c}",
            f"{a}.{b}.{c}",
            f"+1 {a} {b} {c}",
            f"001{a}{b}{c}",
            f"1{a}{b}{c}",
            f"{b}-{c}",
        )
    )
    return Known((("patient.contact", "", known),)), written


def dates(chance: random.Random) -> Made:
    """Make a date of birth, and the same in all its forms."""
    y, m, d = chance.randint(1910, 2024), chance.randint(1, 12), chance.randint(1, 28)
    known = chance.choice((f"{y}{m:02}{d:02}", f"{y}-{m:02}-{d:02}", f"{y}{m:02}{d:02}101500"))
    short = y % 100
    written = chance.choice(
        (
            f"{y}-{m:02}-{d:02}", f"{y}{m:02}{d:02}", f"{m}/{d}/{y}", f"{m:02}/{d:02}/{short:02}", f"{d}.{m}.{y}", f"{d:02}-{m:02}-{y}",
            f"{d:02}/{m:02}/{short:02}", f"{MONTHS[m - 1]} {d}, {y}", f"{d} {MONTHS[m - 1][:3]} {y}", f"{d}th of {MONTHS[m - 1]} {y}",
            f"{MONTHS[m - 1][:3]}. {d}, {short:02}", f"{d} de {MESES[m - 1]} de {y}", f"{d}-{MONTHS[m - 1][:3].upper()}-{y}",
            f"{d:02}{m:02}{y}", f"{y}/{m:02}/{d:02}", f"DOB {m}/{d}", f"born on {MONTHS[m - 1]} {d}",
        )
    )  # fmt: skip
    return Known((("patient.birth-date", "", known),)), written


def addresses(chance: random.Random) -> Made:
    """Make a street, and the same in capitals and short."""
    street = chance.choice(STREETS)
    short = (
        street.replace("Street", "St.")
        .replace("North", "N")
        .replace("Boulevard", "Blvd")
        .replace("Lane", "Ln")
    )
    written = chance.choice(
        (street, street.upper(), short, short.upper(), street.replace(" Apt", ", Apt."), street.lower())
    )
    return Known((("patient.address", "street", street),)), written


MAKERS = (names, identifiers, phones, dates, addresses)
ALONE = frozenset(("dob", "born", "on", "of", "th", "de"))
"""What of a variant names nobody."""


def left(text: str, found: list[Span], start: int, end: int) -> str:
    """Give the letters and digits of a stretch that no span covers."""
    covered = {i for span in found for i in range(span.start, span.end)}
    rest = "".join(c if i not in covered else " " for i, c in enumerate(text[:end]) if i >= start)
    return " ".join(
        w for w in rest.split() if any(c.isalnum() for c in w) and w.strip(".,").lower() not in ALONE
    )


def cases(count: int, seed: int) -> Iterator[tuple[str, Known, str, int, int]]:
    """Make texts with one variant in each: (kind, known, text, start, end)."""
    chance = random.Random(seed)
    for i in range(count):
        make = MAKERS[i % len(MAKERS)]
        known, written = make(chance)
        before, behind = chance.choice(BEFORE), chance.choice(BEHIND)
        yield make.__name__, known, f"{before}{written}{behind}", len(before), len(before) + len(written)


@pytest.mark.parametrize("seed", [11, 23])
def test_variants_of_what_is_known_are_found(seed: int) -> None:
    count, missed = 3_000, []
    for kind, known, text, start, end in cases(count, seed):
        found = list(find_known(text, tokens(text), known))
        if left(text, found, start, end):
            missed.append((kind, text))
    print(f"seed {seed}: {count - len(missed)} of {count}", Counter(kind for kind, _ in missed), missed[:20])
    assert len(missed) <= 0.005 * count


KNOWN = Known(
    (
        ("patient.name", "", "White"),
        ("patient.name", "rest", "May"),
        ("staff.name", "", "Parker"),
        ("patient.birth-date", "", "19870412"),
        ("patient.identifier", "", "1987"),
        ("patient.identifier", "", "77"),
        ("patient.contact", "", "555-810-7203"),
        ("patient.address", "city", "Reading"),
        ("organisation.name", "", "General Hospital"),
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "May have pain; a white male of 77 kg, reading the dark chart.",
        "1987 was the year. The general ward of the hospital.",
        "Dose 4/12 mg, 87 kg, ratio 04:12. April was cold.",
        "Potassium 5.55, glucose 8107, sodium 1358107203555.",
        "The parked car was darker.",
    ],
)
def test_ordinary_words_and_numbers_stay(text: str) -> None:
    assert list(find_known(text, tokens(text), KNOWN)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Dr. May said", ["May"]),
        ("Ms White, May", ["White, May"]),
        ("MRN 1987 and MRN: 77", ["1987", "77"]),
        ("in Reading, born 12 April", ["Reading", "12 April"]),
        ("signed M.W. at General Hospital", ["M.W", "General Hospital"]),
    ],
)
def test_the_same_where_they_are_meant(text: str, found: list[str]) -> None:
    assert [text[s.start : s.end] for s in sorted(find_known(text, tokens(text), KNOWN))] == found


@pytest.mark.parametrize("text", ["quarrel2", "zquarrel77 wrote", "zephr quarel came", "ZEPHYR1"])
def test_names_with_figures_and_in_texts_written_small(text: str) -> None:
    known = Known((("patient.name", "", "Quarrel"), ("patient.name", "rest", "Zephyr")))
    spans = list(find_known(text, tokens(text), known))
    assert left(text, spans, 0, len(text)) in ("", "wrote", "came")


def test_the_strictest_class_is_told() -> None:
    known = Known(
        (("staff.name", "", "Quarrel"), ("patient.name", "", "Quarrel"), ("relative.name", "", "Zephyr"))
    )
    text = "Zephyr Quarrel"
    assert [s.cls for s in find_known(text, tokens(text), known)] == ["patient.name"]


def test_what_is_prepared_is_of_the_last_one_only() -> None:
    first, other = Known((("patient.name", "", "Quarrel"),)), Known((("patient.name", "", "Zephyr"),))
    text = "Quarrel Zephyr"
    for known, word in ((first, "Quarrel"), (other, "Zephyr"), (first, "Quarrel")):
        assert [text[s.start : s.end] for s in find_known(text, tokens(text), known)] == [word]


def test_a_message_full_of_names_is_prepared_within_bounds() -> None:
    chance = random.Random(9)
    made = ["".join(chance.choice("abcdefghijklmnop") for _ in range(20)) for _ in range(3 * NEAR_MAX)]
    names = Names(("patient.name", word) for word in made)
    assert sum(map(len, names._misspelt.values())) < 200_000
    assert names.exact((made[-1],)) == "patient.name"


def test_more_than_is_looked_for_is_no_text_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond the bound would read as nothing found; dates have none."""
    monkeypatch.setattr(known_module, "VALUES_MAX", 3)
    days = tuple(("patient.time", "", f"2019{month:02}01") for month in range(1, 10))
    names = tuple(("patient.name", "", f"Quarrel{letter * 3}") for letter in "abcd")
    text = "Quarrelddd, 2019-09-01"
    assert find_known(text, tokens(text), Known((*days, *names[1:])))
    with pytest.raises(DeidentificationError) as told:
        find_known(text, tokens(text), Known(names))
    assert told.value.reason is Reason.DEID_TEXT_TIMEOUT
    assert "Quarrel" not in str(told.value)


def test_work_grows_with_the_text_not_with_its_square() -> None:
    import sys

    known = Known(tuple(("patient.name", "", f"Name{'abcdefghij'[i % 10] * 3}{i}") for i in range(300)))

    def calls(text: str) -> int:
        count = 0

        def counting(_frame: object, event: str, _arg: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        words = tokens(text)
        list(find_known(text, words, known))
        sys.setprofile(counting)
        try:
            list(find_known(text, words, known))
        finally:
            sys.setprofile(None)
        return count

    for piece in ("a ", "Nam-", "a. ", "J.S.", "0-", "1 2 3 ", "de la ", "Nameaaax, ", "May 1 ", "12/"):
        sizes = [calls(piece * n) for n in (200, 400, 800)]
        assert all(big < 2.6 * small for small, big in pairwise(sizes)), piece


@pytest.mark.parametrize(("name", "text"), [("a" * 40, "a " * 500), ("ab" * 20, "ab " * 500)])
def test_joining_parts_of_words_is_counted(name: str, text: str) -> None:
    """A name that begins inside itself again is what joining costs most for."""
    known, words = Known((("patient.name", "", name),)), tokens(text)
    [whole] = find_known(text, words, known)
    assert (whole.start, whole.end) == (0, len(text) - 1)
    with pytest.raises(DeidentificationError) as told:
        find_known(text, words, known, Meter(text, Budget(steps_max=10 * len(words))))
    assert told.value.reason is Reason.DEID_TEXT_TIMEOUT
    assert find_known(text, words, known, Meter(text, Budget(steps_max=PARTED_MAX * len(words))))


@pytest.mark.parametrize(
    "text",
    ["seen \u202ezlerrauQ\u202c came", "seen \u202eQuarrelz\u202c came", "e\u0301 \u202ezlerrauQ\nslept"],
)
def test_a_name_that_is_shown_backwards_is_found(text: str) -> None:
    """Behind U+202E letters are shown from the right: whoever copies the text has the name."""
    known = Known((("patient.name", "", "Quarrelz"),))
    (span,) = find(text, Context(known, lambda _cls, _part: REMOVE, "en"))
    kept = text[: span.start] + text[span.end :]
    assert "Quarrelz" not in kept
    assert "zlerrauQ" not in kept
    assert {"seen", "came", "slept"} & set(kept.split())
