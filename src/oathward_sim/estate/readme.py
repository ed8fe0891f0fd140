"""The README of an estate: what each file of it is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class _Made(Protocol):
    @property
    def devices(self) -> int: ...
    @property
    def sites(self) -> int: ...
    @property
    def days(self) -> int: ...
    @property
    def seed(self) -> int: ...


_TEXT = """# A made-up estate

{devices} devices, {sites} sites, {days} days from Monday 4 May 2026, seed {seed}. Nobody and nothing in it exists: makers, serials, names and patients
are invented, and addresses outside the sites are those kept for documentation. The same options write the same bytes.

## What sensors and departments wrote

Each site has a folder. All sites have the same address plan, so say the realm when you read one:
`oathward observe north/zeek north/heads --realm north`.

| file | what |
|---|---|
| `zeek/DAY/*.log` | the sensor's logs: conn, dhcp, ssl, x509, http, dns, software, mqtt_connect, known_devices. `north` writes JSON, `south` Zeek's own tab-separated form, `west` JSON compressed |
| `heads/DAY.pcap` | the first message of each day of every device that says who it is: HL7 over MLLP with OBX-18, DICOM associations; each hour of pumps that have a dock, by themselves and through its gateway by turns |
| `radius.detail` | which card came to which wireless network |
| `cmms-first.csv`, `cmms-last.csv` | the CMMS export of the first and of the last hour |
| `netbox.json` | what NetBox has, as its API gives it |
| `wearables-MAKER.csv` | what makers tell of their wearables and hubs: off the network |
| `plan.csv` | networks, segments, zones |
| `declared.csv` | who may talk to whom, as the papers say; some of it nobody does. No command reads it: it is for you to compare with, as you declare links (`oathward map`) |

## What was so

`truth/` is for judging, not for reading with the rest.

| file | what |
|---|---|
| `devices.jsonl` | every device: type, maker, model, serial, cards, what it stands behind, in which gateway's dock it is put how often a day (`dock`, `docked`), where it was when, what became of it. `held_out`: no example to learn from may have its maker |
| `cards.csv` | which device had which network card at which site, from when until when (microseconds UTC) |
| `leases.csv` | which device had which address when |
| `lies.csv` | what somebody or some list said that is not so: intruders that claim another's serial, card or name, rows of the CMMS that are wrong, moments of a sensor's wrong clock |
| `flows.csv` | who talked to whom how often: `declared`, or what nobody declared |
"""


def write(out: Path, made: _Made) -> None:
    """Write it."""
    (out / "README.md").write_text(
        _TEXT.format(devices=made.devices, sites=made.sites, days=made.days, seed=made.seed), encoding="utf-8"
    )
