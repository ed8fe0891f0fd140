"""The facts read from a Consent against an evaluator that walks its provisions for one question at a time.

The evaluator is written from FHIR's text: a provision applies where each of its elements has a value that fits; what is
nested in it is an exception to it; a denial stands over permits. It knows nothing of boxes, and puts none together.
"""

import datetime as dt
from functools import cache
from itertools import product
from random import Random

import orjson
from hypothesis import given
from hypothesis import strategies as st

from oathward.consent.fhir.reader import read
from oathward.consent.query import Query, ask
from oathward.policy.consents import ANY

THO = "http://terminology.hl7.org/CodeSystem/"
REASON, ACT, LEVEL = f"{THO}v3-ActReason", f"{THO}v3-ActCode", f"{THO}v3-Confidentiality"
ABOVE = {"CLINTRCH": "HRESCH", "ETREAT": "TREAT", "BTG": "ETREAT", "HRESCH": "", "TREAT": "", "SUD": "SPI", "OPIOIDUD": "SUD",
         "HIV": "", "SPI": ""}  # fmt: skip
LEVELS = "ULMNRV"
YEARS = [2024, 2025, 2026, 2027]
CLASSES = {"Observation": "observation.value", "Patient": "patient.name"}
CODES = {"LN|8867-4": ("http://loinc.org", "8867-4"), "SCT|38341003": ("http://snomed.info/sct", "38341003")}
ACTORS = ["Organization/1", "urn:x|dr-bob"]


def at(year: int) -> int:
    return int(dt.datetime(year, 6, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000


# --- the evaluator


def applies(rule: dict, q: Query) -> bool:
    """Whether each element that a rule has fits the question."""
    return all(fits(rule, q) for name, fits in FITS.items() if rule.get(name))


def in_period(rule, q) -> bool:
    year = dt.datetime.fromtimestamp(q.at_us / 1_000_000, dt.UTC).year
    period = rule["period"]
    return int(period.get("start", "1")) <= year <= int(period.get("end", "9998"))


def of_actor(rule, q) -> bool:
    named = set()
    for actor in rule["actor"]:
        reference = actor["reference"]
        named.add(reference.get("reference"))
        if "identifier" in reference:
            named.add(reference["identifier"]["system"] + "|" + reference["identifier"]["value"])
    return bool(named & q.recipient)


def under(word: str, top: str) -> bool:
    return word == top or (bool(ABOVE.get(word)) and under(ABOVE[word], top))


def of_purpose(rule, q) -> bool:
    return any(under(q.purpose, one["code"]) for one in rule["purpose"])


def of_class(rule, q) -> bool:
    return any(CLASSES[one["code"]] == q.class_ for one in rule["class"])


def of_code(rule, q) -> bool:
    return any(
        CODES[code] == (c["system"], c["code"])
        for code in q.codes
        for one in rule["code"]
        for c in one["coding"]
    )


def labelled(rule, q) -> bool:
    """A high-water mark; a denial from it on. A permit of kinds is of nothing that is of other kinds."""
    marks = [LEVELS.index(one["code"]) for one in rule["securityLabel"] if one["system"] == LEVEL]
    kinds = [one["code"] for one in rule["securityLabel"] if one["system"] == ACT]
    if rule["type"] == "permit":
        high = not marks or LEVELS.index(q.confidentiality) <= max(marks)
        return high and (
            not kinds or (bool(q.sensitivity) and all(any(under(s, k) for k in kinds) for s in q.sensitivity))
        )
    low = bool(marks) and LEVELS.index(q.confidentiality) >= min(marks)
    return low or any(under(s, k) for s in q.sensitivity for k in kinds)


def of_action(rule, q) -> bool:
    named = {c["code"] for one in rule["action"] for c in one["coding"]}
    return bool(
        named
        & ({"access", "disclose"} if rule["type"] == "permit" else {"access", "disclose", "use", "collect"})
    )


FITS = {"period": in_period, "actor": of_actor, "purpose": of_purpose, "class": of_class, "code": of_code,
        "securityLabel": labelled, "action": of_action}  # fmt: skip


def effects(rule: dict, q: Query) -> set[str]:
    """What a rule and its exceptions say: its own word goes where an exception of the other type applies."""
    if not applies(rule, q):
        return set()
    said = set[str]()
    excepted = False
    for one in rule.get("provision", []):
        said |= effects(one, q)
        excepted |= one["type"] != rule["type"] and applies(one, q)
    return said if excepted else said | {rule["type"]}


def evaluate(consent: dict, q: Query) -> str:
    said = effects(consent["provision"], q)
    return "deny" if "deny" in said else "permit" if "permit" in said else "none"


# --- consents


def codings(system: str, words: list[str]):
    return st.lists(st.sampled_from(words), min_size=1, max_size=2, unique=True).map(
        lambda codes: [{"system": system, "code": code} for code in codes]
    )


def concepts(system: str, words: list[str]):
    return codings(system, words).map(lambda some: [{"coding": [one]} for one in some])


def actor(word: str) -> dict:
    role = {"coding": [{"system": f"{THO}v3-ParticipationType", "code": "IRCP"}]}
    system, bar, value = word.partition("|")
    return {
        "role": role,
        "reference": {"identifier": {"system": system, "value": value}} if bar else {"reference": word},
    }


periods = st.tuples(st.sampled_from([None, *YEARS]), st.sampled_from([None, *YEARS])).filter(
    lambda p: not (p[0] and p[1]) or p[0] <= p[1]
).map(lambda p: {k: str(y) for k, y in zip(("start", "end"), p, strict=True) if y})  # fmt: skip
ELEMENTS = {
    "period": periods,
    "actor": st.lists(st.sampled_from(ACTORS).map(actor), min_size=1, max_size=2),
    "purpose": codings(REASON, ["HRESCH", "TREAT", "ETREAT"]),
    "class": codings("http://hl7.org/fhir/resource-types", list(CLASSES)),
    "code": st.lists(st.sampled_from(list(CODES.values())), min_size=1, max_size=2, unique=True).map(
        lambda some: [{"coding": [{"system": system, "code": code}]} for system, code in some]
    ),
    "securityLabel": codings(LEVEL, ["N", "R"]) | codings(ACT, ["HIV", "SUD", "SPI"]),
    "action": concepts(f"{THO}consentaction", ["access", "disclose", "correct"]),
}


@st.composite
def rules(draw: st.DrawFn, depth: int = 0) -> dict:
    rule = {"type": draw(st.sampled_from(["permit", "deny"]))}
    for name in draw(st.lists(st.sampled_from(sorted(ELEMENTS)), max_size=2, unique=True)):
        rule[name] = draw(ELEMENTS[name])
    if depth < 3:
        nested = draw(st.lists(rules(depth + 1), max_size=2))
        if nested:
            rule["provision"] = nested
    return rule


def consent(rule: dict) -> dict:
    scope = {"coding": [{"system": f"{THO}consentscope", "code": "patient-privacy"}]}
    return {"resourceType": "Consent", "status": "active", "scope": scope, "provision": rule}


@cache
def questions(most: int) -> tuple[Query, ...]:
    """Every question of the small universe; ``most``: how many codes, kinds and names one thing has at most."""

    def some(words) -> list[frozenset[str]]:
        sets = [frozenset(), *(frozenset({w}) for w in words)]
        return sets if most == 1 else [*sets, frozenset(words)]

    return tuple(
        Query(purpose, recipient, at(year), class_, codes, level, kinds)
        for purpose, recipient, year, class_, codes, (level, kinds) in product(
            ["HRESCH", "TREAT", "BTG"],
            some(ACTORS)[1:],
            [2023, *YEARS[1:3], 2028],
            CLASSES.values(),
            some(CODES),
            [
                ("N", frozenset()),
                ("R", frozenset()),
                ("V", frozenset()),
                *(("N", k) for k in some(["HIV", "OPIOIDUD"])[1:]),
            ],
        )
    )


def meant(rule: dict, name: str) -> frozenset[str] | None:
    """The words of an element of which a thing may bear several; none: it has no such element."""
    if name not in rule:
        return None
    if name == "actor":
        named = [a["reference"] for a in rule[name]]
        return frozenset(r.get("reference") or r["identifier"]["value"] for r in named)
    if name == "code":
        return frozenset(c["code"] for one in rule[name] for c in one["coding"])
    kinds = {one["code"] for one in rule[name] if one["system"] == ACT}
    return (
        frozenset(k for k in ("HIV", "SUD", "OPIOIDUD", "SPI") if any(under(k, top) for top in kinds)) or None
    )


def exact(rule: dict, above: dict[str, frozenset[str]] | None = None) -> bool:
    """Whether what is nested names, of things that may bear several names, some of what is above it, or all and more.

    Else no one set of words says "one of these, and one of those", and a denial is read as of those alone.
    """
    so_far = dict(above or {})
    for name in ("actor", "code", "securityLabel"):
        own = meant(rule, name)
        if own is not None and name in so_far and not (own <= so_far[name] or own >= so_far[name]):
            return False
        if own is not None:
            so_far[name] = min(own, so_far.get(name, own), key=len)
    return all(exact(one, so_far) for one in rule.get("provision", []))


seeds = st.integers(0, 2**32 - 1)
"""Of which questions are asked: drawing each of them apart costs more than answering it."""


@given(rules(), seeds)
def test_the_facts_say_what_the_provisions_say(rule: dict, seed: int):
    """The same for every question; where no facts can say exactly that, a denial says more, and nothing is permitted."""
    resource = consent(rule)
    found = read(resource, orjson.dumps(resource))
    same = exact(rule)
    for q in Random(seed).sample(questions(1), 150):
        word, expected = ask(found.statements, q).word, evaluate(resource, q)
        assert word == expected or (not same and word == "deny"), q


@given(rules(), seeds)
def test_of_what_has_several_names_nothing_more_is_permitted(rule: dict, seed: int):
    """A thing of two codes, a recipient of two names: where no fact says exactly what the provisions say, it says less."""
    resource = consent(rule)
    found = read(resource, orjson.dumps(resource))
    for q in Random(seed).sample(questions(2), 150):
        expected, word = evaluate(resource, q), ask(found.statements, q).word
        assert word != "permit" or expected == "permit", q
        assert expected != "deny" or word == "deny", q


UNREAD = {
    "modifierExtension": [{"url": "urn:x"}],
    "data": [{"meaning": "instance", "reference": {"reference": "Observation/1"}}],
    "dataPeriod": {"start": "2020"},
    "purpose": [{"system": REASON, "code": "MARKETING"}],
    "class": [{"system": "urn:x", "code": "psychotherapy"}],
    "code": [{"text": "heart rate"}],
    "securityLabel": [{"system": ACT, "code": "NOREUSE"}],
    "actor": [{"role": {"text": "anyone"}, "reference": {"reference": "Organization/1"}}],
    "period": {"start": "last year"},
    "limit": [{"coding": []}],
}


@given(rules(), st.sampled_from(sorted(UNREAD)), st.data())
def test_what_cannot_be_read_never_permits_and_never_lifts(rule: dict, name: str, data: st.DataObject):
    """Whatever an unread condition may be: true, false, anything between. Each place in turn bears one."""
    place = rule
    while place.get("provision") and data.draw(st.booleans()):
        place = data.draw(st.sampled_from(place["provision"]))
    kept = place.pop(name, None)
    before = orjson.loads(orjson.dumps(consent(rule)))
    place[name] = UNREAD[name]
    resource = consent(rule)
    found = read(resource, orjson.dumps(resource))
    assert any(remark.code.endswith("-unread") for remark in found.remarks)
    never = orjson.loads(orjson.dumps(consent(rule)))
    for q in data.draw(st.permutations(questions(1)).map(lambda some: some[:40])):
        word = ask(found.statements, q).word
        always = evaluate(before, q)
        removed = evaluate(without(never, name), q)
        assert word != "permit" or {always, removed} == {"permit"}, (q, kept)
        assert "deny" not in (always, removed) or word == "deny", (q, kept)


def without(resource: dict, name: str) -> dict:
    """The same without the provision that bears what cannot be read: as if its condition were never met."""

    def walk(rule: dict) -> dict | None:
        if rule.get(name) == UNREAD[name]:
            return None
        nested = [one for one in map(walk, rule.get("provision", [])) if one is not None]
        return {**{k: v for k, v in rule.items() if k != "provision"}, "provision": nested}

    rule = walk(resource["provision"])
    return consent(rule if rule is not None else {"type": "permit", "period": {"start": "9000"}})


def test_reverse_a_reading_that_forgets_what_is_nested_is_caught():
    inner = {"type": "deny", "actor": [actor("Organization/1")]}
    resource = consent({"type": "permit", "provision": [inner]})
    found = read(resource, orjson.dumps(resource))
    forgetful = [s for s in found.statements if s.fact.permit]
    wrong = [q for q in questions(1) if ask(forgetful, q).word != evaluate(resource, q)]
    assert len(wrong) == len(questions(1)) // 2
    assert ANY in found.statements[0].fact.recipients
