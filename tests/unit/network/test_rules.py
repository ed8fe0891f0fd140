"""Rules of firewalls as one model: what is not understood is said, lists as CSV, comparison with flows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.network.rules import acl, nft, spans
from oathward.network.rules.comparing import SeenFlow, Window, compare, packet_of
from oathward.network.rules.deciding import Verdict, decide
from oathward.network.rules.model import Action, Packet
from oathward.network.rules.shadowing import shadowed

HOUR_US = 3_600_000_000
DAY = Window(0, 24 * HOUR_US, 12)
FORWARD = (
    "table inet f {\n chain forward {\n  type filter hook forward priority filter; policy drop;\n%s\n }\n}\n"
)


def ruleset(*rules):
    return nft.read((FORWARD % "\n".join(rules)).encode())


def flow(client, server, port, transport="tcp", answered=True):
    return SeenFlow(client=client, server=server, transport=transport, port=port, answered=answered)


def verdict(rules, *args):
    return decide(rules, packet_of(flow(*args))).verdict


@pytest.mark.parametrize(
    "unknown",
    [
        "limit rate 10/second burst 5 packets accept",
        "tcp flags syn / fin,syn accept",
        "meta mark 0x10 accept",
        "ip saddr @nowhere accept",
        "fib saddr type local accept",
        "tcp dport nameless accept",
        "something quite new { 1, 2 } accept",
        "ct count over 20 accept",
        "jump nowhere",
        "queue num 1",
        "ip daddr set 10.9.9.9",
    ],
)
def test_what_is_not_understood_is_said_and_nothing_is_decided_by_it(unknown):
    rules = ruleset(unknown, "tcp dport 443 drop")
    assert verdict(rules, "10.0.0.1", "10.0.0.2", 443) is Verdict.INDETERMINATE
    whole = decide(rules, packet_of(flow("10.0.0.1", "10.0.0.2", 443)))
    assert whole.why or any(one.action is Action.UNCLEAR for one in whole.outcomes)


def test_a_rule_that_is_not_understood_but_asks_for_another_protocol_changes_nothing():
    rules = ruleset("icmp type echo-request accept", "tcp dport 443 drop", "udp dport 53 accept")
    assert rules.rules[0].unclear == ("icmp type",)
    assert verdict(rules, "10.0.0.1", "10.0.0.2", 443) is Verdict.DENY
    assert verdict(rules, "10.0.0.1", "10.0.0.2", 53, "udp") is Verdict.PERMIT


def test_an_interface_is_known_where_the_site_says_what_stands_behind_it():
    rules = ruleset('iifname "ward" accept')
    flows = [flow("10.1.0.5", "10.2.0.5", 443)]
    assert compare(rules, flows, DAY).undecided == {"interface, state or source port": 1}
    found = compare(rules, flows, DAY, interfaces={"10.1.0.0/16": "ward", "10.0.0.0/8": "core"})
    assert (found.undecided, found.unused, found.against) == ({}, (), ())


def test_a_bridge_that_may_stop_a_packet_leaves_it_undecided():
    text = (
        FORWARD % "accept"
        + "table bridge b { chain c { type filter hook forward priority 0; policy drop; } }\n"
    )
    assert verdict(nft.read(text.encode()), "10.0.0.1", "10.0.0.2", 443) is Verdict.INDETERMINATE


def test_chains_that_lead_to_each_other_end():
    text = "table inet f { chain a { jump b\n }\n chain b { jump a\n }\n chain f { type filter hook forward priority 0; jump a\n } }"
    assert verdict(nft.read(text.encode()), "10.0.0.1", "10.0.0.2", 443) is Verdict.INDETERMINATE


def test_rules_and_flows_are_compared():
    rules = ruleset(
        "ct state established,related accept",
        "ip saddr 10.1.0.0/16 ip daddr 10.2.0.0/24 tcp dport 2000-3000 accept",
        "ip saddr 10.1.0.5 tcp dport 2575 accept",
        "ip saddr 10.9.0.0/16 counter packets 0 bytes 0 accept",
        "ip saddr 10.8.0.0/16 counter packets 7 bytes 70 accept",
        "tcp dport 23 drop",
    )
    flows = [
        flow("10.1.0.5", "10.2.0.1", 2575),
        flow("10.1.0.6", "10.2.0.1", 2576),
        flow("10.5.0.1", "10.2.0.1", 23),
    ]
    flows += [
        flow("10.5.0.1", "10.2.0.1", 99),
        flow("10.5.0.1", "10.2.0.1", 98, answered=False),
        flow("gone", "10.2.0.1", 1),
    ]
    found = compare(rules, flows, DAY)
    assert [rule.index for rule in found.unused] == [2, 3]
    assert [rule.index for rule in found.counted] == [4]
    assert found.window.coverage == pytest.approx(0.5)
    (wider,) = found.wider
    assert (wider.rule.index, wider.permitted, wider.used) == (1, 65_536 * 256 * 1001, 2 * 1 * 2)
    assert (
        wider.proposal
        == "ip saddr 10.1.0.5-10.1.0.6 ip daddr 10.2.0.1 tcp dport 2575-2576 accept".replace(
            "10.1.0.5-10.1.0.6", "{ 10.1.0.5, 10.1.0.6 }"
        )
    )
    assert [(one.flow.port, [rule.index for rule in one.rules]) for one in found.against] == [
        (23, [5]),
        (99, []),
    ]
    assert found.unreadable == 1


HOST = st.integers(1, 6).map(lambda n: f"10.0.{n % 2}.{n}")
MATCHES = st.sampled_from(
    [
        "",
        "ip saddr 10.0.0.0/24",
        "ip saddr 10.0.0.0/16",
        "ip daddr { 10.0.1.1, 10.0.1.3 }",
        "tcp dport 1-100",
        "tcp dport 50",
        "udp dport != 50",
        "ct state new",
        "ip saddr . tcp dport { 10.0.0.2 . 50 }",
        "ip saddr != 10.0.0.2",
        "meta l4proto { tcp, udp } th dport 50-60",
        "limit rate 1/second",
    ]
)
RULES = st.lists(
    st.tuples(MATCHES, st.sampled_from(["accept", "drop", "return", "counter"])).map(" ".join),
    min_size=1,
    max_size=7,
)
FLOWS = st.lists(
    st.builds(flow, HOST, HOST, st.sampled_from([50, 55, 99, 200]), st.sampled_from(["tcp", "udp", "icmp"])),
    max_size=12,
)


@given(lines=RULES, flows=FLOWS)
def test_without_a_shadowed_rule_every_verdict_is_the_same(lines, flows):
    rules = ruleset(*lines)
    gone = {rule.index for rule, _ in shadowed(rules)}
    less = ruleset(*(line for at, line in enumerate(lines) if at not in gone))
    for one in flows:
        packet = packet_of(one)
        assert decide(rules, packet).verdict is decide(less, packet).verdict


@given(lines=RULES, flows=FLOWS)
def test_a_narrower_rule_permits_what_went_by_the_rule_and_nothing_else(lines, flows):
    rules = ruleset(*lines)
    for wider in compare(rules, flows, DAY).wider:
        narrow = ruleset(*wider.proposal.splitlines())
        alone = ruleset(wider.rule.text)
        for one in flows:
            packet = packet_of(one)
            went = any(outcome.rule == wider.rule.index for outcome in decide(rules, packet).outcomes)
            permitted = decide(narrow, packet).verdict is Verdict.PERMIT
            assert permitted or not went
            assert not permitted or decide(alone, packet).verdict is Verdict.PERMIT


def test_a_rule_before_which_others_take_all_is_shadowed_by_them():
    rules = ruleset(
        "tcp dport 1-500 accept",
        "tcp dport 501-1000 drop",
        "ip saddr 10.0.0.1 tcp dport 400-600 accept",
        "tcp dport 900-1001 accept",
    )
    assert [(rule.index, [one.index for one in by]) for rule, by in shadowed(rules)] == [(2, [0, 1])]


def test_a_rule_behind_one_that_is_not_understood_is_not_called_shadowed():
    assert not list(shadowed(ruleset("limit rate 1/second accept", "accept")))
    assert [rule.index for rule, _ in shadowed(ruleset("accept", "accept"))] == [1]


CSV = """Name;#;Verb;From;To;Proto;Port;Count
edge;20;deny;any;any;any;any;5
edge;10;permit;10.1.0.0 0.0.255.255;host 10.2.0.1;tcp;hl7, 104;1,204
edge;30;permit;GRP-PUMPS;any;tcp;443;0
"""
COLUMNS = {
    "list": "Name",
    "order": "#",
    "action": "Verb",
    "source": "From",
    "destination": "To",
    "protocol": "Proto",
    "ports": "Port",
    "hits": "Count",
}


def test_a_list_as_csv_is_read_by_its_declared_columns_and_its_own_order():
    rules = acl.read(CSV.encode(), COLUMNS)
    assert [(rule.place, rule.hits, rule.unclear) for rule in rules.rules] == [
        ("edge 10 (row 2)", 1204, ()),
        ("edge 20 (row 1)", 5, ()),
        ("edge 30 (row 3)", 0, ("source",)),
    ]
    assert verdict(rules, "10.1.3.4", "10.2.0.1", 2575) is Verdict.PERMIT
    assert verdict(rules, "10.1.3.4", "10.2.0.1", 105) is Verdict.DENY
    assert verdict(rules, "10.1.3.4", "10.2.0.1", 104, "udp") is Verdict.DENY


def test_a_group_nobody_resolved_leaves_what_hangs_on_it_undecided():
    rules = acl.read(
        b"action,source,destination\npermit,GRP,any\n",
        {name: name for name in ("action", "source", "destination")},
    )
    assert verdict(rules, "10.1.3.4", "10.2.0.1", 2575) is Verdict.INDETERMINATE


@pytest.mark.parametrize(
    ("columns", "place"),
    [
        ({"action": "a"}, "destination"),
        (COLUMNS | {"colour": "x"}, "colour"),
        (COLUMNS | {"hits": "none"}, "column for hits"),
    ],
)
def test_a_column_that_is_not_there_is_told(columns, place):
    with pytest.raises(InputError) as error:
        acl.read(CSV.encode(), columns)
    assert (error.value.reason, error.value.where) == (Reason.OBSERVED_COLUMNS, place)


TOKENS = st.sampled_from(
    [
        "table",
        "inet",
        "f",
        "{",
        "}",
        "chain",
        "set",
        "map",
        "elements",
        "=",
        "ip saddr",
        "10.0.0.1",
        "10.0.0.0/8",
        ",",
        ".",
        ":",
        "accept",
        "\n",
        ";",
        "type filter hook forward priority filter",
        "policy drop",
        '"x',
        "tcp dport",
        "vmap",
        "@s",
        "jump",
        "counter packets",
        "!=",
        "flags timeout",
        "1-2",
        "99999999999",
    ]
)


@given(parts=st.lists(TOKENS, max_size=60), raw=st.binary(max_size=60))
def test_any_text_is_read_or_refused_with_a_place(parts, raw):
    refused = []
    for data in (" ".join(parts).encode(), (FORWARD % " ".join(parts)).encode(), raw, b"{" + raw):
        try:
            found = nft.read(data)
        except InputError as error:
            refused.append(error.where)
        else:
            decide(found, Packet(1, 2, 6, None, 22))
    assert all(refused)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["f", "@s", "tcp", "dport", "accept"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "rule",
                    "chain",
                    "set",
                    "map",
                    "table",
                    "family",
                    "name",
                    "expr",
                    "match",
                    "left",
                    "right",
                    "op",
                    "vmap",
                    "key",
                    "data",
                    "payload",
                    "protocol",
                    "field",
                    "counter",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["rule", "chain", "set", "table", "counter"]), JSON, max_size=2),
        max_size=4,
    ),
    expr=st.lists(JSON, max_size=3),
)
def test_any_json_is_read_or_refused_with_a_place(rows, expr):
    rule = {"rule": {"family": "inet", "table": "f", "chain": "forward", "expr": expr}}
    refused = []
    for objects in (rows, [rule]):
        try:
            found = nft.of_objects(objects)
        except InputError as error:
            refused.append(error.where)
        else:
            decide(found, Packet(1, 2, 6, None, 22))
    assert all(refused)


SPANS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 9)).map(lambda one: (one[0], one[0] + one[1])), max_size=6
).map(spans.joined)


def members(found):
    return {number for first, last in found for number in range(first, last + 1)}


@given(a=SPANS, b=SPANS)
def test_spans_are_sets(a, b):
    assert members(spans.common(a, b)) == members(a) & members(b)
    assert members(spans.without(a, b)) == members(a) - members(b)
    assert spans.size(a) == len(members(a))
    assert {number for number in range(60) if spans.holds(a, number)} == members(a)
    assert members(spans.joined([*a, *b])) == members(a) | members(b)
