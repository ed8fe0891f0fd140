"""A made-up estate: the same from the same seed, whole in its truth, and with each trap that its readers are judged by."""

import csv
import gzip
import hashlib
import json
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from oathward_sim.estate.make import make
from oathward_sim.estate.network import plan
from oathward_sim.estate.population import CLAIMS, FATES, VIRTUAL_MAC, Population
from oathward_sim.estate.zeek import FIELDS

SMALL = {"devices": 300, "sites": 3, "days": 2, "seed": 3}


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    out = tmp_path_factory.mktemp("estate") / "here"
    make(out, **SMALL)
    return out


def truth(estate: Path, name: str) -> list[dict[str, str]]:
    with (estate / "truth" / f"{name}.csv").open(encoding="utf-8") as rows:
        return list(csv.DictReader(rows))


def devices(estate: Path) -> dict[str, dict]:
    lines = (estate / "truth" / "devices.jsonl").read_bytes().splitlines()
    return {row["device"]: row for row in map(json.loads, lines)}


def rows(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".gz":
        return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines[0].startswith("#"):
        return [json.loads(line) for line in lines]
    names = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines if not line.startswith("#")]


def log(estate: Path, realm: str, name: str) -> list[dict[str, object]]:
    return [row for path in sorted((estate / realm / "zeek").glob(f"*/{name}.log*")) for row in rows(path)]


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(estate, tmp_path):
    make(tmp_path / "again", **SMALL)
    make(tmp_path / "other", **SMALL | {"seed": 4})
    assert digest(estate) == digest(tmp_path / "again")
    assert (
        digest(estate)["north/heads/2026-05-04.pcap"]
        != digest(tmp_path / "other")["north/heads/2026-05-04.pcap"]
    )


def test_it_does_not_write_into_what_is_there(estate):
    before = digest(estate)
    with pytest.raises(FileExistsError):
        make(estate, **SMALL)
    assert digest(estate) == before


def test_no_address_is_of_two_devices_at_once(estate):
    held = defaultdict(list)
    for row in truth(estate, "leases"):
        held[row["realm"], row["address"]].append((int(row["from_us"]), int(row["until_us"]), row["device"]))
    again = 0
    for those in held.values():
        those.sort()
        for (_, until, first), (begin, _, second) in pairwise(those):
            assert until <= begin or first == second
            again += first != second
    assert again > 0, "some address is used again by another device"


def test_each_address_in_the_sites_is_of_every_site(estate):
    realms = defaultdict(set)
    for row in truth(estate, "leases"):
        realms[row["address"]].add(row["realm"])
    assert Counter(map(len, realms.values()))[3] > 50


def test_what_the_sensor_says_of_leases_is_so_but_for_the_lies(estate):
    cards = {(row["realm"], row["mac"]) for row in truth(estate, "cards")}
    for realm in ("north", "south", "west"):
        said = {(realm, str(row["mac"])) for row in log(estate, realm, "dhcp")}
        assert said
        assert said <= cards


def test_cards_that_connections_show_are_of_their_addresses_or_of_a_router(estate):
    people = devices(estate)
    routers = {mac for d in people.values() if d["role"] == "router" for mac in d["macs"]} | {VIRTUAL_MAC}
    held = {(row["realm"], row["address"], row["mac"]) for row in truth(estate, "leases")}
    of_router = Counter()
    for row in log(estate, "north", "conn"):
        if row["orig_l2_addr"] in routers:
            of_router[row["orig_l2_addr"]] += 1
        else:
            assert ("north", row["id.orig_h"], row["orig_l2_addr"]) in held
    assert len(of_router) == 2, "one router stands in front of half the house, then the other"


def test_every_fate_and_every_claim_happens_to_somebody(estate):
    people = devices(estate)
    fates = Counter(d["fate"] for d in people.values())
    assert all(fates[fate] for fate in FATES), fates
    assert {d["claim"] for d in people.values()} >= set(CLAIMS)
    told = {(row["cause"], row["kind"]) for row in truth(estate, "lies") if row["cause"] == "intruder"}
    assert told == {("intruder", claim) for claim in CLAIMS}


def test_an_intruder_is_there_while_its_victim_is(estate):
    cards = truth(estate, "cards")
    people = devices(estate)
    for one in (d for d in people.values() if d["claim"]):
        own = [row for row in cards if row["device"] == one["device"]]
        others = [row for row in cards if row["device"] == one["victim"]]
        assert own
        assert any(a["realm"] == b["realm"] and a["from_us"] < b["until_us"] and b["from_us"] < a["until_us"] for a in own for b in others)  # fmt: skip
        assert one["serial"] != people[one["victim"]]["serial"]


def test_a_replaced_card_is_heard_only_after_the_other_went_silent(estate):
    cards = truth(estate, "cards")
    for one in (d for d in devices(estate).values() if d["fate"] in {"card-replaced", "board-replaced"}):
        old = [row for row in cards if row["device"] == one["device"] and row["mac"] == one["before"]["mac"]]
        new = [row for row in cards if row["device"] == one["device"] and row["mac"] == one["macs"][0]]
        if old and new:
            assert max(int(row["until_us"]) for row in old) <= min(int(row["from_us"]) for row in new)


def test_a_pump_with_a_dock_is_heard_by_itself_and_through_its_gateway_by_turns(estate):
    people = devices(estate)
    pumps = [d for d in people.values() if d["dock"]]
    assert {d["docked"] for d in pumps} == {1, 2, 6}
    for pump in pumps:
        gateway = people[pump["dock"]]
        assert (gateway["type"], gateway["site"]) == ("device-gateway", pump["site"])
    captures = (estate / "north" / "heads" / "2026-05-05.pcap").read_bytes()
    north = [d for d in pumps if d["site"] == "north"]
    for pump in north:
        said = captures.count(pump["serial"].encode() + b"^" + pump["make"].upper().encode())
        assert said > 6, "each hour, not once a day"


def test_a_loaner_leaves_one_site_before_it_comes_to_the_other(estate):
    cards = truth(estate, "cards")
    loaned = [d for d in devices(estate).values() if d["fate"] == "loaned"]
    realms = [sorted({row["realm"] for row in cards if row["device"] == one["device"]}) for one in loaned]
    assert any(len(those) == 2 for those in realms)


def test_lists_are_right_but_for_what_the_truth_calls_a_lie(estate):
    people = {d["tag"]: d for d in devices(estate).values()}
    lies = {(row["victim"], row["kind"], row["value"]) for row in truth(estate, "lies")}
    seen = 0
    for realm in ("north", "south", "west"):
        text = (estate / realm / "cmms-last.csv").read_text(encoding="utf-8-sig")
        for row in csv.DictReader(text.splitlines(), delimiter=";"):
            one = people.get(row["Asset Tag"])
            if one is None:
                seen += 1
                assert any(kind == "tag" and value == row["Asset Tag"] for _, kind, value in lies)
                continue
            for column, kind in (("Serial No", "serial"), ("Department", "unit")):
                if row[column] != one[kind]:
                    seen += 1
                    assert (one["device"], kind, row[column]) in lies
            for mac in filter(None, row["MAC Address"].replace("-", ":").lower().split(", ")):
                if mac not in one["macs"]:
                    seen += 1
                    assert (one["device"], "mac", mac) in lies
    assert seen >= 6


def test_flows_that_nobody_declared_are_in_the_truth_and_in_the_logs(estate):
    flows = truth(estate, "flows")
    classes = Counter(row["class"] for row in flows)
    assert classes.keys() >= {"declared", "leak", "leak-dicom", "leak-mqtt", "undeclared-print"}
    leak = next(row for row in flows if row["class"] == "leak" and row["realm"] == "north")
    seen = [row for row in log(estate, "north", "conn") if row["id.resp_h"] == leak["server"]]
    assert len(seen) >= int(leak["conversations"]) > 0


def test_declared_links_that_nothing_uses_are_in_the_papers(estate):
    with (estate / "north" / "declared.csv").open(encoding="utf-8") as papers:
        declared = {row["recipient"] for row in csv.DictReader(papers)}
    assert {"research-registry", "teaching-archive"} <= declared


def test_a_sensor_with_a_wrong_clock_is_in_the_truth(estate):
    clocks = {row["realm"] for row in truth(estate, "lies") if row["cause"] == "clock"}
    assert clocks == {"south", "west"}
    assert min(float(str(row["ts"])) for row in log(estate, "south", "conn")) < 200_000
    assert min(float(str(row["ts"])) for row in log(estate, "north", "conn")) > 1_700_000_000


def test_logs_have_the_fields_they_say(estate):
    for realm, name in (("north", "dhcp"), ("south", "ssl"), ("west", "conn")):
        known = {field for field, _ in FIELDS[name]}
        assert all(row.keys() <= known for row in log(estate, realm, name))


def test_every_held_out_maker_has_devices_and_others_have_more(estate):
    held = Counter(d["held_out"] for d in devices(estate).values())
    assert 0 < held[True] < held[False]


def test_a_pool_gives_a_card_its_address_again_and_another_only_what_is_free():
    segment = plan({"guest-wifi-a": (0, 20)})["guest-wifi-a"]
    first = segment.lease("a", 0.0)
    assert segment.lease("a", 10.0) == first
    assert segment.lease("b", 20.0) != first
    given = [segment.lease(f"c{n}", 30.0) for n in range(segment.size)]
    assert -1 in given, "a pool that is used up gives nothing"
    free = [address for address in given if address >= 0]
    assert len(set(free)) == len(free)
    assert segment.lease("late", 30.0 + segment.lease_s + 1) >= 0, "leases that ended are free again"


def test_addresses_a_device_made_up_are_local_and_others_are_not():
    for device in Population(1, 300, 2, 24):
        for nic in device.nics:
            first = int(nic.mac[:2], 16)
            assert first & 1 == 0
            assert bool(first & 2) == nic.random
