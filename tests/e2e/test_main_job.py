"""The main job on a served site: in, decided, out, proved; and what hostile senders get."""

import time

import pytest
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient, found_in, frame, oru

from oathward.inventory.model import Device
from oathward.protocols.hl7v2.reader import decode


def test_a_message_goes_in_and_comes_out_and_the_ledger_verifies(site, recipient):
    with Client(site.port()) as client:
        assert client.send(oru("A1", value="71.5")) == "AA"
    site.wait(lambda: b"71.5" in recipient.values())
    sent, got = decode(oru("A1", value="71.5")), decode(recipient.kept[recipient.values().index(b"71.5")])
    assert got.control_id != sent.control_id, "the sender's control id is an identifier: recipients get ours"
    assert got.segments[1:] == sent.segments[1:], "treatment gets every clinical word"
    report = site.cli("ledger", "verify")
    assert report["ok"]


def test_answers_keep_their_order_when_messages_are_pipelined(site):
    with Client(site.port()) as client:
        client.write(b"".join(frame(oru(f"P{n}", value=f"{n}")) for n in range(40)))
        answers = [client.answer() for _ in range(40)]
    assert [a.split(b"MSA|AA|")[1].rstrip(b"\r") for a in answers] == [b"P%d" % n for n in range(40)]


def test_a_duplicate_gets_the_same_answer_and_goes_out_once(site, recipient):
    with Client(site.port()) as client:
        assert [client.send(oru("D1", value="81.25")) for _ in range(3)] == ["AA"] * 3
    site.wait(lambda: b"81.25" in recipient.values())
    time.sleep(0.3)
    assert recipient.values().count(b"81.25") == 1


def test_the_same_control_id_with_other_bytes_is_a_new_message_and_a_finding(site, recipient):
    with Client(site.port()) as client:
        assert client.send(oru("R1", value="82.25")) == "AA"
        assert client.send(oru("R1", value="83.25")) == "AA"
    site.wait(lambda: {b"82.25", b"83.25"} <= set(recipient.values()))
    assert any(r["body"]["finding"] == "message.control-id-reused" for r in site.records("finding.raised"))


def test_enhanced_mode_answers_commit_accept(site):
    body = oru("E1").replace(b"|E1|P|2.6\r", b"|E1|P|2.6|||AL|NE\r")
    with Client(site.port()) as client:
        assert client.send(body) == "CA"


def test_a_batch_answers_each_message(site):
    batch = b"BHS|^~\\&|MON1\r" + oru("B1", value="91") + oru("B2", value="92") + b"BTS|2\r"
    with Client(site.port()) as client:
        client.write(frame(batch))
        answers = [client.answer() for _ in range(2)]
    assert [a.split(b"MSA|AA|")[1].rstrip(b"\r") for a in answers] == [b"B1", b"B2"]


def test_undecodable_bytes_are_sealed_and_refused(site):
    with Client(site.port()) as client:
        assert client.send(b"this is not HL7") == "AR"
    assert "message.header-missing" in {row["reason"] for row in site.cli("quarantine", "list")["held"]}


HOSTILE = [
    # name, bytes, does the sender close, reason recorded
    ("junk before the start block", b"x" * 2000, "frame.junk"),
    ("a frame in a frame", b"\x0bMSH|^~\\&|A\r\x0bMSH|^~\\&|B\r\x1c\r", "frame.nested-start"),
    ("end block without CR", b"\x0bMSH|^~\\&|A\r\x1cX", "frame.unterminated"),
    ("larger than allowed", b"\x0bMSH|^~\\&|" + b"A" * 120_000, "frame.too-large"),
    ("a slow sender", b"\x0bMSH|^~\\&|", "frame.timeout"),
]


@pytest.mark.parametrize(("name", "data", "reason"), HOSTILE, ids=[h[0] for h in HOSTILE])
def test_hostile_framing_is_closed_with_its_reason_and_others_are_served(site, name, data, reason):
    with Client(site.port()) as hostile, Client(site.port()) as honest:
        hostile.write(data)
        assert honest.send(oru(f"H{reason}")) == "AA"
        assert hostile.answer() is None, "closed without an answer"
    site.wait(lambda: any(r["body"]["reason"] == reason for r in site.records("connection.refused")))


def test_a_message_cut_off_is_not_taken(site):
    before = len(site.rows("SELECT id FROM message"))
    with Client(site.port()) as client:
        client.write(frame(oru("C1"))[:-2])
    site.wait(
        lambda: any(r["body"]["reason"] == "frame.unterminated" for r in site.records("connection.refused"))
    )
    assert len(site.rows("SELECT id FROM message")) == before


def test_no_value_of_a_message_stands_anywhere_on_disk(site):
    secrets = [b"Zebulonova", b"Quixotella", b"90817263", b"19310203"]
    body = oru("S1", name="Zebulonova^Quixotella", mrn="90817263").replace(b"19700131", b"19310203")
    with Client(site.port()) as client:
        assert client.send(body) == "AA"
        assert client.send(body.replace(b"|S1|", b"|S2|").replace(b"PID|", b"PI|")) == "AA"
        client.send(body.replace(b"MSH|", b"XSH|"))
    time.sleep(1.0)
    assert found_in(site.folder, secrets) == []
    assert found_in(site.folder, [b"mon-1"]), "the search itself works: ids do stand there"


def test_an_unknown_device_is_held_adopted_and_released(tmp_path):
    recipient = Recipient()
    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": recipient.address}))
    site.start()
    try:
        with Client(site.port()) as client:
            assert client.send(oru("U1", value="61.5")) == "AA", "held is stored: never an error to a device"
        held = site.cli("quarantine", "list")["held"]
        assert [row["reason"] for row in held] == ["device.unknown"]
        assert recipient.kept == []
        [stranger] = site.cli("device", "held")["held"]
        site.cli("device", "adopt", stranger["id"], "mon-7", "--pin-address", "--default-authority", "HOSP")
        released = site.cli("quarantine", "release", held[0]["message"], "--why", "adopted as mon-7")
        assert released["released"][0]["released"]
        site.wait(lambda: recipient.values() == [b"61.5"])
        assert site.cli("ledger", "verify")["ok"]
    finally:
        site.stop()
        recipient.close()


def test_without_a_bundle_everything_is_held_and_can_be_released(tmp_path):
    recipient = Recipient()
    site = Site.make(tmp_path / "s")
    site.add(local())
    site.start()
    try:
        with Client(site.port()) as client:
            assert client.send(oru("N1", value="62.5")) == "AA"
        [held] = site.cli("quarantine", "list")["held"]
        assert held["reason"] == "decision.bundle-missing"
        site.activate(bundle({"ehr": recipient.address}))
        site.cli(
            "quarantine", "release", "--all-with-reason", "decision.bundle-missing", "--why", "activated"
        )
        site.wait(lambda: recipient.values() == [b"62.5"])
    finally:
        site.stop()
        recipient.close()


def test_a_limited_data_set_link_may_keep_what_its_profile_keeps(tmp_path):
    """A birth date may pass there: the guard stops what the profile takes away, not what it keeps."""
    recipient = Recipient()
    site = Site.make(tmp_path / "s")
    files = bundle({"ehr": recipient.address})
    link = (
        files["links/ehr.toml"]
        .decode()
        .replace('"treatment"', '"limited-data-set"')
        .replace("carries_identity = true", 'carries_identity = false\nproject = "registry"')
    )
    link = link.replace('"TREAT"', '"HRESCH"').replace('"pass"', '"remove"').replace('"care-team"', '"hold"')
    site.activate(files | {"links/ehr.toml": link.encode()})
    site.add(local())
    site.start()
    try:
        with Client(site.port()) as client:
            assert client.send(oru("L1", name="Quillfeather^Ottoline", value="63.5")) == "AA"
        site.wait(lambda: recipient.values() == [b"63.5"])
        [got] = recipient.kept
        assert b"19700131" in got
        assert b"Quillfeather" not in got
        assert b"12345678" not in got
    finally:
        site.stop()
        recipient.close()


def test_a_long_batch_in_one_frame_does_not_hold_up_others_and_is_answered_whole(site):
    parts = [oru(f"LB{n}", value=f"{n}") for n in range(200)]
    small = b"BHS|^~\\&|MON1\r" + b"".join(parts) + b"BTS|200\r"
    with Client(site.port()) as big, Client(site.port()) as honest:
        big.write(frame(small))
        assert honest.send(oru("LBhonest")) == "AA"
        answers = [big.answer() for _ in range(200)]
    assert [a.split(b"MSA|AA|")[1].rstrip(b"\r") for a in answers] == [b"LB%d" % n for n in range(200)]


def two_patients(first, second):
    one, two = oru("SP1", mrn="10000001", value=first), oru("SP1", mrn="10000002", value=second)
    return one + b"PID" + two.partition(b"PID")[2]


def test_a_message_about_two_patients_is_split_and_both_are_served_once(site, recipient):
    with Client(site.port()) as client:
        assert client.send(two_patients("11.25", "12.25")) == "AA"
    site.wait(lambda: {b"11.25", b"12.25"} <= set(recipient.values()))
    time.sleep(0.3)
    assert recipient.values().count(b"11.25") == recipient.values().count(b"12.25") == 1
    subjects = site.rows(
        "SELECT subject FROM ledger_record WHERE kind = 'message.accepted' ORDER BY idx DESC LIMIT 2"
    )
    assert len(set(subjects)) == 2


def test_a_mismatch_can_be_understood_mended_or_discarded(tmp_path):
    recipient = Recipient()
    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": recipient.address}))
    pinned = Device(
        id="mon-1", kind="monitor", addresses=frozenset({"127.0.0.1"}), senders=frozenset({"ELSE"})
    )
    site.add(pinned)
    site.start()
    try:
        with Client(site.port()) as client:
            assert [client.send(oru(f"I{n}", value="63.5")) for n in range(2)] == ["AA"] * 2
        [stranger] = site.cli("device", "held")["held"]
        assert (stranger["reason"], stranger["belongs_to"]) == ("device.identity-mismatch", ["mon-1"])
        assert stranger["messages"] == 2
        held = site.cli("quarantine", "list")["held"]
        shown = site.cli("quarantine", "show", held[0]["message"][-12:])
        assert shown["belongs_to"] == "mon-1"
        assert shown["called_itself"].startswith(stranger["application"])
        again = site.cli(
            "quarantine", "release", "--device-held", stranger["id"], "--why", "try", check=False
        )
        assert [one["released"] for one in again["released"]] == [False, False]
        site.cli("quarantine", "discard", "--device-held", stranger["id"], "--why", "garbage")
        assert site.cli("quarantine", "list")["counts"] == {}
        assert site.rows("SELECT COUNT(*) FROM kept_body WHERE purpose = 'quarantine'") == [(0,)]
        assert len(site.records("message.discarded")) == 2
        assert site.cli("ledger", "verify")["ok"]
        assert recipient.kept == []
    finally:
        site.stop()
        recipient.close()
