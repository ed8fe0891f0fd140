"""Rules of nftables that came as JSON, written as nft writes them: what is shown reads back as the same rule."""

import json

import pytest

from oathward.network.rules import nft, nft_text
from oathward.network.rules.nft_said import ELEMENTS_MAX, said

FORWARD = (
    "table inet f {\n chain forward {\n  type filter hook forward priority filter; policy drop;\n%s\n }\n}\n"
)


def listed(*rules: str) -> list[dict]:
    """Give a listing's objects, as ``nft -j`` has them: without a text."""
    objects, unclear = nft_text.read(FORWARD % "\n".join(rules))
    assert not unclear
    for one in objects:
        one.get("rule", {}).pop("text", None)
    return objects


def as_json(*expr: dict, **more: object) -> str:
    rule = {"family": "inet", "table": "f", "chain": "forward", "handle": 4, "expr": list(expr), **more}
    return nft.read(json.dumps({"nftables": [{"rule": rule}]}).encode()).rules[0].text


@pytest.mark.parametrize(
    "rule",
    [
        "ct state established,related accept",
        "ip saddr 10.1.0.0/16 tcp dport { 2575, 104-110 } counter packets 12 bytes 800 accept",
        'iifname "eth1" oifname != "eth2" ip daddr 10.2.0.1 drop',
        "udp dport != 53 drop",
        "tcp dport >= 1024 reject",
        "meta l4proto { tcp, udp } th dport 53 accept",
        "ip saddr . tcp dport { 10.1.0.1 . 22, 10.1.0.2 . 23 } accept",
        "tcp dport vmap { 22 : accept, 23 : drop, 2575 : jump forward }",
        "ip6 saddr 2001:db8::/32 icmpv6 type echo-request accept",
        'iifname { "eth1", "eth2" } jump forward',
        "counter accept",
    ],
)
def test_what_is_shown_of_a_rule_reads_back_as_the_same_rule(rule):
    objects = listed(rule)
    shown = nft.of_objects(objects).rules[0]
    again = nft.read((FORWARD % shown.text).encode()).rules[0]
    assert shown.text == rule
    assert (again.branches, again.hits, again.unclear) == (shown.branches, shown.hits, shown.unclear)


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ({"log": {"prefix": "no: ", "level": "warn"}}, 'log prefix "no: " level warn'),
        ({"limit": {"rate": 10, "per": "minute", "burst": 5}}, "limit rate 10/minute burst 5 packets"),
        ({"limit": {"rate": 1, "rate_unit": "mbytes", "per": "second", "inv": True}}, "limit rate over 1 mbytes/second"),
        ({"reject": {"type": "tcp reset"}}, "reject with tcp reset"),
        ({"reject": {"type": "icmpx", "expr": "admin-prohibited"}}, "reject with icmpx admin-prohibited"),
        ({"dnat": {"addr": "10.0.0.5", "port": 8080}}, "dnat to 10.0.0.5:8080"),
        ({"masquerade": None}, "masquerade"),
        ({"redirect": {"port": 80}}, "redirect to :80"),
        ({"goto": {"target": "wards"}}, "goto wards"),
        ({"counter": "asked"}, 'counter name "asked"'),
        ({"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@wards"}}, "ip saddr @wards"),
        ({"match": {"op": "==", "left": {"&": [{"meta": {"key": "mark"}}, 15]}, "right": 1}}, "mark & 15 == 1"),
        ({"mangle": {"key": {"meta": {"key": "mark"}}, "value": 7}}, "mark set 7"),
        ({"match": {"op": "==", "left": {"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, "right": False}}, "fib saddr . iif oif missing"),
    ],
)  # fmt: skip
def test_statements_of_json_stand_as_nft_writes_them(expr, words):
    assert as_json(expr) == words


def test_a_comment_of_a_rule_stands_behind_it():
    assert as_json({"drop": None}, comment="nobody out") == 'drop comment "nobody out"'


def test_a_statement_of_another_form_is_its_name_and_never_json():
    assert (
        as_json(
            {"something new": {"of": [1]}},
            {"match": {"op": "==", "left": {"osf": {"key": "name"}}, "right": "any"}},
        )
        == "something new … match …"
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"counter": {"packets": float("inf"), "bytes": 1}},
        {"match": {"op": "==", "left": {}, "right": 1}},
        {"limit": {"rate": "many", "per": "second"}},
        {"snat": 7},
        {"vmap": {"key": {"concat": 7}, "data": {}}},
    ],
)
def test_a_statement_that_no_nft_writes_is_its_name(odd):
    (kind,) = odd
    assert said([odd]) == f"{kind} …"


def test_a_long_set_and_a_long_rule_are_cut_and_say_so():
    ports = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": list(range(1, 100))}}}  # fmt: skip
    assert said([ports]).endswith(f"{ELEMENTS_MAX}, … }}")
    text = as_json(*[ports] * 20)
    assert len(text) == nft_text.TEXT_LENGTH_MAX
    assert text.endswith("…")
