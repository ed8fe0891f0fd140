"""Deliveries to a FHIR recipient by a whole site: judged by what the recipient was asked and kept."""

import base64
import json
import os
import signal
import time
from collections import Counter

import pytest
from tests.faults.load import Sender
from tests.fhir_recipient import FhirRecipient
from tests.site import Site, bundle, local
from tests.wire import Client, found_in, oru

from oathward_sim.envelope import Reader


@pytest.fixture
def recipient(tmp_path):
    recipient = FhirRecipient(tmp_path / "outside")
    yield recipient
    recipient.close()


@pytest.fixture
def site(tmp_path, recipient):
    site = Site.make(tmp_path / "s")
    recipient.trusted_by(site.folder)
    site.add(local())
    yield site
    site.stop()


def declare(site, recipient, *, on_exhausted="block", **how):
    """Activate a bundle with this recipient on a care link."""
    files = bundle({"care": recipient.address})
    files["recipients/care.toml"] = recipient.declared("care", **how)
    link = files["links/care.toml"].replace(
        b'on_exhausted = "block"', f'on_exhausted = "{on_exhausted}"'.encode()
    )
    site.activate(files | {"links/care.toml": link})


def send(site, *values, sender="MON1"):
    with Client(site.port()) as client:
        for value in values:
            assert client.send(oru(f"{sender}-{value}", sender=sender, value=value)) == "AA"


def bodies(site, kind):
    return [record["body"] for record in site.records(kind)]


def troubles(site):
    return [
        body["reason"] for body in bodies(site, "finding.raised") if body["finding"] == "delivery.trouble"
    ]


def waiting(site):
    return [state for (state,) in site.rows("SELECT state FROM outbox ORDER BY seq")]


def delivered(site):
    site.wait(lambda: waiting(site) == [])


def test_what_came_as_hl7_v2_is_put_as_fhir_with_a_receipt(site, recipient):
    declare(site, recipient)
    site.start()
    send(site, "71", "72", "73")
    delivered(site)
    assert recipient.values() == ["71", "72", "73"]
    assert {line.split()[1].split("/")[1] for line, _ in recipient.tried} == {"fhir"}
    kinds = Counter(place.split("/")[0] for place in recipient.now())
    assert kinds["Observation"] == 3
    assert kinds["Patient"] == 1, "the same person is put under the same id"
    records = bodies(site, "message.delivered")
    assert [record["answer"] for record in records] == ["200"] * 3
    assert all(len(record["receipt"]) == 64 for record in records)
    assert site.cli("ledger", "verify")["ok"]


def test_what_a_recipient_answers_stands_nowhere(site, recipient):
    planted = "Zyxthorpe-answered-this"
    recipient.script = [
        (500, {"text": planted}),
        (422, {"resourceType": "OperationOutcome", "issue": [{"code": "invariant", "diagnostics": planted}]}),
    ]
    declare(site, recipient)
    site.start()
    send(site, "71")
    site.wait(lambda: waiting(site) == ["blocked"])
    [dead] = bodies(site, "message.dead")
    assert (dead["reason"], dead["answer"], dead["codes"]) == ("delivery.refused", "422", ["invariant"])
    assert {body["finding"] for body in bodies(site, "finding.raised")} >= {"delivery.blocked"}
    assert not found_in(site.folder, [planted.encode()])


def test_a_refused_message_blocks_its_sender_and_a_person_puts_it_back(site, recipient):
    recipient.script = [400]
    declare(site, recipient)
    site.start()
    send(site, "71", "72")
    site.wait(lambda: waiting(site) == ["blocked", "pending"])
    assert recipient.values() == []
    [row] = [row for row in site.cli("outbox", "list")["rows"] if row["state"] == "blocked"]
    site.cli("outbox", "retry", row["id"], "--why", "mended there")
    delivered(site)
    assert recipient.values() == ["71", "72"]


def test_on_a_skip_link_a_refused_message_is_dead_at_once_and_the_rest_goes_on(site, recipient):
    recipient.script = [400]
    declare(site, recipient, on_exhausted="skip")
    site.start()
    send(site, "71", "72", "73")
    site.wait(lambda: waiting(site) == ["dead"])
    assert recipient.values() == ["72", "73"]


def test_trouble_that_passes_loses_nothing_doubles_nothing_and_keeps_the_order(site, recipient):
    recipient.script = [503, 500, "cut", 429, 409, "cut", 502, 408]
    declare(site, recipient)
    site.start()
    values = [str(n) for n in range(100, 120)]
    send(site, *values)
    delivered(site)
    assert list(dict.fromkeys(recipient.values())) == values
    by_place = {}
    for place, body in recipient.puts:
        assert by_place.setdefault(place, body) == body, "sent again: the same bytes to the same place"
    assert len(recipient.values()) == 22, (
        "the two whose answer was cut came twice, and are one at the far end"
    )
    assert sum(place.startswith("Observation/") for place in recipient.now()) == 20


def test_a_recipient_that_does_not_accept_us_costs_nothing_and_is_a_finding(site, recipient):
    recipient.always = 403
    declare(site, recipient)
    site.start()
    send(site, "71", "72")
    assert site.wait(lambda: troubles(site)) == ["delivery.not-authorised"]
    assert waiting(site) == ["pending", "pending"]
    recipient.always = None
    delivered(site)
    assert recipient.values() == ["71", "72"]
    assert len(troubles(site)) == 1


def test_nothing_is_sent_under_another_name_and_all_once_the_name_is_right(site, recipient):
    declare(site, recipient, server_name="elsewhere.example")
    site.start()
    send(site, "71")
    assert site.wait(lambda: troubles(site)) == ["delivery.recipient-untrusted"]
    assert (recipient.tried, waiting(site)) == ([], ["pending"])
    declare(site, recipient)
    delivered(site)
    assert recipient.values() == ["71"]


def test_sealed_end_to_end_it_is_a_binary_that_only_its_reader_opens(site, recipient):
    reader = Reader()
    declare(site, recipient, key=base64.b64encode(reader.public).decode())
    site.start()
    send(site, "71", "72")
    delivered(site)
    binaries = [(place, json.loads(body)) for place, body in recipient.puts]
    assert all(place == f"Binary/{binary['id']}" for place, binary in binaries)
    assert {binary["contentType"] for _, binary in binaries} == {"application/octet-stream"}
    letters = [reader.open(json.dumps(binary).encode()) for _, binary in binaries]
    assert [letter.outgoing_id.lower() for letter in letters] == [binary["id"] for _, binary in binaries]
    assert all(json.loads(letter.data)["resourceType"] == "Bundle" for letter in letters)
    assert not any(b"Doe" in body for _, body in recipient.puts)


@pytest.mark.parametrize("kills", [4])
def test_kill_9_of_the_courier_during_sends_loses_nothing_and_leaves_one_of_each(site, recipient, kills):
    declare(site, recipient)
    site.start()
    senders = [Sender(f"{name}x", site.port, 60) for name in "abcd"]
    # A sender's values must be numbers here: its letter becomes a leading digit.
    for number, sender in enumerate(senders):
        sender.name_ = f"{number + 1}00"
        sender.start()
    killed = set()
    for _ in range(kills):
        time.sleep(0.4)
        _kill(site, killed)
    assert len(killed) == kills
    for sender in senders:
        sender.join(60)
    site.wait(lambda: waiting(site) == [], 30)
    values = recipient.values()
    sent = [value for sender in senders for value in sender.acked]
    assert len(sent) == 240
    assert set(sent) <= set(values), "nothing lost"
    observations = {
        place: body for place, body in recipient.now().items() if place.startswith("Observation/")
    }
    assert len(observations) == len(set(values)) == 240, "one of each at the far end"
    for sender in senders:
        first = list(dict.fromkeys(v for v in values if v.startswith(sender.name_)))
        assert first == sorted(first, key=int), "in order"
    seen = {}
    assert all(
        seen.setdefault(place, body) == body for place, body in recipient.puts if place.startswith("Obs")
    )
    assert site.cli("ledger", "verify")["ok"]


def _kill(site, killed):
    """kill -9 a courier that was not killed yet."""

    def another():
        try:
            status = site.status("courier")
        except (OSError, ValueError):
            return 0
        return status["pid"] if status["state"] == "ready" and status["pid"] not in killed else 0

    pid = site.wait(another, 30)
    os.kill(pid, signal.SIGKILL)
    killed.add(pid)
