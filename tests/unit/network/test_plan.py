"""Promises about the plan: the most specific network wins, mistakes name their place, what no plan names is unplanned or external."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import InputError
from oathward.network.model import EXTERNAL, UNPLANNED, PlanRow
from oathward.network.plan import CELL_LENGTH_MAX, COLUMNS, Plan, is_own, parse

CSV = b"""network,realm,segment,zone,unit,location
10.0.0.0/8,north,,enterprise,,
10.1.0.0/16,north,vlan-10,clinical,ICU,Tower 2
10.1.2.3/32,north,vlan-11,clinical,ICU,Bed 4
10.1.0.0/16,south,,research,,
2001:db8::/32,north,,clinical,,
203.0.113.0/24,,dmz,enterprise,,
"""


def test_the_most_specific_network_of_a_realm_wins():
    checked = parse(CSV, "plan.csv", "north")
    assert checked.mistakes == ()
    plan = Plan(checked.rows)
    assert plan.place("north", "10.1.2.3").location == "Bed 4"
    assert plan.place("north", "10.1.2.4")[:4] == ("clinical", "vlan-10", "ICU", "Tower 2")
    assert plan.place("north", "10.9.0.1").zone == "enterprise"
    assert plan.place("south", "10.1.2.3").zone == "research"
    assert plan.place("north", "2001:db8:1::5").zone == "clinical"
    assert plan.place("north", "203.0.113.9").segment == "dmz"
    assert plan.place("north", "::ffff:10.1.2.4").segment == "vlan-10"


def test_what_no_plan_names_is_unplanned_or_external():
    plan = Plan()
    for own in (
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "169.254.1.1",
        "100.64.0.9",
        "fd00::1",
        "fe80::1",
        "224.0.0.251",
    ):
        assert plan.place("north", own).zone == UNPLANNED, own
    for public in ("8.8.8.8", "2606:4700::1", "172.32.0.1"):
        assert plan.place("north", public).zone == EXTERNAL, public
        assert not is_own(public)
    assert plan.place("north", "<script>").zone == UNPLANNED


def test_networks_inside_others_are_told():
    inside = parse(CSV, "plan.csv", "north").inside
    assert {(one.network, other.network) for one, other in inside} == {
        ("10.1.0.0/16", "10.0.0.0/8"),
        ("10.1.2.3/32", "10.1.0.0/16"),
    }


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("10.1.0.1/16,,,clinical,,", "network"),
        ("ten,,,clinical,,", "network"),
        ("10.1.0.0/16,,,,,", "zone"),
        ("10.1.0.0/16,,,laboratory,,", "zone"),
        ("10.1.0.0/16,,,clinical,,a\x07b", "location"),
        (f"10.1.0.0/16,,{'x' * (CELL_LENGTH_MAX + 1)},clinical,,", "segment"),
        ("10.1.0.0/16,,", ""),
    ],
)
def test_a_mistake_names_line_and_column_and_no_value(line, column):
    data = f"{','.join(COLUMNS)}\n10.0.0.0/8,,,clinical,,\n{line}\n".encode()
    checked = parse(data, "plan.csv", "north", {"clinical", "enterprise"})
    [mistake] = checked.mistakes
    assert (mistake.line, mistake.column, checked.rows) == (3, column, ())
    assert "laboratory" not in mistake.why
    assert "ten" not in mistake.why.split()


def test_the_same_network_twice_is_a_mistake():
    data = b"network,zone\n10.0.0.0/8,clinical\n10.0.0.0/8,enterprise\n"
    assert [(one.line, one.column) for one in parse(data, "plan.csv", "north").mistakes] == [(3, "network")]


def test_toml_says_the_same():
    text = '[[network]]\nnetwork = "10.1.0.0/16"\nzone = "clinical"\nunit = "ICU"\n'
    assert parse(text.encode(), "plan.TOML", "north").rows == (
        PlanRow("north", "10.1.0.0/16", "clinical", "", "ICU", ""),
    )


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"zone\nclinical\n", "a.csv"),
        (b"network,network\n", "a.csv"),
        (b'network\n"a', "a.csv"),
        (b"\xff", "a.csv"),
        (b"x = 1", "a.toml"),
        (b"[network]\nx=1", "a.toml"),
        (b"= ", "a.toml"),
    ],
)
def test_what_is_no_plan_is_refused(data, name):
    with pytest.raises(InputError):
        parse(data, name, "north")


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.toml"]))
def test_any_bytes_are_a_plan_mistakes_or_refused(data, name):
    try:
        checked = parse(data, name, "north")
    except InputError:
        return
    assert bool(checked.rows) != bool(checked.mistakes)


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=20, unique=True),
    st.integers(0, 2**32 - 1),
)
def test_a_place_is_that_of_the_longest_prefix(networks, number):
    """Beside a plain search through all of them."""
    address = ipaddress.ip_address(number)
    rows = {str(ipaddress.ip_network((value, length), strict=False)) for value, length in networks}
    plan = Plan([PlanRow("r", network, "z") for network in sorted(rows)])
    around = [ipaddress.ip_network(one) for one in rows if address in ipaddress.ip_network(one)]
    best = max(around, key=lambda one: one.prefixlen, default=None)
    assert plan.place("r", str(address)).network == (str(best) if best else "")
