"""One tree of provisions in R4's form and in R5's, and statements written as either: the same facts each time."""

from dataclasses import astuple, replace

import orjson
from hypothesis import given
from hypothesis import strategies as st
from tests.property.test_consent_provisions import ELEMENTS, consent, rules

from oathward.consent.fhir.reader import read
from oathward.consent.fhir.write import Head, write
from oathward.consent.model import Statement, statement
from oathward.core.errors import InputError
from oathward.core.labels import CLASSES, Purpose
from oathward.core.reasons import Reason

OTHER = {"permit": "deny", "deny": "permit"}
SCOPE = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
HEADS = {
    edition: Head("01a0", {"system": "urn:x", "value": "1"}, edition, 1_790_000_000_000_000)
    for edition in ("r4", "r5")
}


def said(statements) -> set:
    """The facts without their ids, what they except in one order."""
    return {
        replace(one.fact, id="", unless=tuple(sorted(one.fact.unless, key=in_order))) for one in statements
    }


def in_order(box) -> str:
    """Write a box the same however its sets were made: they print in the order in which they hold their words."""
    return repr([sorted(value) if isinstance(value, frozenset) else value for value in astuple(box)])


def reading(resource: dict):
    return read(resource, orjson.dumps(resource))


def written(statements, edition: str) -> list[dict] | None:
    """What is written; none where it is refused by its code, and for nothing else."""
    try:
        return write(statements, HEADS[edition])
    except InputError as error:
        if error.reason is not Reason.CONSENT_NOT_IN_FHIR or not error.where.startswith("statement "):
            raise
        return None


def alternating(rule: dict, type_: str) -> dict:
    """The same tree with the types that R5 gives by depth."""
    found = {name: value for name, value in rule.items() if name != "provision"} | {"type": type_}
    if "provision" in rule:
        found["provision"] = [alternating(one, OTHER[type_]) for one in rule["provision"]]
    return found


def in_r5(rule: dict) -> dict:
    """A provision of R4 as R5 writes it."""
    found = {name: value for name, value in rule.items() if name not in {"type", "class", "provision"}}
    if "class" in rule:
        found["resourceType"] = [{**one, "system": "http://hl7.org/fhir/fhir-types"} for one in rule["class"]]
    if "provision" in rule:
        found["provision"] = [in_r5(one) for one in rule["provision"]]
    return found


@given(rules(), st.none() | ELEMENTS["period"])
def test_r4_and_r5_of_one_tree_say_the_same(rule: dict, period: dict | None):
    nested = [alternating(one, OTHER[rule["type"]]) for one in rule.get("provision", [])]
    root = (
        {"type": rule["type"]}
        | ({"period": period} if period else {})
        | ({"provision": nested} if nested else {})
    )
    r5 = {
        "resourceType": "Consent",
        "status": "active",
        "category": [{"coding": [SCOPE]}],
        "decision": rule["type"],
    }
    r5 |= ({"period": period} if period else {}) | (
        {"provision": [in_r5(one) for one in nested]} if nested else {}
    )
    old, new = reading(consent(root)), reading(r5)
    assert said(old.statements) == said(new.statements)
    assert [r.code for r in old.remarks] == [r.code for r in new.remarks]


@given(rules(), st.sampled_from(["r4", "r5"]))
def test_what_was_read_is_written_so_that_it_reads_the_same(rule: dict, edition: str):
    """Or it is refused by its code: nothing is dropped."""
    found = reading(consent(rule)).statements
    made = written(found, edition)
    if made is None:
        return
    assert said(s for one in made for s in reading(one).statements) == said(found)
    assert made == write(found[::-1], HEADS[edition]), "the same whatever the order"


words = st.sampled_from(["*", "Organization/1", "urn:x|dr-bob", "registry"])
days = st.integers(0, 4_000_000_000_000_000)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    start, end = sorted(draw(st.lists(days, min_size=2, max_size=2, unique=True)))
    one = statement(
        permit=draw(st.booleans()),
        purposes=draw(st.sets(st.sampled_from([*map(str, Purpose), "*"]), min_size=1, max_size=4)),
        recipients=["*"],
        classes=draw(st.just(["*"]) | st.lists(st.sampled_from(sorted(CLASSES)), min_size=1, max_size=3) | st.just(["observation.*"])),
        start_us=draw(st.none() | st.just(start)),
        end_us=draw(st.none() | st.just(end)),
        source=draw(st.sampled_from(["", "portal"])),
    )  # fmt: skip
    return replace(one, fact=replace(one.fact, recipients=frozenset({draw(words)})))


@given(st.lists(statements(), min_size=1, max_size=4), st.sampled_from(["r4", "r5"]))
def test_statements_of_other_sources_too(some: list[Statement], edition: str):
    made = written(some, edition)
    if made is None:
        return
    everything = {"purposes", "classes"}
    plain = {
        replace(f, **{name: frozenset("*") for name in everything if "*" in getattr(f, name)})
        for f in said(some)
    }
    assert said(s for one in made for s in reading(one).statements) == plain
