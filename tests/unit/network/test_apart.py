"""Promises about plans and rules that are parsed apart: what is read is what it was, and a child that lies is not believed."""

import pytest

from oathward.core import checked
from oathward.core.errors import InputError
from oathward.core.parsing import ParserError
from oathward.core.reasons import Reason
from oathward.network import apart, plan
from oathward.network.model import PlanRow
from oathward.network.plan import Mistake
from oathward.network.rules import acl, nft

PLAN = b"""network,realm,segment,zone,unit,location
10.0.0.0/8,north,,enterprise,,
10.1.0.0/16,north,vlan-10,clinical,ICU,Tower 2
10.1.2.3/32,north,vlan-11,clinical,ICU,Bed 4
2001:db8::/32,,,clinical,,
"""
NFT = b"""table inet f {
 set wards { type ipv4_addr; flags interval; elements = { 10.1.0.0/16, 10.3.0.5-10.3.0.9 } }
 chain other { tcp dport { 80, 443 } accept; something new accept }
 chain forward {
  type filter hook forward priority filter; policy drop;
  ip saddr @wards ip6 daddr != 2001:db8::/32 accept
  iifname "ward*" ip saddr @wards tcp dport 2575 counter packets 5 bytes 100 accept
  ct state established,related accept
  jump other
 }
}
table ip empty { chain nothing { } }
oddly { }
"""
CSV = b"src,dst,proto,port,action\n10.1.0.0/16,any,tcp,443,permit\n10.0.0.5,10.0.0.6,udp,53,deny\nx,y,z,1,permit\n"
COLUMNS = {"source": "src", "destination": "dst", "protocol": "proto", "ports": "port", "action": "action"}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (PLAN, "plan.csv"),
        (b'[[network]]\nnetwork = "10.0.0.0/8"\nzone = "clinical"\n', "plan.toml"),
        (
            PLAN + b"10.0.0.0/8,north,,clinical,,\n10.9.0.0/33,,,clinical,,\n10.8.0.0/16,,,none,,\n",
            "plan.csv",
        ),
        (PLAN[:41], "plan.csv"),
    ],
)
@pytest.mark.parametrize("zones", [(), ("clinical", "enterprise")])
def test_a_plan_read_apart_is_the_same(content, name, zones):
    assert apart.read_plan(content, name, "main", zones) == plan.parse(content, name, "main", zones)


@pytest.mark.parametrize(("content", "columns"), [(NFT, {}), (CSV, COLUMNS)])
def test_rules_read_apart_are_the_same(content, columns):
    here = acl.read(content, columns) if columns else nft.read(content)
    assert here.chains
    assert apart.read_rules(content, columns) == here


def test_what_is_neither_is_told_as_before():
    for content, name in ((b"\xff\xfe", "p.csv"), (b"a,b\n1,2\n", "p.csv"), (b"x = 1", "p.toml")):
        with pytest.raises(InputError) as here:
            plan.parse(content, name, "main")
        with pytest.raises(InputError) as there:
            apart.read_plan(content, name, "main")
        assert (str(there.value), there.value.reason) == (str(here.value), here.value.reason)
    with pytest.raises(InputError, match="holds no rules") as error:
        apart.read_rules(b"", {})
    assert error.value.reason is Reason.FORMAT_UNSUPPORTED
    with pytest.raises(InputError, match="MiB"):
        apart.read_rules(b" " * (apart.RULES_BYTES_MAX + 1), {})


ROW = checked.plain(PlanRow("main", "10.0.0.0/8", "clinical"))
CHAIN = {"name": "c", "chain": ["c", "ip", [], "", 0, "ACCEPT"]}
RULE = ["c #1", "c", 0, [], "accept", None, []]


@pytest.fixture
def child(monkeypatch):
    """What a child says instead of the file's parser."""

    def say(*answers):
        class Child:
            def __init__(self, *_args, **_more):
                pass

            def __enter__(self):
                return iter(answers)

            def __exit__(self, *_):
                pass

        monkeypatch.setattr(apart, "Parser", Child)

    return say


def test_what_a_child_says_is_read_by_its_types(child):
    child({"rows": [ROW]}, {"mistakes": [[1, "zone", "why\x1b"]]}, {"inside": [[0, 0]]})
    found = apart.read_plan(b"", "p.csv", "main", ("clinical",))
    assert found.rows == (PlanRow("main", "10.0.0.0/8", "clinical"),)
    assert found.mistakes == (Mistake(1, "zone", "why\N{REPLACEMENT CHARACTER}"),)
    child({"unclear": ["x"]}, CHAIN, {"rules": [RULE]})
    assert [one.place for one in apart.read_rules(b"", {}).rules] == ["c #1"]


@pytest.mark.parametrize(
    "answer",
    [
        {"rows": [["main", "10.0.0.5/8", "clinical", "", "", ""]]},
        {"rows": [["main", "10.0.0.0/8", "elsewhere", "", "", ""]]},
        {"rows": [["main", "10.0.0.0/8", "clinical", "x" * 300, "", ""]]},
        {"rows": [["main", "10.0.0.0/8", "clinical"]]},
        {"rows": 5},
        {"rows": [ROW], "inside": [[0, 1]]},
        {"inside": [[-1, 0]]},
        {"inside": [["0", 0]]},
        {"inside": [[0]]},
        {"mistakes": [[1, "zone"]]},
    ],
)
def test_a_row_that_no_plan_can_have_is_not_believed(child, answer):
    child(answer)
    with pytest.raises(ParserError, match="what cannot be"):
        apart.read_plan(b"", "p.csv", "main", ("clinical",))


@pytest.mark.parametrize(
    "answers",
    [
        ({"rules": [RULE]},),
        (CHAIN, {"rules": [RULE[:-1]]}),
        (CHAIN, {"rules": [[*RULE[:3], [[["x"], "ACCEPT", ""]], *RULE[4:]]]}),
        ({"name": "c", "chain": ["c", "ip", [], "", 0, "accept"]},),
        ({"name": 5, "chain": CHAIN["chain"]},),
        ({"chain": CHAIN["chain"]},),
        ({"unclear": "x"},),
    ],
)
def test_rules_that_cannot_be_are_not_believed(child, answers):
    child(*answers)
    with pytest.raises(ParserError, match="what cannot be"):
        apart.read_rules(b"", {})


def test_what_a_plan_or_rules_may_take_is_bounded(monkeypatch):
    monkeypatch.setattr(apart, "_BOUNDS", {"memory_bytes_max": 1 << 30, "bytes_max": 200})
    with pytest.raises(ParserError, match="more than can be kept"):
        apart.read_rules(NFT, {})
    monkeypatch.setattr(apart, "_BOUNDS", {"memory_bytes_max": 1 << 30, "answer_bytes_max": 100})
    with pytest.raises(InputError, match="holds one thing"):
        apart.read_plan(PLAN, "plan.csv", "main")


def test_so_much_is_kept_of_a_child_and_no_more(child, monkeypatch):
    monkeypatch.setattr(apart, "ROWS_MAX", 4)
    child({"rows": [ROW]}, {"inside": [[0, 0]]})
    assert len(apart.read_plan(b"", "p.csv", "main", ("clinical",)).rows) == 1
    for answers in (({"inside": [[0, 0]]},) * 3, ({},) * 5, ({"mistakes": [[1, "zone", "why"]] * 4},)):
        child(*answers)
        with pytest.raises(ParserError, match="more than can be kept") as error:
            apart.read_plan(b"", "p.csv", "main", ("clinical",))
        assert error.value.reason is Reason.LIMIT_EXCEEDED
    child(CHAIN, {"rules": [RULE] * 4})
    with pytest.raises(ParserError, match="more than can be kept"):
        apart.read_rules(b"", {})
