"""Write an estate into a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oathward_sim.estate import lists, readme
from oathward_sim.estate.population import SITES, START, Population
from oathward_sim.estate.story import Site
from oathward_sim.estate.truth import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """What was written: how many devices, rows of logs and bytes."""

    devices: int
    sites: int
    days: int
    seed: int
    rows: int
    bytes: int


def make(out: Path, *, devices: int, sites: int, days: int, seed: int) -> Estate:
    """Write an estate.

    Args:
        out: a folder that does not exist, or is empty. devices: about how many, servers and routers among them. sites: at most eight.

    Raises:
        FileExistsError: there is something in the folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise FileExistsError(str(out))
    people = Population(seed, devices, sites, days * 24)
    truth = Truth(out / "truth", round(START.timestamp() * 1_000_000))
    for device in people:
        if device.claim:
            victim = people.devices[device.victim]
            value = {"serial": victim.serial, "mac": victim.nics[0].mac, "host": victim.host}[device.claim]
            at, begin, until = device.stays[0]
            truth.lie(
                "intruder",
                SITES[at],
                device.id,
                victim.id,
                (device.claim, value),
                begin * 3_600,
                until * 3_600,
            )
    rows = 0
    for number in range(sites):
        folder = out / SITES[number]
        folder.mkdir()
        site = Site(folder, people, number, truth)
        rows += site.tell()
        lists.write(folder, people, truth, number, site.segments, site.addresses)
    truth.close(people)
    made = Estate(devices=len(people.devices), sites=sites, days=days, seed=seed, rows=rows, bytes=0)
    readme.write(out, made)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return Estate(devices=made.devices, sites=sites, days=days, seed=seed, rows=rows, bytes=size)
