"""Lists that nobody here wrote: GUDID's own file, makers' MUD files, devices of HL7's guides. A second reader says what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import orjson
import pytest
from tests.corpus import CORPUS, needs_corpus

from oathward.discovery.lists.opening import sources
from oathward.discovery.lists.reading import How, Refused, Told, format_of
from oathward.discovery.model import MarkKind

pytestmark = [pytest.mark.corpus, needs_corpus]
HOW = How(realm="main", at_us=1_780_000_000_000_000)
NS = "{http://www.fda.gov/cdrh/gudid}"


def read(path: Path) -> Iterator[Told | Refused]:
    with path.open("rb") as stream:
        for source in sources(path.name, stream):
            known = format_of(source.head, source.name)
            assert known is not None, path.name
            yield from known[1].read([source], HOW)


def test_every_device_of_gudid_says_what_a_second_reader_finds():
    for path in (CORPUS / "inventory" / "gudid-dental").glob("*.xml"):
        found = {one.what.di: one.what for one in read(path) if isinstance(one, Told)}
        devices = ET.parse(path).getroot().findall(f"{NS}device")
        assert len(found) == len(devices) == 44
        for device in devices:
            [di] = [
                one.findtext(f"{NS}deviceId", "")
                for one in device.iter(f"{NS}identifier")
                if one.findtext(f"{NS}deviceIdType") == "Primary"
            ]
            row = found[di]
            assert row.brand == device.findtext(f"{NS}brandName", "").strip()
            assert row.company == device.findtext(f"{NS}companyName", "").strip()
            assert row.model == device.findtext(f"{NS}versionModelNumber", "").strip()
            assert row.mri == device.findtext(f"{NS}MRISafetyStatus", "").strip()
            for name in (one.text for one in device.iter(f"{NS}gmdnPTName")):
                assert (name or "")[:100] in row.gmdn_term


def test_every_rule_of_makers_mud_files_is_understood():
    seen = 0
    for path in (CORPUS / "inventory").glob("mud-*/**/*.json"):
        document = orjson.loads(path.read_bytes())
        if "ietf-mud:mud" not in document:
            continue
        found = list(read(path))
        assert [one for one in found if isinstance(one, Refused)] == [], path.name
        text = path.read_text()
        [model] = [one.what for one in found if isinstance(one, Told)]
        assert len(model.rules) == text.count('"forwarding"'), path.name
        for rule in model.rules:
            assert all(peer.value in text for peer in rule.peers), path.name
        seen += 1
    assert seen == 6


def test_devices_of_hl7s_guides_are_known_by_their_identifiers():
    devices = {}
    for path in sorted((CORPUS / "fhir").glob("p*-ig-examples/*")):
        if path.name.startswith(("phd-", "phg-", "Device-")):
            devices[path.name] = [one.what for one in read(path) if isinstance(one, Told)]
    assert len(devices) == 13
    for name, told in devices.items():
        if name.startswith("ph"):
            [said] = told
            text = next((CORPUS / "fhir").glob(f"p*/{name}")).read_text().replace("-", "").casefold()
            assert {mark.value for mark in said.marks if mark.kind is MarkKind.EUI64}
            assert all(mark.value in text for mark in said.marks if mark.kind is MarkKind.EUI64)
    [monitor] = devices["Device-PhysioMonitorMdsDevice.xml"]
    assert {mark.kind for mark in monitor.marks} == {MarkKind.EUI64, MarkKind.UDI, MarkKind.SERIAL}
