"""What compares an inventory with the truth of an estate counts each planted mistake, and none where there is none."""

import json

import pytest
from bench.estate import Evidence, LeaseSeen, MarkSeen, Truth, judge

from oathward.discovery.model import Mark, MarkKind, Statement

A, B, RANDOM = "00:1b:c5:00:00:01", "00:1b:c5:77:00:02", "da:a1:19:00:00:01"
HOUR = 3_600_000_000
DEVICE = {"make": "Halveric", "before": {}, "account": "", "eui64": "", "victim": "", "claim": "", "fate": "", "role": "", "behind": "", "fixed": False, "dock": ""}  # fmt: skip


@pytest.fixture
def truth(tmp_path):
    def device(id_, serial, *macs, **more):
        return (
            DEVICE
            | {"device": id_, "serial": serial, "tag": f"T{id_}", "host": f"h-{id_}", "macs": list(macs)}
            | more
        )

    rows = [
        device("d0", "100", A),
        device("d1", "200", B),
        device("d2", "300", RANDOM),
        device("d3", "400", A, victim="d0", claim="mac"),
    ]
    (tmp_path / "devices.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cards = [
        "device,realm,mac,random,from_us,until_us",
        f"d0,north,{A},0,0,{10 * HOUR}",
        f"d1,north,{B},0,0,{10 * HOUR}",
    ]
    cards += [f"d2,north,{RANDOM},1,0,{10 * HOUR}", f"d3,south,{A},0,0,{10 * HOUR}"]
    (tmp_path / "cards.csv").write_text("\n".join(cards) + "\n")
    leases = [
        "realm,address,device,mac,from_us,until_us",
        f"north,10.0.0.5,d0,{A},0,{4 * HOUR}",
        f"north,10.0.0.5,d1,{B},{5 * HOUR},{9 * HOUR}",
    ]
    leases += [f"north,10.0.0.6,d2,{RANDOM},0,{9 * HOUR}", f"south,10.0.0.5,d3,{A},0,{9 * HOUR}"]
    (tmp_path / "leases.csv").write_text("\n".join(leases) + "\n")
    (tmp_path / "lies.csv").write_text("cause,realm,device,victim,kind,value,from_us,until_us\n")
    return Truth(tmp_path)


def said(at, realm="north", **marks):
    return Statement(at, "test", realm, tuple(Mark(MarkKind(kind), value) for kind, value in marks.items()))


@pytest.fixture
def evidence(truth):
    found = Evidence(truth)
    found.take(said(HOUR, mac=A, address="10.0.0.5"))
    found.take(said(HOUR, mac=A, serial="halveric|100"))
    found.take(said(6 * HOUR, mac=B, address="10.0.0.5"))
    found.take(said(HOUR, mac=RANDOM, host="h-d2"))
    found.take(said(HOUR, realm="south", mac=A, address="10.0.0.5"))
    return found


def mark(endpoint, kind, value, realm="north"):
    return MarkSeen(endpoint, kind, realm if kind == "mac" else "", value, HOUR, 6 * HOUR)


RIGHT = [mark("e0", "mac", A), mark("e0", "serial", "halveric|100"), mark("e1", "mac", B), mark("e2", "mac", RANDOM), mark("e3", "mac", A, "south")]  # fmt: skip
LEASES = [
    LeaseSeen("e0", "north", "10.0.0.5", 0, 4 * HOUR),
    LeaseSeen("e1", "north", "10.0.0.5", 5 * HOUR, 9 * HOUR),
]


def test_what_is_right_is_right(truth, evidence):
    judged = judge(truth, evidence, RIGHT, LEASES, [])
    assert (judged.devices, judged.endpoints) == (4, 4)
    assert not judged.merged
    assert not judged.split
    assert judged.addresses == {"right": 2, "none": 2}


def test_two_in_one_endpoint_are_a_wrong_merge(truth, evidence):
    marks = [one._replace(endpoint="e0") if one.endpoint == "e1" else one for one in RIGHT]
    judged = judge(truth, evidence, marks, LEASES, [])
    assert sum(judged.merged.values()) == 1
    assert judged.in_merged == 2
    assert not judged.silent


def test_one_in_two_endpoints_is_a_wrong_split_unless_a_conflict_tells(truth, evidence):
    marks = [one._replace(endpoint="e9") if one.kind == "serial" else one for one in RIGHT]
    assert sum(judge(truth, evidence, marks, LEASES, []).split.values()) == 1
    told = judge(truth, evidence, marks, LEASES, [("e9", "e0", "serial")])
    assert not told.split
    assert sum(told.split_told.values()) == 1


def test_one_in_two_endpoints_that_nothing_joins_is_no_mistake(truth, evidence):
    evidence.take(said(HOUR, tag="Td1"))
    judged = judge(truth, evidence, [*RIGHT, mark("e8", "tag", "Td1")], LEASES, [])
    assert not judged.split
    assert judged.apart == 1


def test_a_spoof_in_one_endpoint_with_its_victim_is_silent_unless_told(truth, evidence):
    marks = [one._replace(endpoint="e0") if one.endpoint == "e3" else one for one in RIGHT]
    assert len(judge(truth, evidence, marks, LEASES, []).silent) == 1
    told = judge(truth, evidence, marks, LEASES, [("e0", "", "mac")])
    assert not told.silent
    assert told.merged_told == 1
    assert told.told["mac"] == told.intruders["mac"] == 1


def test_an_address_of_another_is_counted(truth, evidence):
    leases = [LeaseSeen("e1", "north", "10.0.0.5", 0, 9 * HOUR)]
    judged = judge(truth, evidence, RIGHT, leases, [])
    assert judged.addresses["another"] == 1
