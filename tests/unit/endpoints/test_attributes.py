"""Promises of attributes: every source is kept, what stands first follows a published rule, ties stay conflicts, unknown stays unknown."""

import ast
from itertools import permutations
from pathlib import Path

import pytest
from tests.unit.endpoints.conftest import DAY, HOUR, SITE, A, B, T, says

from oathward import discovery
from oathward.core.db import write
from oathward.discovery.lists.attributes import ATTRIBUTES as LISTED
from oathward.endpoints import sql
from oathward.endpoints.attributes import ALSO, ATTRIBUTES, VALUES_MAX, show, shown_of
from oathward.endpoints.cpe import candidates
from oathward.endpoints.deriving import di_of
from oathward.endpoints.life import ENDS, end_of
from oathward.endpoints.makers import PREFIXES, maker_of, read_registry
from oathward.endpoints.model import AttributeRow, CatalogueRow
from oathward.endpoints.saying import CHOICES, SAID
from oathward.endpoints.types import TYPES, type_of


def row(value, source, confidence, last=T, first=None, attribute="model"):
    return AttributeRow(attribute, value, source, last if first is None else first, last, confidence)


CASES = {
    "the surer": ([row("A", "x", 0.9), row("B", "y", 0.3)], "A", set()),
    "two that agree outweigh one": (
        [row("A", "x", 0.6), row("A", "y", 0.6), row("B", "z", 0.7)],
        "A",
        {"A", "B"},
    ),
    "one family counts once": (
        [row("A", "zeek.a", 0.6), row("A", "zeek.b", 0.6), row("B", "z", 0.7)],
        "B",
        {"A", "B"},
    ),
    "of equals the newer, in conflict": ([row("A", "x", 0.8), row("B", "y", 0.8, T + 1)], "B", {"A", "B"}),
    "of one source the last": ([row("A", "x", 0.9), row("B", "x", 0.5, T + 1)], "B", set()),
    "stale counts half": ([row("A", "x", 0.8), row("B", "y", 0.6, T + 200 * DAY)], "B", {"A", "B"}),
    "spelling is no other value": (
        [row("Acme  X", "x", 0.5, T + 1), row("ACME x", "y", 0.5)],
        "Acme  X",
        set(),
    ),
    "a hint is no conflict": ([row("A", "cmms", 1.0), row("B", "card-prefix", 0.3)], "A", set()),
}


@pytest.mark.parametrize("case", CASES)
def test_what_stands_first(case):
    rows, first, against = CASES[case]
    for some in permutations(rows):
        marked = show(some)
        assert shown_of(marked) == {"model": first}
        assert {one.value for one in marked if one.conflict} == against
        assert len(marked) == len(rows), "nothing is left out"


def test_several_values_at_a_time_are_in_no_conflict():
    rows = [row("a", "x", 0.5, attribute="software"), row("b", "x", 0.5, T + DAY, attribute="software")]
    assert [(one.shown, one.conflict) for one in show(rows)] == [(True, False)] * 2


def test_unknown_is_what_no_source_says(inventory):
    inventory.take(says(T, mac="02:00:00:00:00:01"), says(T, mac=A, facts=[("os", "Debian 12", 0.5)]))
    assert [one.os for one in inventory.rows(unknown=frozenset({"os"}))] == [""]
    assert len(inventory.rows(unknown=frozenset({"make", "firmware"}))) == 2


def test_a_source_that_makes_up_values_fills_nothing(inventory):
    for n in range(3):
        inventory.take(
            *(says(T + n * HOUR + k, mac=A, facts=[("host", f"h{n}-{k}", 0.5)]) for k in range(40))
        )
    [one] = inventory.rows()
    said = [each for each in inventory.whole(one.id).attributes if each.attribute == "host"]
    assert len(said) == VALUES_MAX
    assert one.name == "h2-39"


def test_what_a_udi_leads_to_comes_from_the_catalogue(inventory):
    di = "00844588003288"
    with write(inventory.engine) as db:
        sql.put_catalogue(
            db, SITE, [CatalogueRow(di, "Beat", "B-7", "Acme Inc.", "Monitor", "MHX", "2", "MR unsafe")]
        )
    inventory.take(says(T, mac=B, facts=[("udi", f"(01){di}(21)77", 0.7)]))
    [one] = inventory.rows()
    shown = {each.attribute: each.value for each in inventory.whole(one.id).attributes if each.shown}
    wanted = {
        "udi-di": di,
        "make": "Acme Inc.",
        "model": "B-7",
        "gmdn": "Monitor",
        "fda-code": "MHX",
        "mri": "MR unsafe",
    }
    assert wanted.items() <= shown.items()


@pytest.mark.parametrize(
    ("udi", "di"),
    [
        ("(01)00844588003288(17)141120(21)12", "00844588003288"),
        ("0100844588003288", "00844588003288"),
        ("=/A9999XYZ100T0944=,000025", "A9999XYZ100T0944"),
        ("00844588003288", "00844588003288"),
        ("77", ""),
        ("", ""),
    ],
)
def test_the_device_identifier_of_a_udi(udi, di):
    assert di_of(udi) == di


def test_a_maker_by_its_prefix_is_a_hint_and_no_more(inventory):
    mac = "00:09:fb:12:34:56"
    inventory.take(says(T, mac=mac))
    [one] = inventory.rows()
    [hint] = [each for each in inventory.whole(one.id).attributes if each.attribute == "make"]
    assert (hint.value, hint.confidence) == ("Philips Patient Monitoring", 0.3)
    inventory.take(says(T + 1, mac=mac, facts=[("make", "Acme", 0.5)]))
    assert inventory.rows()[0].make == "Acme"
    assert maker_of("02:09:fb:12:34:56") == ""
    assert all(prefix == prefix.lower() and len(prefix) == 8 for prefix in PREFIXES)
    text = "OUI/MA-L\tOrganization\n00-11-22   (hex)\t\tAcme Medical\n001122     (base 16)\t\tAcme\n"
    assert read_registry(text) == {"00:11:22": "Acme Medical"}
    assert read_registry('Registry,Assignment,Organization Name\nMA-L,AABBCC,"Acme, Inc."\n') == {
        "aa:bb:cc": "Acme, Inc."
    }


@pytest.mark.parametrize(
    ("system", "ends"),
    [
        ("Windows 7", "2020-01-14"),
        ("Microsoft Windows XP Embedded", "2014-04-08"),
        ("Windows 10 IoT Enterprise LTSC 2021", "2032-01-13"),
        ("Windows 10 Pro", "2025-10-14"),
        ("Debian GNU/Linux 10", "2024-06-30"),
        ("Windows 75", ""),
        ("VxWorks 6.9", ""),
        ("", ""),
    ],
)
def test_the_end_of_a_system_is_published_or_unknown(system, ends):
    found = end_of(system)
    assert (found.ends if found is not None else "") == ends


def test_the_tables_are_sound():
    assert all(len(one.ends) == 10 and one.source for one in ENDS)
    for word, one in TYPES.items():
        assert type_of(word) == word
        assert type_of(one.words.upper()) == word
        assert len(one.code) in {0, 3}, word
        assert one.device_class in {"", "1", "2", "3"}, word
        assert not one.code or one.device_class
    groups = {one.group for one in ATTRIBUTES.values()}
    assert groups == {"identity", "software", "network", "care", "place", "upkeep"}


def test_cpe_candidates_are_candidates():
    found = candidates("Acme Medical Systems, Inc.", "Acme Pump 3000", "1.2 b")
    assert found[0].name == "cpe:2.3:o:acme_medical_systems:pump_3000_firmware:1.2_b:*:*:*:*:*:*:*"
    assert all(one.confidence < 0.7 and one.name.count(":") == 12 for one in found)
    assert candidates("", "Pump") == candidates("Acme", "") == []
    odd = candidates("A:c*me", "x?y")
    assert all(":" not in one.name.removeprefix("cpe:2.3:").split(":")[1] for one in odd)


def test_values_by_turns_show_the_last_however_soon_it_is_said_again(inventory):
    for n, value in enumerate(("1.0", "2.0", "1.0")):
        inventory.take(says(T + n * HOUR, mac=A, facts=[("firmware", value, 0.8)]))
    assert [one.firmware for one in inventory.rows()] == ["1.0"]
    inventory.take(says(T + 3 * HOUR, mac=A, facts=[("model", "M", 0.8)]))
    inventory.take(says(T + 30 * HOUR, mac=A, facts=[("model", "M", 0.8)]))
    [model] = [one for one in inventory.whole(inventory.rows()[0].id).attributes if one.attribute == "model"]
    assert (model.first_us, model.last_us) == (T + 3 * HOUR, T + 30 * HOUR)


def said_in(folder):
    """Find the attributes that observers name: the first argument of each ``Fact``, and values of tables that are read as such."""
    names = set()
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Fact" and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    names.add(first.value)
    return names


def test_what_observers_and_lists_say_is_an_attribute_here():
    """What is none is dropped in silence."""
    said = said_in(Path(discovery.__file__).parent) | {name for name, one in LISTED.items() if one.fact}
    assert len(said) > 40
    unknown = said - {*ATTRIBUTES, *ALSO}
    assert unknown <= {
        "account",
        "behind",
        "eui64",
        "last-heard",
        "mac",
        "address",
        "certificate",
        "lease",
    }, unknown


def test_what_people_may_say_is_an_attribute_here():
    assert set(SAID) <= set(ATTRIBUTES)
    assert set(CHOICES) <= set(SAID)


def test_a_vlans_number_and_an_ssid_are_no_conflict():
    said = [
        row("20", "zeek.dhcp", 0.9, attribute="segment"),
        row("ward-wlan", "radius", 0.9, T + HOUR, attribute="segment"),
    ]
    assert [one.conflict for one in show(said)] == [False, False]
    assert shown_of(show(said)) == {"segment": "ward-wlan"}
    assert all(one.conflict for one in show([one._replace(attribute="model") for one in said]))
