"""Stays for tests: ADT by hand, and people as the keeper signs them."""

from __future__ import annotations

from oathward.policy.people import Person

STRUCTURES = {"A01": "ADT_A01", "A04": "ADT_A01", "A08": "ADT_A01", "A40": "ADT_A39"}
MONITOR = "MON1"


def adt(
    event: str,
    *,
    said: str,
    mrn: str = "5550001",
    at: str = "",
    place: str = "ICU^101^A^HOSP",
    attending: str = "D1^Okonjowa^Beatrix^^^^^^HOSP",
    visit: str = "V1^^^HOSP^VN",
    gone: str = "",
    patient_class: str = "I",
    mrg: str = "",
    name: str = "Zebulonova^Quixotella",
    control_id: str = "",
) -> bytes:
    """One ADT message; ``said`` and ``at`` are EVN-2 and EVN-6."""
    pv1 = [""] * 46
    pv1[1], pv1[2], pv1[3], pv1[7], pv1[19], pv1[45] = "1", patient_class, place, attending, visit, gone
    structure = STRUCTURES.get(event, f"ADT_{event}")
    segments = [
        f"MSH|^~\\&|ADT1|HOSP|OATHWARD|SITE|{said}||ADT^{event}^{structure}|{control_id or event + said + mrn}|P|2.6",
        f"EVN||{said}||||{at}",
        f"PID|1||{mrn}^^^HOSP^MR||{name}||19310203|F",
        *([f"MRG|{mrg}^^^HOSP^MR"] if mrg else []),
        *([] if mrg else ["PV1|" + "|".join(pv1[1:]).rstrip("|")]),
    ]
    return ("\r".join(segments) + "\r").encode()


def person(id_: str = "p-1", **more: object) -> Person:
    """Somebody; ``units`` and ``staff_ids`` as sets."""
    facts = {name: frozenset(value) if isinstance(value, set) else value for name, value in more.items()}
    return Person(id=id_, name=facts.pop("name", f"Person {id_}"), **facts)
