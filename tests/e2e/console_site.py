"""A site with something to see on every page of the console; for the browser tests and the screenshots."""

from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.site import Site, bundle
from tests.wire import Client, Recipient, oru

from oathward.inventory.model import Device

SECRETS = ("Zebulonova", "Quixotella", "90817263", "19310203")
"""Words of the one patient whose messages are sent: none may stand on any page."""


def about(control_id: str, **more: str) -> bytes:
    """A message full of what no page may say."""
    body = oru(control_id, name="Zebulonova^Quixotella", mrn="90817263", **more)
    return body.replace(b"19700131", b"19310203")


@contextmanager
def busy_site(folder: Path, *, messages: int = 60):
    """A served site: two recipients of which one is away, known and unknown devices, messages accepted and held."""
    ehr, away = Recipient(), Recipient()
    away_address = away.address
    away.close()
    site = Site.make(folder, mllp="message_size_bytes_max = 100000", tls=True)
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
    site.start()
    try:
        with Client(site.port()) as client:
            for n in range(messages):
                sender = ("MON1", "MON2", "PUMP1")[n % 3]
                assert client.send(about(f"A{n}", sender=sender, value=str(60 + n % 40))) == "AA"
            for n in range(5):
                assert client.send(about(f"U{n}", sender="INFUSER-99")) == "AA", "held"
            client.send(b"this is not HL7")
        site.wait(lambda: len(ehr.kept) >= messages)
        yield site
    finally:
        site.stop()
        ehr.close()
