"""Templates of NetFlow v9 and IPFIX: what exporters said their records are made of, in bounded memory.

Rules:
- A template means something for one exporter and observation domain alone; another exporter cannot change it.
- A template that is sent again replaces the one before; one without fields takes it back (RFC 7011 §8.1).
- Only fields that are used are looked at; the length of the others is all that matters of them. A length of 65535 is a field that says its own.
- Domains, templates and fields are bounded; the domain heard longest ago gives way.

Source: RFC 3954 §5 and §6 (NetFlow v9), RFC 7011 §3 and §8 (IPFIX), RFC 5103 (reverse elements), the IANA registry of IPFIX information elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from oathward.core.reasons import Reason
from oathward.discovery.logs.gathering import Gathered

DOMAINS_MAX = 1_024
TEMPLATES_MAX = 512
FIELDS_MAX = 512
_VARIABLE = 65_535
_REVERSE = 29_305  # the enterprise number whose elements are those of the other direction (RFC 5103 §6.1)
_ENTERPRISE = 0x8000

ELEMENTS: Mapping[int, str] = {
    1: "bytes",
    2: "packets",
    4: "protocol",
    7: "source_port",
    8: "source",
    11: "target_port",
    12: "target",
    21: "end_uptime",
    22: "start_uptime",
    27: "source",
    28: "target",
    34: "one_in",
    48: "sampler",
    50: "one_in",
    56: "source_mac",
    57: "target_mac",
    58: "vlan",
    80: "target_mac",
    85: "bytes",
    86: "packets",
    96: "application",
    147: "ssid",
    150: "start_s",
    151: "end_s",
    152: "start_ms",
    153: "end_ms",
    154: "start_ntp",
    155: "end_ntp",
    156: "start_ntp",
    157: "end_ntp",
    158: "start_before_us",
    159: "end_before_us",
    160: "boot_ms",
    161: "duration_ms",
    162: "duration_us",
    231: "bytes",
    232: "back_bytes",
    239: "direction",
    243: "vlan",
    298: "packets",
    299: "back_packets",
    302: "sampler",
    305: "sample_taken",
    306: "sample_passed",
    309: "sample_taken",
    310: "sample_of",
}
"""Information element -> what it is here; the numbers below 128 are those of NetFlow v9 too."""

_REVERSED: Mapping[int, str] = {1: "back_bytes", 2: "back_packets", 85: "back_bytes", 86: "back_packets"}
RAW = frozenset(("source", "target", "source_mac", "target_mac", "application", "ssid"))
"""What is kept as bytes; the rest are whole numbers."""


class Field(NamedTuple):
    """One field of a template: ``name`` empty where it is not used, ``length`` -1 where each record says it."""

    name: str
    length: int


@dataclass(frozen=True, slots=True)
class Template:
    """What a record is made of. ``length``: of a record, at least. ``is_options``: it tells of the exporter, not of flows."""

    fields: tuple[Field, ...]
    length: int
    is_options: bool = False


class Domain(NamedTuple):
    """Whose templates: ``exporter`` empty for a file."""

    exporter: str
    version: int
    number: int


class Templates:
    """Templates by domain and number, those heard longest ago at the front."""

    def __init__(self) -> None:
        self._domains: dict[Domain, dict[int, Template]] = {}

    def get(self, domain: Domain, number: int) -> Template | None:
        """Give a template; None where the exporter has not sent it, or took it back."""
        return self._domains.get(domain, {}).get(number)

    def take_set(self, domain: Domain, data: bytes, gathered: Gathered, *, options: bool) -> list[int]:
        """Take a set of templates; gives the numbers that are known now."""
        at, told = 0, []
        while at + 4 <= len(data):
            number, count = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])
            if number < 256 and not (count == 0 and number in (2, 3)):
                break  # padding, or what is no template
            at += 4
            if count == 0 and domain.version == 10:
                self._withdraw(domain, number, options=options)
                continue
            if options:
                at, count = at + 2, _options_count(domain.version, count, data[at : at + 2])
            read = _fields(data, at, count, domain.version)
            if read is None:
                gathered.refuse(Reason.OBSERVED_BROKEN, "template")
                break
            fields, at = read
            self._keep(domain, number, fields, gathered, options=options)
            told.append(number)
        return told

    def _keep(
        self, domain: Domain, number: int, fields: tuple[Field, ...], gathered: Gathered, *, options: bool
    ) -> None:
        of_domain = self._domains.pop(domain, {})
        self._domains[domain] = of_domain
        if len(self._domains) > DOMAINS_MAX:
            del self._domains[next(iter(self._domains))]
            gathered.refuse(Reason.OBSERVED_FULL, "domain")
        if number not in of_domain and len(of_domain) >= TEMPLATES_MAX:
            gathered.refuse(Reason.OBSERVED_FULL, "template")
            del of_domain[next(iter(of_domain))]
        of_domain[number] = Template(fields, sum(abs(one.length) for one in fields), options)

    def _withdraw(self, domain: Domain, number: int, *, options: bool) -> None:
        of_domain = self._domains.get(domain, {})
        gone = (
            [number]
            if number >= 256
            else [one for one, template in of_domain.items() if template.is_options == options]
        )
        for one in gone:
            of_domain.pop(one, None)


def _options_count(version: int, count: int, second: bytes) -> int:
    """Give how many fields a template of options has: v9 says the bytes of its two parts, IPFIX the fields in all."""
    return count if version == 10 else (count + int.from_bytes(second)) // 4


def _fields(data: bytes, at: int, count: int, version: int) -> tuple[tuple[Field, ...], int] | None:
    """Read the fields of a template; None where they are cut off, too many or nothing."""
    fields = []
    if not 0 < count <= FIELDS_MAX:
        return None
    for _ in range(count):
        if at + 4 > len(data):
            return None
        number, length = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])
        at += 4
        names = ELEMENTS
        if version == 10 and number & _ENTERPRISE:
            if at + 4 > len(data):
                return None
            names = _REVERSED if int.from_bytes(data[at : at + 4]) == _REVERSE else {}
            number, at = number & ~_ENTERPRISE, at + 4
        variable = version == 10 and length == _VARIABLE
        if length:  # one of no bytes says nothing, and a record of many would be work without data
            fields.append(Field(names.get(number, ""), -1 if variable else length))
    return (tuple(fields), at) if fields else None


def record_at(data: bytes, at: int, template: Template) -> tuple[dict[str, int | bytes], int] | None:
    """Read one record and where the next one begins; None where it is cut off."""
    record: dict[str, int | bytes] = {}
    for name, length in template.fields:
        if length < 0:
            length, at = _own_length(data, at)
        end = at + length
        if length < 0 or end > len(data):
            return None
        if name:
            said = data[at:end]
            record[name] = said if name in RAW else int.from_bytes(said[-8:])
        at = end
    return record, at


def _own_length(data: bytes, at: int) -> tuple[int, int]:
    """Read the length that a field says itself (RFC 7011 §7); -1 where it is cut off."""
    if at >= len(data):
        return -1, at
    if data[at] < 255:
        return data[at], at + 1
    return (int.from_bytes(data[at + 1 : at + 3]), at + 3) if at + 3 <= len(data) else (-1, at)
