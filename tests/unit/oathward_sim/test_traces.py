"""The judge's search finds people however they are written, and finds nobody where nobody is."""

import base64
import gzip
import json
import random
import urllib.parse
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from oathward_sim.hospital import build
from oathward_sim.traces import Index

HOSPITAL = build(1, datetime(2026, 5, 4, 8, 0, tzinfo=UTC))
WHO = replace(
    HOSPITAL.patients[0],
    family="Müller-Lindqvist",
    given="Zoë",
    mrn="97123456",
    born="19590307",
    phone="(0555) 321-9876",
    email="zoe.ml@example.org",
    street="14 Quillfeather Lane",
    visit="V981234567",
)
INDEX = Index([WHO])


def obx(value):
    return f"MSH|^~\\&|A|B\rOBX|1|ST|1^X^L||{value}||||||F\r".encode()


FORMS = {
    "as it stands": (obx("Müller-Lindqvist"), "name"),
    "no accents, capitals": (obx("MULLER LINDQVIST"), "name"),
    "umlaut spelled out": (obx("Mueller"), "name"),
    "decomposed": (obx("Zoe\u0308"), "name"),
    "zero width inside": (obx("Lind\u200bqvist"), "name"),
    "given first, glued": (obx("zoemullerlindqvist"), "name"),
    "in components": (b"MSH|^~\\&|A\rPID|||97123456^^^HOSP^MR||x", "identifier"),
    "number with hyphens": (obx("97-12-34-56"), "identifier"),
    "number with a prefix": (obx("MRN97123456X"), "identifier"),
    "visit": (obx("v98-1234567"), "identifier"),
    "phone in another form": (obx("+0555 321 9876"), "phone"),
    "phone with dots": (obx("0555.321.9876"), "phone"),
    "e-mail": (obx("Zoe.ML(at)example.org").replace(b"(at)", b"@"), "email"),
    "street": (obx("14, quillfeather-lane"), "address"),
    "birth date, ISO": (obx("1959-03-07"), "birth-date"),
    "birth date, day first": (obx("07.03.1959"), "birth-date"),
    "birth date, month first": (obx("03/07/1959"), "birth-date"),
    "birth date, named month": (obx("7 March 1959"), "birth-date"),
    "birth date with a time": (obx("195903071200"), "birth-date"),
    "HL7 hex escape": (obx("\\X4C696E647176697374\\"), "name"),
    "HL7 escaped separator": (obx("97\\F\\123456"), "identifier"),
    "base64": (obx(base64.b64encode("seen: Zoë Müller-Lindqvist".encode()).decode()), "name"),
    "base64 of base64": (obx(base64.b64encode(base64.b64encode(b"Lindqvist, ward 4")).decode()), "name"),
    "url-safe base64": (
        obx(base64.urlsafe_b64encode("Lindqvist \u00ff\u00fe??".encode()).decode().rstrip("=")),
        "name",
    ),
    "hex": (obx(b"Lindqvist".hex()), "name"),
    "percent": (obx(urllib.parse.quote("Müller")), "name"),
    "JSON escapes": (obx(json.dumps("Müller")), "name"),
    "entities": (obx("M&#252;ller"), "name"),
    "UTF-16": ("Lindqvist".encode("utf-16-le"), "name"),
    "zlib in base64": (obx(base64.b64encode(zlib.compress(b"Lindqvist " * 5)).decode()), "name"),
    "gzip in base64": (obx(base64.b64encode(gzip.compress(b"Lindqvist " * 5)).decode()), "name"),
    "ISO 8859-1": ("MSH|^~\\&|A\rNTE|1||Frau Müller schläft ruhig heute Nacht".encode("latin-1"), "name"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_disguise_is_found(form):
    data, kind = FORMS[form]
    assert kind in {t.kind for t in INDEX.search(data)}


@pytest.mark.parametrize("form", FORMS)
def test_and_is_not_found_for_somebody_else(form):
    # Reverse: what is found above is this person's, not anything that looks like a person's.
    other = replace(
        WHO, family="Quirke", given="Eskil", mrn="97999999", born="19480101", phone="(0555) 111-2222",
        email="eskil@example.org", street="9 Saltpan Crescent", visit="V989999999", insurance="ZN0000000001",
        relative=("Quirke", "Dagny", "(0556) 777-8888"),
    )  # fmt: skip
    assert not Index([other]).search(FORMS[form][0])


def test_random_bytes_and_times_are_nobody():
    index, rng = Index(HOSPITAL.everyone), random.Random(11)
    for _ in range(200):
        assert not index.search(rng.randbytes(2_000))
        assert not index.search(obx(f"2026{rng.randrange(10**10):010d}.{rng.randrange(10**4):04d}+0000"))


def test_a_hit_names_everyone_who_has_that_value():
    child = replace(
        WHO, mrn="97000001", given="Neonate", mother=WHO.mrn, relative=(WHO.family, WHO.given, WHO.phone)
    )
    [trace] = [t for t in Index([WHO, child]).search(obx("0555 321 9876")) if t.kind == "phone"]
    assert trace.owners == {WHO.mrn, child.mrn}


def test_a_device_is_found_by_its_name_number_and_address():
    device = HOSPITAL.pumps[2]
    index = Index([], HOSPITAL.devices)
    for value in (device.name, device.serial, device.eui.lower(), f"{device.name}-1-000042"):
        assert {(t.kind, t.owners) for t in index.search(obx(value))} == {
            ("device", frozenset({device.name}))
        }
    assert not index.search(obx("PUMP"))
