"""A site with something to see on every page of the console; for the browser tests and the screenshots."""

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.fhir_wire import Http, bundle_of, device, observation
from tests.people import employ
from tests.site import Site, bundle
from tests.wire import Client, Recipient, oru

from oathward.core.clock import micros
from oathward.core.db import connect
from oathward.core.finding import Raised
from oathward.findings.reconciling import reconcile
from oathward.inventory.model import Device

SECRETS = ("Zebulonova", "Quixotella", "90817263", "19310203")
"""Words of the one patient whose messages are sent: none may stand on any page."""


def about(control_id: str, **more: str) -> bytes:
    """A message full of what no page may say."""
    body = oru(control_id, name="Zebulonova^Quixotella", mrn="90817263", **more)
    return body.replace(b"19700131", b"19310203")


def about_in_fhir() -> list[bytes | dict]:
    """The same patient as FHIR: a bundle, a note full of names, and bytes that are no JSON."""
    family, given, mrn, _ = SECRETS
    patient = {
        "resourceType": "Patient",
        "id": mrn,
        "name": [{"family": family, "given": [given]}],
        "birthDate": "1931-02-03",
        "identifier": [{"system": "urn:oid:1.2.3.4", "value": mrn}],
    }
    note = observation(mrn=mrn, note=[{"text": f"{given} {family} slept well"}])
    pair = bundle_of("transaction", ("PUT", f"Patient/{mrn}", patient), ("POST", "Observation", note))
    return [pair, note, f'{{"resourceType": "Observation", "note": "{family} {given} {mrn}'.encode()]


def released(site: Site, root: Path) -> None:
    """De-identify a small folder: a message of the same patient, and two files of which nothing may leave."""
    root.mkdir()
    (root / f"{SECRETS[0]}.hl7").write_bytes(about("D1"))
    (root / "picture.png").write_bytes(b"\x89PNG\r\n")
    (root / "cut.hl7").write_bytes(b"MSH|^~\\&|" + SECRETS[1].encode())
    site.cli(
        "deid",
        str(root),
        "--out",
        str(root.parent / "released"),
        "--profile",
        "safe-harbor",
        "--project",
        "registry",
        check=False,
    )


def watched(site: Site) -> None:
    """Tell findings as parts that watch the network do: grave and late ones, and more than a page has."""
    engine, site_id, now_us = (
        connect(site.settings.database_url),
        site.settings.site.name,
        micros(datetime.now(UTC)),
    )
    seen = [Raised("rule.forbids-flow", "fw-1/9", "link:ehr", details={"firewall": "fw-1", "line": 9})]
    seen += [
        Raised("flow.undeclared", f"mon-1>{n}", f"endpoint:e-{n}", details={"port": 445}) for n in range(60)
    ]
    terms = site.settings.findings
    reconcile(engine, site_id, "mapping", seen[1:9], terms, now_us - 20 * 86_400_000_000)
    reconcile(engine, site_id, "mapping", seen, terms, now_us)
    engine.dispose()


@contextmanager
def busy_site(folder: Path, *, messages: int = 60, fhir: bool = False):
    """A served site: two recipients of which one is away, known and unknown devices, messages accepted and held.

    Args:
        fhir: also a home hub that posts FHIR about the same patient.
    """
    ehr, away = Recipient(), Recipient()
    away_address = away.address
    away.close()
    site = Site.make(
        folder,
        mllp="message_size_bytes_max = 100000",
        tls=True,
        fhir="" if fhir else None,
        console=True,
    )
    drop = folder / "drop"
    drop.mkdir()
    registry = (f"file:{drop}", X25519PrivateKey.generate().public_key().public_bytes_raw())
    site.activate(bundle({"ehr": ehr.address, "ward-display": away_address}, registry))
    site.add(
        *(
            Device(
                id=id_, kind=kind, name=name, make="Acme", model="M1", location="ICU-3", owner="biomed",
                senders=frozenset({sender}), addresses=frozenset({"127.0.0.1"}), default_authority="HOSP",
            )
            for id_, kind, name, sender in (
                ("mon-1", "monitor", "Bed 1 monitor", "MON1"),
                ("mon-2", "monitor", "Bed 2 monitor", "MON2"),
                ("pump-1", "pump", "Infusion pump 1", "PUMP1"),
            )
        )
    )  # fmt: skip
    if fhir:
        site.add(device("hub-1", kind="hub", name="Home hub"))
    employ(site)
    site.start()
    try:
        if fhir:
            with Http(site, "hub-1") as hub:
                assert [hub.post("/fhir", one).status for one in about_in_fhir()[:1]] == [200]
                assert [hub.post("/fhir/Observation", one).status for one in about_in_fhir()[1:]] == [
                    201,
                    400,
                ]
        with Client(site.port()) as client:
            for n in range(messages):
                sender = ("MON1", "MON2", "PUMP1")[n % 3]
                assert client.send(about(f"A{n}", sender=sender, value=str(60 + n % 40))) == "AA"
            for n in range(5):
                assert client.send(about(f"U{n}", sender="INFUSER-99")) == "AA", "held"
            client.send(b"this is not HL7")
        site.wait(lambda: len(ehr.kept) >= messages)
        released(site, folder / "files")
        watched(site)
        yield site
    finally:
        site.stop()
        ehr.close()
