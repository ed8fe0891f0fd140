"""What chance writes is nobody for the judge, and a short name is found wherever text stands. Both are reckoned, and tried."""

import base64
import json
import random
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest
from tests.unit.oathward_sim.envelopes import seal
from tests.unit.oathward_sim.test_traces import obx

from oathward_sim import fhir, traces
from oathward_sim.envelope import Reader
from oathward_sim.hospital import build
from oathward_sim.recipients import Folder
from oathward_sim.run import Simulation
from oathward_sim.traces import Index

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
HOSPITAL = build(1, START)
WHO = replace(HOSPITAL.patients[0], family="Quirke", given="Zoë", mrn="97100000", relative=("", "", ""))
SHORT_NAMES = ["".join(word) for word in product("abcdefghijklmnopqrstuvwxyz", repeat=3)]

ID, PSEUDONYM, ID_LENGTH = "0123456789abcdefghijklmnopqrstuv", "abcdefghijklmnopqrstuvwxyz234567", 20
PRINTABLE, LETTER = 95 / 256, 52 / 256
"""Shares of all bytes."""
OF_A_RUN = {"ids": 3_000, "pseudonyms": 200, "bytes in clear beside seals": 92 * 500, "ciphertext": 3_000_000}
"""What a demo of 25 s shows its judge, generously."""


def everyone_short():
    """Every name of three letters is somebody's: 17,576 times what chance does to one name."""
    return Index([replace(WHO, mrn=word, visit="", family="", given=word) for word in SHORT_NAMES])


def names_in(index, data):
    return len({min(trace.owners) for trace in index.search(data) if trace.kind == "name"})


def in_random_bytes(letters, run_min):
    """How often a byte begins one name of so many letters, as a word in a run of printable bytes."""
    other = PRINTABLE - LETTER
    beside = [1 - PRINTABLE, *(other * PRINTABLE ** (n - 1) * (1 - PRINTABLE) for n in range(1, 60))]
    pairs = product(enumerate(beside), repeat=2)
    return (2 / 256) ** letters * sum(a * b for (i, a), (j, b) in pairs if i + j + letters >= run_min)


def in_an_id(letters, alphabet):
    """How often an id holds one name of so many letters, as a word."""
    digit = sum(c.isdigit() for c in alphabet) / len(alphabet)
    within = max(0, ID_LENGTH - letters - 1)
    return len(alphabet) ** -letters * (2 * digit + within * digit**2)


def of_random_bytes():
    rng = random.Random(1)
    return [rng.randbytes(20_000) for _ in range(10)], in_random_bytes(3, 6) * 200_000


def of_ids(alphabet):
    rng = random.Random(2)
    ids = ["".join(rng.choices(alphabet, k=ID_LENGTH)) for _ in range(2_000)]
    possible = sum(set(name) <= set(alphabet) for name in SHORT_NAMES) / len(SHORT_NAMES)
    return [f"{one}\r".encode() for one in ids], in_an_id(3, alphabet) * len(ids) * possible


CHANCE = {
    "random bytes": of_random_bytes,
    "outgoing ids": lambda: of_ids(ID),
    "pseudonyms": lambda: of_ids(PSEUDONYM),
}


@pytest.mark.parametrize("what", CHANCE)
def test_what_chance_writes_is_as_often_a_short_name_as_reckoned_and_is_nobody(what, monkeypatch):
    pieces, one_name = CHANCE[what]()
    reckoned = one_name * len(SHORT_NAMES)
    assert reckoned > 20
    index = everyone_short()
    assert sum(names_in(index, data) for data in pieces) == 0
    # Reverse: names of any length taken anywhere cry wolf, and as often as reckoned.
    monkeypatch.setattr(traces, "_SHORT_WORD", 0)
    index = everyone_short()
    found = sum(names_in(index, data) for data in pieces)
    assert 0.7 * reckoned < found < 1.5 * reckoned


def test_a_run_cries_wolf_over_a_name_less_than_once_in_ten_thousand():
    index = Index([p for seed in range(1, 9) for p in build(seed, START).everyone])
    lengths = [len(word) for word in index._words]
    short = [letters for letters in lengths if letters <= traces._SHORT_WORD]
    long = [letters for letters in lengths if letters > traces._SHORT_WORD]
    assert 3 in short
    ids = {"ids": ID, "pseudonyms": PSEUDONYM}
    chance = sum(OF_A_RUN[kind] * in_an_id(n, ids[kind]) for kind in ids for n in long)
    chance += sum(OF_A_RUN["bytes in clear beside seals"] * in_random_bytes(n, 6) for n in long)
    chance += sum(
        OF_A_RUN["bytes in clear beside seals"] * in_random_bytes(n, traces._LONG_RUN) for n in short
    )
    print(f"false alarms over names: one in {1 / chance:,.0f} runs")
    assert chance < 1e-4
    # Reverse: the same with ciphertext and short names, as it was: one run in fifteen.
    assert OF_A_RUN["ciphertext"] * in_random_bytes(3, 6) > 1 / 16


STANDS = {
    "alone": obx("Zoë"),
    "in a sentence": obx("seen by ZOE, asleep"),
    "beside digits": obx("zoe1959"),
    "in base64": obx(base64.b64encode("seen: Zoë at 8".encode()).decode()),
    "in base64, short": obx(base64.b64encode(b"a Zoe b").decode()),
    "deflated": zlib.compress(b"seen: Zoe", wbits=-15),
    "in JSON": json.dumps({"note": [{"text": "Zoë"}]}).encode(),
    "in ISO 8859-1": "NTE|1||Frau Zoë schläft".encode("latin-1"),
    "in binary": bytes(range(128, 256)) + b"Patient: Zoe, ICU" + bytes(range(128, 256)),
    "in binary, UTF-8": bytes(range(128, 192)) + "Patient: Zoë, ICU".encode() + bytes(range(128, 192)),
    "beside an id": obx("0a1b2c3d4e5f6g7h8i9j zoe"),
}


@pytest.mark.parametrize("where", STANDS)
def test_a_short_name_is_found_where_text_stands(where):
    assert names_in(Index([WHO]), STANDS[where]) == 1
    assert names_in(Index([replace(WHO, given="Eulalia")]), STANDS[where]) == 0


def test_a_short_name_of_a_device_is_found_but_not_within_an_id():
    index = Index([], HOSPITAL.devices)
    for value in ("PUMP-01", "x PUMP01 y", "CPUMP-01-1-000003", "PUMP011000003"):
        assert {t.kind for t in index.search(obx(value))} == {"device"}, value
    assert not index.search(obx("0a1b2c3pump01d4e5f6g"))


def ecg(*samples):
    start = [120] * 40
    trace = fhir.trace(START, "Patient/x", "Device/y", [*start, *samples, *start], "77.000001")
    return fhir.dumps(trace)


def test_samples_that_follow_each_other_are_no_number_of_a_patient(monkeypatch):
    index, rng = Index([WHO]), random.Random(1)
    by_chance = ecg(12, 97, 100, 0, 0, 0, 5)
    assert not index.search(by_chance)
    for _ in range(200):
        assert not index.search(ecg(*(rng.randrange(-60, 240) for _ in range(250))))
    for text in ("97 10 00 00", "97-100-000", "0 97 10 00 00 0"):  # too few numbers to be a series
        assert {t.kind for t in index.search(obx(text))} == {"identifier"}
    # Reverse: one sample that is the number is found; and without the rule what follows each other would be.
    assert {t.kind for t in index.search(ecg(12, 97100000, 5))} == {"identifier"}
    monkeypatch.setattr(traces, "_LONG_RUN", 0)
    monkeypatch.setattr(traces, "_SERIES", traces.re.compile("(?!)"))
    assert {t.kind for t in Index([WHO]).search(by_chance)} == {"identifier"}


def carried(envelope, id_="0a1b2c", **more):
    data = base64.b64encode(envelope).decode()
    return json.dumps({"resourceType": "Binary", "id": id_, **more, "data": data}).encode()


def test_of_a_seal_that_opens_only_what_stands_before_it_is_looked_at():
    reader, body = Reader(), b"MSH|" + bytes(20_000)
    envelope = seal(reader.public, "demo", "research-registry", "0a1b2c", body)
    letter = reader.open(envelope)
    assert envelope.startswith(letter.clear)
    assert len(envelope) - len(letter.clear) == len(body) + 16, "all but the ciphertext and its tag"
    again = reader.open(carried(envelope, note="Zoë"))
    assert again.data == letter.data
    assert again.clear.endswith(b"\n" + letter.clear)
    assert json.loads(again.clear.partition(b"\n")[0])["note"] == "Zoë"


PLANTED = {
    "site": lambda key, who: seal(key, who.family, "research-registry", "1", b"MSH|"),
    "link": lambda key, who: seal(key, "demo", f"for {who.family}", "1", b"MSH|"),
    "outgoing id": lambda key, who: seal(key, "demo", "research-registry", who.mrn, b"MSH|"),
    "carrier": lambda key, who: carried(
        seal(key, "demo", "research-registry", "1", b"MSH|"), note=who.family
    ),
    "id of the carrier": lambda key, who: carried(seal(key, "demo", "x", "1", b"MSH|"), id_=who.mrn),
    "not sealed": lambda _key, who: b"OWE1\x01" + bytes(40) + who.mrn.encode(),
    "behind the seal": lambda key, who: seal(key, "demo", "x", "1", b"MSH|") + who.mrn.encode(),
}


@pytest.mark.parametrize("where", PLANTED)
def test_what_is_planted_around_a_seal_is_a_leak(where, tmp_path):
    def whats(who):
        folder, reader = tmp_path / who.mrn, Reader()
        folder.mkdir()
        (folder / "a.sealed").write_bytes(PLANTED[where](reader.public, who))
        inbox = Folder("research-registry", folder)
        simulation = Simulation(HOSPITAL, [inbox], readers={"research-registry": reader})
        return {f.what.partition(",")[0] for f in simulation.outcome().verdict.findings}

    found = {"name on the wire", "identifier on the wire"}
    assert len(whats(HOSPITAL.patients[0]) & found) == 1
    # Reverse: the same of somebody who is not of this hospital.
    assert not whats(replace(WHO, family="Nobodyhere", mrn="99999999")) & found
