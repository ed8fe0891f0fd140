"""What a message only mentions at a FHIR recipient: made where it is missing, never changed; judged by what it holds."""

import json

import pytest
from tests.fhir_recipient import FhirRecipient
from tests.site import Site, bundle, local
from tests.v2fhir import references
from tests.wire import Client

from oathward.courier.places import Places

AT = "20260504081500+0000"
RICH = "PID|1||123^^^HOSP^MR||Doe^Jane^Q||19700131|F|||1 Main St^^Town||555^PRN^PH|||M\rPV1|1|I|ICU^101^A||||D1^House^Greg||||||||||||V1^^^HOSP^VN|||||||||||||||||||||||||20260503"
SPARSE = "PID|1||123^^^HOSP^MR\rPV1|1|I|ICU^101^A||||D1||||||||||||V1^^^HOSP^VN"
UNIT = "69965^MDC_MON_PHYSIO_MULTI_PARAM_MDS^MDC"
RATE = "OBX|2|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|{value}|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R"
EQUIPMENT = "||||||MON1X^^00AB^EUI-64"


def adt(control_id: str, event: str = "A01", body: str = RICH) -> bytes:
    return f"MSH|^~\\&|ADT1|WARD|OATHWARD|SITE|{AT}||ADT^{event}|{control_id}|P|2.6\rEVN||{AT}\r{body}\r".encode()


def oru(
    control_id: str, value: str = "72", type_: str = "ORU^R01^ORU_R01", row: str = RATE + EQUIPMENT
) -> bytes:
    head = f"MSH|^~\\&|MON1|WARD|OATHWARD|SITE|{AT}||{type_}|{control_id}|P|2.6\r{SPARSE}\r"
    return f"{head}OBR|1|||{UNIT}|||{AT}\r{row.format(value=value)}\r".encode()


@pytest.fixture
def recipient(tmp_path):
    recipient = FhirRecipient(tmp_path / "outside")
    recipient.whole = True
    yield recipient
    recipient.close()


@pytest.fixture
def site(tmp_path, recipient):
    site = Site.make(tmp_path / "s")
    recipient.trusted_by(site.folder)
    site.add(local())
    yield site
    site.stop()


REGISTRY = (
    (b'"TREAT"', b'"HRESCH"'),
    (b'profile = "treatment"', b'profile = "safe-harbor"\nproject = "registry"'),
    (b"carries_identity = true", b"carries_identity = false"),
    (b'uncatalogued = "pass"', b'uncatalogued = "remove"'),
    (b'"care-team"', b'"hold"'),
)
"""What makes a care link one of a pseudonymised registry."""


def declare(site: Site, recipient: FhirRecipient, more: bytes = b"", *, registry: bool = False) -> None:
    """Activate a bundle with this recipient on a care link, or a registry's; ``more``: lines of the link."""
    files = bundle({"care": recipient.address})
    files["recipients/care.toml"] = recipient.declared("care")
    link = files["links/care.toml"].replace(b'on_exhausted = "block"\n', b'on_exhausted = "block"\n' + more)
    for before, after in REGISTRY if registry else ():
        link = link.replace(before, after)
    site.activate(files | {"links/care.toml": link})


def waiting(site: Site) -> list[str]:
    return [state for (state,) in site.rows("SELECT state FROM outbox ORDER BY seq")]


def send(site: Site, *messages: bytes) -> None:
    with Client(site.port()) as client:
        for message in messages:
            assert client.send(message) == "AA"
    site.wait(lambda: waiting(site) == [])


def held(recipient: FhirRecipient, type_: str) -> dict[str, dict]:
    return {
        place: json.loads(body) for place, body in recipient.now().items() if place.startswith(f"{type_}/")
    }


def one(recipient: FhirRecipient, type_: str) -> dict:
    (found,) = held(recipient, type_).values()
    return found


def unresolved(recipient: FhirRecipient) -> set[str]:
    there = recipient.now()
    return {to for body in there.values() for to in references(json.loads(body))} - there.keys()


def test_a_pseudonymised_patient_is_untouched_by_the_results_that_follow(site, recipient):
    declare(site, recipient, registry=True)
    site.start()
    send(site, adt("A"))
    before = one(recipient, "Patient")
    assert before["identifier"][0]["value"] == before["id"], "known by the pseudonym"
    assert before["gender"] == "female"
    assert b"Doe" not in recipient.tried[0][1]
    send(site, oru("R1"))
    assert one(recipient, "Patient") == before
    assert one(recipient, "Observation")["subject"] == {"reference": f"Patient/{before['id']}"}
    assert unresolved(recipient) == set()
    for said in map(json.loads, recipient.made):
        assert said["policy"] == ["urn:oathward:profile:safe-harbor"]
        delivery = said["entity"][0]["what"]["identifier"]["value"]
        assert site.cli("trace", "back", delivery)["came"], "the way back from what the recipient was told"


def test_of_what_leaves_as_it_came_nothing_is_said_of_how_it_was_made(site, recipient):
    declare(site, recipient)
    site.start()
    send(site, adt("A"))
    assert recipient.made == [""]


OTHER = "PID|1||456^^^HOSP^MR||Roe^Richard||19600102|M"
MOVES = {
    "A17": f"{RICH}\r{OTHER}\rPV1|1|I|ICU^102^B||||||||||||||||V2^^^HOSP^VN",
    "A24": f"{RICH.partition(chr(13))[0]}\r{OTHER}",
    "A37": f"{RICH.partition(chr(13))[0]}\r{OTHER}",
    "A45": RICH.replace("\rPV1", "\rMRG|456^^^HOSP^MR||||V7^^^HOSP^VN\rPV1"),
    "A47": f"{RICH.partition(chr(13))[0]}\rMRG|99^^^HOSP^MR",
    "A50": RICH.replace("\rPV1", "\rMRG|123^^^HOSP^MR||||V8^^^HOSP^VN\rPV1"),
}


def test_swaps_links_moves_and_changed_numbers_leave_as_fhir_and_what_cannot_is_held_with_its_reason(
    site, recipient
):
    declare(site, recipient)
    site.start()
    for event, body in MOVES.items():
        before = len(recipient.tried)
        send(site, adt(event, event, body))
        assert len(recipient.tried) == before + 1, event
        if event in {"A24", "A37"}:
            linked = {
                link["type"] for each in held(recipient, "Patient").values() for link in each.get("link", ())
            }
            assert linked == ({"seealso"} if event == "A24" else set())
    assert unresolved(recipient) == set()
    states = {
        each["identifier"][0]["value"]: each["status"] for each in held(recipient, "Encounter").values()
    }
    assert {states["V7"], states["V8"]} == {"entered-in-error"}
    send(site, adt("A43", "A43", MOVES["A47"]))
    said = [
        record["body"] for kind in ("message.quarantined", "message.held") for record in site.records(kind)
    ]
    assert "mapping.unsupported" in json.dumps(said)


@pytest.mark.parametrize("kind", ["result", "alarm"])
def test_an_admission_is_untouched_by_the_results_that_follow(site, recipient, kind):
    declare(site, recipient)
    site.start()
    send(site, adt("A"))
    before = {place: body for place, body in recipient.now().items() if not place.startswith("Observation/")}
    assert (
        one(recipient, "Patient")["name"][0]["family"],
        one(recipient, "Encounter")["period"]["start"],
    ) == (
        "Doe",
        "2026-05-03",
    )
    alert = "OBX|2|ST|196916^MDC_EVT_SENSOR_DISCONN^MDC|1.1.1.1|off||||||F" + EQUIPMENT
    more = {"type_": "ORU^R40^ORU_R40", "row": alert} if kind == "alarm" else {}
    send(site, oru("R1", **more), oru("R2", "73", **more))
    now = recipient.now()
    assert {place: now[place] for place in before} == before, "byte for byte as the admission left them"
    observations = held(recipient, "Observation")
    assert len(observations) == 2
    assert {each["subject"]["reference"] for each in observations.values()} == set(held(recipient, "Patient"))
    assert {each["encounter"]["reference"] for each in observations.values()} == set(
        held(recipient, "Encounter")
    )
    assert unresolved(recipient) == set()
    assert b"ifNoneMatch" not in b"".join(body for _, body in recipient.tried)
    assert len(recipient.reads) == len(set(recipient.reads)), "nothing is asked for twice"
    assert site.cli("ledger", "verify")["ok"]


def test_a_result_before_its_admission_makes_the_patient_that_the_admission_then_describes(site, recipient):
    declare(site, recipient)
    site.start()
    send(site, oru("R1"))
    sparse = one(recipient, "Patient")
    assert "name" not in sparse
    assert sparse["identifier"][0]["value"] == "123"
    assert unresolved(recipient) == set()
    send(site, adt("A"), oru("R2", "73"))
    rich = one(recipient, "Patient")
    assert rich["id"] == sparse["id"]
    assert (rich["name"][0]["family"], rich["address"][0]["city"]) == ("Doe", "Town")
    assert one(recipient, "Encounter")["period"]["start"] == "2026-05-03"
    assert {each["subject"]["reference"] for each in held(recipient, "Observation").values()} == {
        f"Patient/{rich['id']}"
    }
    assert unresolved(recipient) == set()


def test_a_device_that_described_itself_stays_so_when_a_row_only_names_it(site, recipient):
    declare(site, recipient)
    site.start()
    described = f"OBX|1||{UNIT}|1.0.0.0|||||||X{EQUIPMENT}\r{RATE}"
    send(site, oru("R1", row=described), oru("R2", row=RATE + EQUIPMENT))
    assert one(recipient, "Device")["type"]["coding"][0]["code"] == "69965"


def test_after_a_restart_nothing_is_remembered_and_nothing_overwritten(site, recipient):
    declare(site, recipient)
    site.start()
    send(site, adt("A"))
    site.stop()
    site.start()
    send(site, oru("R1"))
    assert one(recipient, "Patient")["name"][0]["family"] == "Doe"


def test_a_patient_deleted_there_is_made_again_by_the_next_result(site, recipient):
    declare(site, recipient)
    site.start()
    send(site, adt("A"), oru("R1"))
    with recipient.lock:
        recipient.puts = [(place, body) for place, body in recipient.puts if not place.startswith("Patient/")]
    send(site, oru("R2", "73"))
    assert one(recipient, "Patient")["identifier"][0]["value"] == "123"
    assert unresolved(recipient) == set()


def test_a_recipient_that_may_not_be_read_gets_nothing_until_its_link_says_update(site, recipient):
    recipient.unreadable = 405
    declare(site, recipient)
    site.start()
    with Client(site.port()) as client:
        assert client.send(oru("R1")) == "AA"
    site.wait(lambda: waiting(site) == ["blocked"])
    assert recipient.tried == []
    [dead] = [record["body"] for record in site.records("message.dead")]
    assert (dead["reason"], dead["answer"]) == ("delivery.refused", "405")
    declare(site, recipient, b'mentioned = "update"\n')
    [row] = site.cli("outbox", "list")["rows"]
    site.cli("outbox", "retry", row["id"], "--why", "the link says update now")
    site.wait(lambda: waiting(site) == [])
    assert one(recipient, "Patient")["identifier"][0]["value"] == "123"


def test_a_link_that_says_update_writes_everything_and_reads_nothing(site, recipient):
    recipient.unreadable = 405
    declare(site, recipient, b'mentioned = "update"\n')
    site.start()
    send(site, adt("A"), oru("R1"))
    assert "name" not in one(recipient, "Patient")
    assert recipient.reads == []


def test_reverse_a_recipient_said_to_be_empty_loses_the_admission(site, recipient):
    """Without the answer to the read, the sparse one is written: it is the read that keeps it."""
    recipient.unreadable = 404
    declare(site, recipient)
    site.start()
    send(site, adt("A"))
    site.stop()  # what the courier remembers would keep it too
    site.start()
    send(site, oru("R1"))
    assert "name" not in one(recipient, "Patient")


def test_the_recipient_itself_answers_a_condition_as_rfc_9110_says(recipient):
    body = json.dumps(
        {
            "resourceType": "Bundle",
            "entry": [
                {"resource": {"resourceType": "Patient", "id": "p"}, "request": {"method": "PUT", "url": "Patient/p", "ifNoneMatch": "*"}}
            ],
        }
    ).encode()  # fmt: skip

    class Asked:
        command = "POST"

    assert recipient.judged(Asked, body) == 200
    recipient.puts.append(("Patient/p", b"{}"))
    assert recipient.judged(Asked, body) == 412
    assert not Places().known("Patient/p")
