"""Our verdict on a packet is nftables' own: random rule sets, loaded and listed by `nft`, and random packets sent through them."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.network.rules import deciding, nft
from oathward.network.rules.deciding import Verdict, decide
from oathward.network.rules.model import Packet
from oathward.network.rules.spans import address_span

JUDGE = Path(__file__).with_name("nft_judge.py")


@pytest.fixture(scope="module")
def judge():
    absent = [program for program in ("nft", "unshare", "ip") if shutil.which(program) is None]
    if absent:
        pytest.skip(f"not here: {', '.join(absent)}")
    if subprocess.run(
        ["unshare", "-n", "nft", "list", "ruleset"], capture_output=True, check=False
    ).returncode:
        pytest.skip("no network namespace of our own may be made here")
    command = ["unshare", "-n", sys.executable, str(JUDGE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def ask(rules, packets):
            process.stdin.write(json.dumps({"rules": rules, "packets": packets}) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield ask
        process.stdin.close()


V4 = st.integers(1, 12).map(lambda n: f"10.0.{n % 3}.{n}")
V6 = st.integers(1, 12).map(lambda n: f"2001:db8::{n % 3}:{n:x}")
PORT = st.sampled_from([22, 53, 80, 81, 104, 443, 2575])
V4_NET = st.sampled_from(["10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/16", "10.0.2.8/29", "10.0.0.3-10.0.1.4"])
V6_NET = st.sampled_from(["2001:db8::/112", "2001:db8::1:0/112", "2001:db8::1:1-2001:db8::2:5"])
PORTS = PORT.map(str) | st.sampled_from(["50-90", "100-3000"])


def _set(members):
    return st.lists(members, min_size=1, max_size=4, unique=True).map(
        lambda found: "{ " + ", ".join(found) + " }"
    )


def _apart(members):
    """Intervals of one set may not overlap; single members never do."""
    return _set(members)


NOT = st.sampled_from(["", "", "", "!= "])


@st.composite
def match(draw):
    kind = draw(
        st.sampled_from(["addr4", "addr6", "port", "l4", "state", "concat", "named", "nf", "oif", "less"])
    )
    no = draw(NOT)
    if kind == "addr4":
        return f"ip {draw(st.sampled_from(['saddr', 'daddr']))} {no}{draw(V4 | V4_NET | _apart(V4))}"
    if kind == "addr6":
        return f"ip6 {draw(st.sampled_from(['saddr', 'daddr']))} {no}{draw(V6 | V6_NET | _apart(V6))}"
    if kind == "port":
        return f"{draw(st.sampled_from(['tcp', 'udp']))} {draw(st.sampled_from(['sport', 'dport']))} {no}{draw(PORTS | _apart(PORT.map(str)))}"
    if kind == "l4":
        return draw(
            st.sampled_from(
                [
                    "meta l4proto tcp",
                    "meta l4proto { tcp, udp } th dport 80",
                    "ip protocol icmp",
                    "ip6 nexthdr udp",
                    "meta l4proto != udp",
                ]
            )
        )
    if kind == "state":
        return draw(
            st.sampled_from(["ct state new", "ct state established,related", "ct state { new, invalid }"])
        )
    if kind == "concat":
        return f"ip daddr . tcp dport {{ {draw(V4)} . {draw(PORT)}, 10.0.1.0/24 . 100-500 }}"
    if kind == "named":
        return draw(
            st.sampled_from(
                [
                    "ip saddr @hosts",
                    "ip daddr != @hosts",
                    "tcp dport @ports",
                    "ip saddr . ip daddr . udp dport @three",
                ]
            )
        )
    if kind == "nf":
        return draw(st.sampled_from(["meta nfproto ipv4", "meta nfproto ipv6"]))
    if kind == "oif":
        return draw(
            st.sampled_from(
                ['oifname "lo"', 'oifname != "lo"', 'oifname "l*"', "oifname { lo, eth0 }", "oif lo"]
            )
        )
    return f"tcp dport {draw(st.sampled_from(['<', '<=', '>', '>=']))} {draw(PORT)}"


@st.composite
def rule(draw, chains):
    ends = [
        "accept",
        "drop",
        "return",
        "reject",
        "counter accept",
        "counter drop",
        'log prefix "a b; c" accept',
        "counter",
        "continue",
    ]
    ends += [f"jump {name}" for name in chains] + [f"goto {name}" for name in chains]
    verdict = draw(st.sampled_from(ends))
    maps = ["tcp dport vmap { 22 : accept, 80-90 : drop, 443 : return }", "ip saddr vmap @verdicts"]
    maps += [f"meta l4proto vmap {{ tcp : jump {name}, udp : accept }}" for name in chains]
    maps += ["ip daddr . udp dport vmap { 10.0.1.1 . 53 : accept, 10.0.2.2 . 80 : drop }"]
    if draw(st.integers(0, 4)) == 0:
        verdict = draw(st.sampled_from(maps))
    return " ".join([*draw(st.lists(match(), max_size=2)), verdict])


@st.composite
def rulesets(draw):
    third = draw(st.lists(rule([]), max_size=3))
    second = draw(st.lists(rule(["third"]), max_size=4))
    first = draw(st.lists(rule(["second", "third"]), min_size=1, max_size=6))
    other = draw(st.lists(rule([]), max_size=2))
    policy, priority = (
        draw(st.sampled_from(["accept", "drop"])),
        draw(st.sampled_from(["filter", "-10", "security"])),
    )
    sets = (
        "set hosts { type ipv4_addr; flags interval; elements = { 10.0.0.0/24, 10.0.2.2 } }\n"
        "set ports { type inet_service; flags interval; elements = { 22, 50-90 } }\n"
        "set three { type ipv4_addr . ipv4_addr . inet_service; elements = { 10.0.1.1 . 10.0.2.2 . 53 } }\n"
        "map verdicts { type ipv4_addr : verdict; flags interval; elements = { 10.0.1.0/24 : drop, 10.0.0.3 : accept } }\n"
    )
    body = f"chain third {{\n{_lines(third)} }}\nchain second {{\n{_lines(second)} }}\n"
    body += (
        f"chain first {{ type filter hook output priority {priority}; policy {policy};\n{_lines(first)} }}\n"
    )
    body += f"chain other {{ type filter hook output priority 5; policy accept;\n{_lines(other)} }}\n"
    return f"table inet ours {{\n{sets}{body}}}\n"


def _lines(rules):
    return "".join(f"\t{one}\n" for one in rules)


PACKETS = st.lists(
    st.tuples(V4, V4, st.sampled_from([6, 17, 1]), PORT, PORT)
    | st.tuples(V6, V6, st.sampled_from([6, 17, 58]), PORT, PORT),
    min_size=1,
    max_size=25,
    unique_by=lambda row: (row[0], row[1]),
)


def packet(row):
    source, destination, protocol, source_port, port = row
    ported = protocol in {6, 17}
    ends = address_span(source)[0], address_span(destination)[0]
    return Packet(*ends, protocol, source_port if ported else None, port if ported else None, "new", "", "lo")


def verdicts(listing, rows):
    ruleset = nft.read(listing.encode())
    return [decide(ruleset, packet(row), deciding.SENT).verdict for row in rows]


@given(rules=rulesets(), rows=PACKETS)
def test_our_verdict_is_that_of_nftables(judge, rules, rows):
    answer = judge(rules, rows)
    accepted = set(answer["accepted"])
    for form in ("text", "json"):
        for number, verdict in enumerate(verdicts(answer[form], rows)):
            theirs = Verdict.PERMIT if number in accepted else Verdict.DENY
            assert verdict is theirs, (form, rows[number], answer["text"])


RULES = """table inet ours {
	chain web {
		ip saddr 10.0.0.3 counter drop
		counter accept
	}
	chain first {
		type filter hook output priority filter; policy drop;
		tcp dport { 80, 443 } counter jump web
		ip saddr 10.0.0.0/24 udp dport 53 counter accept
		ip6 saddr 2001:db8::/112 counter accept
	}
}
"""


def test_what_is_understood_is_decided_and_counted_as_nftables_counts(judge):
    hosts = [f"10.0.{n % 3}.{n}" for n in range(1, 13)]
    rows = [
        [host, "10.0.2.9", protocol, 4000, port]
        for host in hosts
        for protocol, port in ((6, 80), (6, 22), (17, 53))
    ]
    rows += [[f"2001:db8::{n % 2}:{n:x}", "2001:db8::9", 17, 4000, 9] for n in range(1, 9)]
    answer = judge(RULES, rows)
    found = verdicts(answer["text"], rows)
    assert found == verdicts(answer["json"], rows)
    assert Verdict.INDETERMINATE not in found
    assert [number for number, verdict in enumerate(found) if verdict is Verdict.PERMIT] == answer["accepted"]
    ruleset = nft.read(answer["text"].encode())
    ours = Counter(rule for row in rows for rule in decide(ruleset, packet(row), deciding.SENT).sure)
    hits = {
        f"{rule.chain.split()[2]} {rule.place.rpartition('#')[2]}": ours[rule.index] for rule in ruleset.rules
    }
    assert hits == answer["hits"]


def test_the_judge_finds_a_rule_that_is_passed_over(judge):
    rows = [["10.0.0.3", "10.0.2.9", 6, 4000, 80]]
    answer = judge(RULES, rows)
    without = answer["text"].replace("ip saddr 10.0.0.3 counter", "# ip saddr 10.0.0.3 counter")
    assert verdicts(answer["text"], rows) != verdicts(without, rows)
    assert verdicts(answer["text"], rows) == [Verdict.DENY]
    assert answer["accepted"] == []
