"""The made-up patient of the examples, and what a site's own devices and authorities are called in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from oathward.core.authorities import keys_of
from oathward.inventory.model import Device, Status

_OID = "ISO:"
_LENGTH_MAX = 60
"""Characters of a site's word: so long it stands in every format's field."""


@dataclass(frozen=True, slots=True)
class Story:
    """Who and what the examples tell of. Nobody in them exists; telephone numbers are those of fiction.

    Args:
        namespace, oid: what the authority of the patient's number is called.
        born, at: ISO 8601; ``at`` is UTC.
        unit: how messages name the device (EUI-64, serial).
    """

    number: str = "7000123456"
    national: str = "900-55-0142"
    namespace: str = "HOSP"
    oid: str = "1.2.826.0.1.3680043.10.1"
    family: str = "Testperson"
    given: str = "Wilhelmina"
    born: str = "1956-04-17"
    street: str = "17 Invented Lane"
    city: str = "Nowhere"
    state: str = "AK"
    postcode: str = "99501"
    phone: str = "907-555-0142"
    relative: str = "Ottokar"
    doctor: str = "Sampledoc"
    doctor_given: str = "Ingeborg"
    doctor_number: str = "880417"
    stay: str = "V4402917"
    order: str = "ORD-77120"
    ward: str = "W3"
    at: str = "2026-03-01T08:15:00"
    application: str = "MONITOR"
    facility: str = "WARD"
    unit: str = "0011223344556677"
    kind: str = "monitor"
    make: str = "Invented Devices"
    model: str = "Vista 3"

    @property
    def note(self) -> str:
        """What somebody wrote about it."""
        day = f"{self.at[5:7]}/{self.at[8:10]}/{self.at[:4]}"
        return (
            f"{self.given} {self.family} was seen on {day} by Dr. {self.doctor_given} {self.doctor}. "
            f"MRN {self.number}, phone {self.phone}. Her husband {self.relative} was called. "
            "She slept well and has no pain; the saturation stayed above 95 % on room air."
        )


STORY = Story()


def of_site(devices: Iterable[Device], authorities: Mapping[str, Sequence[str]]) -> Story:
    """Tell the story with what a site calls its devices and authorities, as far as it says so.

    Args:
        devices: of its inventory; a monitor is taken before others, and one that says who is who last.
        authorities: as ``[patients.authorities]`` has them.
    """
    able = [one for one in devices if one.status is Status.ACTIVE]
    able.sort(key=lambda one: (one.authoritative_adt, "monitor" not in one.kind, one.id))
    story = _of_device(STORY, able[0]) if able else STORY
    named = (able[0].default_authority if able else "") or min(authorities, default="")
    return _of_authority(story, named, authorities.get(named, ())) if named else story


def _of_device(story: Story, device: Device) -> Story:
    application, _, facility = min(device.senders, default="").partition("|")
    told = {
        "application": application,
        "facility": facility,
        "unit": min(device.equipment, default="") or device.serial or device.id,
        "kind": device.kind,
        "make": device.make,
        "model": device.model,
        "ward": device.location,
    }
    return replace(story, **{key: value[:_LENGTH_MAX] for key, value in told.items() if value})


def _of_authority(story: Story, name: str, called: Sequence[str]) -> Story:
    keys = [key for one in (name, *called) for key in keys_of(*[*one.split("&"), "", ""][:3]) if key]
    spaces = [key for key in keys if ":" not in key]
    oids = [key.removeprefix(_OID) for key in keys if key.startswith(_OID)]
    return replace(story, namespace=next(iter(spaces), ""), oid=next(iter(oids), story.oid))
