"""The tables of R4: small, read late, and saying what the standard says."""

import subprocess
import sys

import pytest

from oathward.protocols.fhir import nodes, primitives, rules, tables

LOADED = 10
"""How much slower a busy machine may be than the bound says."""


def test_they_are_small():
    sizes = [len(tables.text(name)) for name in ("elements.tsv", "codes.tsv", "compartment.tsv")]
    assert sum(sizes) < 400_000


def test_importing_the_reader_reads_no_table():
    script = (
        "from oathward.protocols.fhir import bundle, persons, reader, tables, nodes, outcome\n"
        "assert not tables._blocks.cache_info().currsize\n"
        "assert not nodes._data_nodes.cache_info().currsize\n"
        "assert not tables._value_sets.cache_info().currsize\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_first_resource_is_checked_soon():
    script = (
        "import time\n"
        "from oathward.protocols.fhir.check import check\n"
        "start = time.process_time()\n"
        "assert check({'resourceType': 'Observation', 'status': 'final', 'code': {'text': 'a'}}).issues == []\n"
        "print(time.process_time() - start)\n"
    )
    took = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert float(took) < 0.1 * LOADED


@pytest.mark.parametrize("kind", sorted(tables.resource_types() | tables.data_types()))
def test_every_type_of_every_element_is_known(kind):
    known = tables.data_types() | primitives.FORMS.keys() | {"Element", "BackboneElement", "Resource"}
    known |= {"SimpleQuantity", "MoneyQuantity"}
    for row in tables.elements_of(kind):
        assert row.count in set("?1*+0")
        for word in row.kinds:
            plain, _, targets = word.partition("(")
            assert plain in known or plain.startswith(f"#{kind}."), row
            assert set(targets.rstrip(")").split("|")) - {""} <= tables.resource_types()
        if row.codes:
            assert tables.systems_of(row.codes)


def test_value_sets_that_nobody_lists_are_few():
    bound = {
        row.codes
        for kind in tables.resource_types() | tables.data_types()
        for row in tables.elements_of(kind)
    }
    assert {name for name in bound - {""} if not tables.codes_of(name)} == {
        "LL379-9",  # of MolecularSequence, in LOINC
        "currencies",
        "mimetypes",
        "ucum-units",
    }


def test_who_a_resource_is_about():
    found = tables.compartment()
    assert found["Observation"] == tables.Subjects(frozenset({"subject"}), frozenset({"performer"}))
    assert found["Device"].main == found["RelatedPerson"].main == frozenset({"patient"})
    assert found["Coverage"].others == frozenset({"payor", "policyHolder", "subscriber"})
    assert found["Task"].main == frozenset({"for"})
    assert not {"Organization", "Practitioner", "Location", "Medication"} & found.keys()
    for kind, subjects in found.items():
        names = {row.path for row in tables.elements_of(kind)}
        assert subjects.main | subjects.others <= names, kind


def test_every_rule_stands_on_something_there_is():
    for place in rules.RULES:
        if place.endswith("Quantity") or place in tables.data_types():
            assert nodes.data_node(place).rules
        elif place.partition(".")[0] in tables.data_types():
            kind, _, path = place.partition(".")
            assert nodes.data_node(kind).fields[path].node.rules
        else:
            assert nodes.part_node(place).rules, place


def test_every_rule_has_a_name_of_its_own_and_says_what_it_asks():
    listed = [rule for each in rules.RULES.values() for rule in each]
    assert len({rule.name for rule in listed}) == len(listed) - listed.count(rules.RULES["Quantity"][0]) + 1
    assert all(rule.why and not rule.why.endswith(".") for rule in listed)


@pytest.mark.parametrize(
    ("place", "name"),
    [("Observation", "value"), ("Extension", "value"), ("Parameters.parameter", "value"), ("Condition", "abatement"),
     ("FamilyMemberHistory", "age"), ("FamilyMemberHistory", "born"), ("Goal.target", "detail"),
     ("MedicationAdministration.dosage", "rate")],
)  # fmt: skip
def test_a_choice_that_a_rule_asks_for_is_alone_with_its_beginning(place, name):
    node = nodes.data_node(place) if place in tables.data_types() else nodes.part_node(place)
    chosen = next(names for choice, names, _ in node.choices if choice == f"{name}[x]")
    assert {key for key in node.fields if key.startswith(name)} <= chosen


def test_a_type_that_there_is_not():
    assert nodes.resource_node("Observations") is None
    with pytest.raises(KeyError):
        nodes.data_node("Nothing")
    with pytest.raises(KeyError):
        tables.elements_of("Nothing")
