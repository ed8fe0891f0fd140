"""A planted identifier never appears where it may not: outgoing messages, database, bodies, records, status, errors."""

import logging
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.gate import USES_MAX, Afresh, gate_of, opener_of
from tests.site import Site, bundle, local
from tests.wire import found_in

from oathward.gateway.commit import commit_group
from oathward.gateway.guard.verdict import Counted
from oathward.gateway.path import arrive
from oathward.inventory.model import Peer
from oathward.policy import starter

PEER = Peer("127.0.0.1")
TELEMETRY = (
    starter.files({}, {})["links/vendor-cloud.toml"]
    .replace(b'min_assurance = "certificate"', b'min_assurance = "address"')
    .replace(b'min_protection = "mtls"', b'min_protection = "none"')
    .replace(b'recipient = "vendor-cloud"', b'recipient = "ehr"')
)
ALLOW = (
    b'@id("telemetry") permit(principal, action == Action::"Disclose", resource == Link::"vendor-cloud");\n'
)


@contextmanager
def made(folder):
    """A gateway in this process with one link that may carry identity and one that may not."""
    site = Site.make(folder)
    files = bundle({"ehr": "mllp://127.0.0.1:9"}, extra={"links/vendor-cloud.toml": TELEMETRY})
    files["policies/links.cedar"] += ALLOW
    site.activate(files)
    site.add(local(authoritative_adt=True))
    with gate_of(site) as gate:
        yield site, gate


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Such a gateway, for all tests of a file."""
    with made(tmp_path_factory.mktemp("s")) as world:
        yield world


@pytest.fixture(scope="module")
def opener(world):
    """What the courier opens deliveries with."""
    site, _ = world
    return opener_of(site)


@pytest.fixture(scope="module")
def worlds(world, opener, tmp_path_factory):
    """The same for an example at a time, another after each hundred."""
    with Afresh((*world, opener), lambda: made(tmp_path_factory.mktemp("s"))) as worlds:
        yield worlds


words = st.text(alphabet="bcdfghjklmnpqrstvwxz", min_size=7, max_size=12).map(lambda s: f"Zq{s}y")
"""None is a part of another: what one example leaves on disk is not found for the next."""
numbers = st.integers(10**9, 10**10 - 1).map(str)
WHERE = {
    "PID-5": ("PID", 5), "PID-3": ("PID", 3), "PID-9": ("PID", 9), "PID-11": ("PID", 11), "PID-13": ("PID", 13), "NK1-2": ("NK1", 2),
    "NTE-3": ("NTE", 3), "PV1-7": ("PV1", 7), "PV1-7 name": ("PV1", 7), "OBR-16": ("OBR", 16), "ZPI-1": ("ZPI", 1), "OBX-5 text": ("OBX", 5), "OBX-3 text": ("OBX", 3),
    "PID-40": ("PID", 40), "MSH-8": ("MSH", 8), "EVN-5": ("EVN", 5), "PV1-3": ("PV1", 3),
}  # fmt: skip


def at_work(word):
    """The word that is planted as a unit (PV1-3) or a staff number (PV1-7): care relationships are kept by these (ADR 0032).

    They stand on disk, as they were said, and leave nowhere; a patient's word does neither.
    """
    return word[::-1]


def message(places, word, number, control_id, code):
    """A message with the planted word or number at each of these places."""
    lines = (
        f"MSH|^~\\&|MON1|W|O|S|20260504081500+0000||{code}|{control_id}|P|2.6",
        "EVN|A08|20260504",
        "PID|1||||||19700131|F",
        "NK1|1|",
        "PV1|1|I|ICU^1^A",
        "OBR|1|||69837^MDC_DEV_METER_PHYSIO_MULTI_PARAM_MDS^MDC",
        "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.0.0.1|72|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R",
        "NTE|1||",
        "ZPI|",
    )
    segments = {line[:3]: line.split("|") for line in lines}
    for place in places:
        name, field = WHERE[place]
        fields = segments[name]
        fields += [""] * (field + 1 - len(fields))
        at = field - 1 if name == "MSH" else field
        value = {
            "PID-3": f"{number}^^^HOSP^MR", "PID-5": f"{word}^{word}", "PID-11": f"1 {word} Rd^^{word}", "PID-13": number,
            "PV1-3": at_work(word), "PV1-7": at_work(word), "PV1-7 name": f"4711^{word}^{word}", "OBX-3 text": f"147842^{word}^MDC", "NTE-3": f"call {word} on {number}",
        }.get(place, word)  # fmt: skip
        fields[at] = value
        if place == "OBX-5 text":
            fields[2] = "TX"
    kept = [s for s in segments if s != "EVN" or code.startswith("ADT")]
    return "\r".join("|".join(segments[s]) for s in kept).encode() + b"\r"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    places=st.sets(st.sampled_from(sorted(WHERE)), min_size=1, max_size=6),
    word=words,
    number=numbers,
    control_id=st.integers(0, 10**9 - 1),
    code=st.sampled_from(["ORU^R01^ORU_R01", "ADT^A08^ADT_A01", "ORU^R40^ORU_R40"]),
    broken=st.sampled_from([b"", b"MSH", b"PID|"]),
)
def test_a_planted_identifier_never_appears(worlds, places, word, number, control_id, code, broken):
    site, gate, opener = worlds.next()
    raw = message(places, word, number, control_id, code)
    if broken:
        raw = raw.replace(broken, b"X", 1)
    secrets = [s.encode() for one in (word, at_work(word), number) for s in (one, one.upper())]
    for prepared in arrive(gate, raw, PEER):
        for outgoing in prepared.outgoing:
            if outgoing.sealed.link == "vendor-cloud":
                data = opener.open(outgoing.sealed.data).data.reveal()
                assert not [s for s in secrets if s in data.upper()], places
        for leaf in prepared.leaves:
            assert not [s for s in secrets if s in leaf.body.upper()], places
        for body in prepared.facts.values():
            assert not [s for s in secrets if s in body.upper()], places
        commit_group(gate, [prepared])
        assert not [s for s in secrets if s in b"".join(prepared.reply(prepared.answer)).upper()] or broken
        assert gate.trouble == ""
    assert not set(found_in(site.folder, secrets)) - {at_work(word).encode()}, places


def test_the_search_itself_finds_what_is_there(world):
    """The reverse: what may stand on disk is found by the same search."""
    site, _ = world
    assert found_in(site.folder, [b"mon-1", b"mon-never"]) == [b"mon-1"]


def test_the_search_finds_what_was_there_what_came_later_and_what_lies_over_the_seam(tmp_path):
    """A file that grows between two looks is searched as a whole at each."""
    file = tmp_path / "a.seg"
    file.write_bytes(b"Zqold..Zqse")
    wanted = [b"Zqnew", b"Zqold", b"Zqseam"]
    assert found_in(tmp_path, wanted) == [b"Zqold"]
    with file.open("ab") as at_its_end:
        at_its_end.write(b"am..Zqnew")
    assert found_in(tmp_path, wanted) == wanted


def test_after_a_hundred_examples_another_site_is_searched(worlds):
    """Its gate serves, what stands in it is found, and each before it has been searched after its own last example."""
    first, *_ = worlds.next()
    sites = [worlds.next()[0] for _ in range(USES_MAX)]
    assert sites[-1].folder != first.folder
    site, gate, _ = worlds.next()
    assert site is sites[-1]
    for prepared in arrive(
        gate, message({"PID-3", "PV1-3", "PV1-7"}, "Zqanother", "1", 78, "ADT^A08^ADT_A01"), PEER
    ):
        commit_group(gate, [prepared])
    assert found_in(site.folder, [at_work("Zqanother").encode()])


def test_an_internal_error_is_quarantined_without_its_text(world, monkeypatch, caplog):
    site, gate = world

    def broken(*_args, **_kwargs):
        raise RuntimeError("Zqsecretname")

    monkeypatch.setattr("oathward.gateway.path.decide", broken)
    with caplog.at_level(logging.DEBUG):
        [prepared] = arrive(gate, message({"PID-5"}, "Zqsecretname", "1", 77, "ORU^R01^ORU_R01"), PEER)
    commit_group(gate, [prepared])
    assert prepared.held.reason == "internal"
    assert prepared.outgoing == []
    assert not found_in(site.folder, [b"Zqsecretname"])
    assert "Zqsecretname" not in caplog.text
    gate.trouble = ""


def test_weak_hits_that_come_again_and_again_become_a_finding(world, monkeypatch):
    """Once is no news: a name that is also a word. The tenth time somebody should look."""
    _, gate = world
    monkeypatch.setattr(gate.guard, "link", lambda *_args, **_options: Counted({"PID-5.1": 1}))
    findings = []
    for n in range(11):
        [prepared] = arrive(gate, message({"PID-5"}, "Green", "1", 900 + n, "ORU^R01^ORU_R01"), PEER)
        findings.append(sum(b'"guard.counted"' in leaf.body for leaf in prepared.leaves))
        assert {"ehr", "vendor-cloud"} <= {one.row.link for one in prepared.outgoing}
        commit_group(gate, [prepared])
    assert findings == [0] * 9 + [2, 0]  # one a link
