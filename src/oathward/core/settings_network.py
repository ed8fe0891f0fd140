"""Settings of the living picture's network; part of ``settings``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """`oathward observe`: flows that sensors saw."""

    realm: str = ""  # where the addresses of a source mean something, if nobody says; empty: the site's name
    flow_days: int = 30  # how long single flows are kept, as files
    total_days: int = 400  # how long totals by hour are kept, and conversations that nobody saw since
    memory_bytes_max: int = 1_610_612_736  # address space of the process that reads a source
    probes: bool = (
        False  # whether a person may order one probe of one endpoint; nothing is ever probed by itself
    )
    silence_s_max: float = 600.0  # a source of which nothing comes for so long, while it is read, is given up
