"""My devices and what they send: devices by name in plain words, the newest values, how each changed, where nothing came.

Rules:
- Values are opened by the keeper for this one answer, counted and recorded; nothing of them is kept, and none stands in an
  address. No other page opens any.
- The newest ``MESSAGES_MAX`` messages of ``DAYS`` days are read; the page says since when, and that older ones are kept.
- A flag is the device's own and is told calmly: whom to ask, never what it means.
- A proxy sees what was opened for them and nothing about the rest.

Deliberately absent: judgement of a value, a choice of days, alarms (they are for who stands at the bed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.bedside import picture, trend
from oathward.bedside.reading import read_all
from oathward.core.db import read
from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.messages import views as messages
from oathward.web.portal.copying import source
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.responses import Response

    from oathward.bedside.picture import Reading, Row
    from oathward.inventory.model import Device
    from oathward.web.portal.view import View

MESSAGES_MAX = 200
DAYS = 30
NEWEST = 10
"""So many values of a kind are listed."""

_DAY_US = 86_400_000_000
_KINDS = frozenset(("monitor", "pump", "ventilator", "gateway"))

PLAIN: Mapping[str, str] = {
    "Heart rate (ECG)": "heart_rate",
    "Heart rate": "heart_rate",
    "Pulse rate": "pulse",
    "Pulse rate (SpO₂)": "pulse",
    "SpO₂": "oxygen",
    "Respiration rate": "breaths",
    "Respiration rate (CO₂)": "breaths",
    "Arterial pressure, systolic": "pressure_high",
    "Arterial pressure, diastolic": "pressure_low",
    "Arterial pressure, mean": "pressure_mean",
    "Cuff pressure, systolic": "pressure_high",
    "Cuff pressure, diastolic": "pressure_low",
    "Cuff pressure, mean": "pressure_mean",
    "Temperature": "temperature",
    "Body temperature": "temperature",
    "Infusion rate": "flow",
    "Volume delivered": "given",
    "Volume left to infuse": "left",
}
"""What staff call a value -> the text that says it plainly; everything else is named as its device names it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of value. ``plain``: id of its text, empty where the device's own words stand; ``newest``: newest first."""

    row: Row
    plain: str
    trend: trend.Drawn | None
    newest: tuple[Reading, ...]

    @property
    def unit(self) -> str:
        """The unit as it stands on a device's screen."""
        return picture.unit_words(self.row.latest.unit)


@dataclass(frozen=True, slots=True)
class Sender:
    """One device. ``kind``: of those with a word of their own, else empty. ``heard_us``: its last message about this patient."""

    name: str
    kind: str
    heard_us: int
    plain: tuple[str, ...]
    others: tuple[str, ...]


def _devices(view: View) -> Response:
    assert view.seat is not None, "the frame lets nobody else here"
    from_us = view.now_us - DAYS * _DAY_US
    try:
        opened = view.site.keeper.portal.open(
            view.seat.subject, messages.from_time(from_us), MESSAGES_MAX, view.proof
        )
    except KeeperError as error:
        if error.reason is not Reason.RATE_OF_OPENING:
            raise
        return view.page(
            "devices.html",
            status=429,
            limit=True,
            senders=[],
            lines=[],
            gaps=[],
            since_us=0,
            more=False,
            unread=0,
        )
    told = read_all(opened.originals, messages.time_of)
    ids = sorted({one.message.partition(".")[0] for one in opened.originals})
    with read(view.site.engine) as db:
        sent = messages.devices_of(db, ids)
    rows = picture.rows(told.readings, sent, view.now_us)
    span_us = trend.since_us([row.points for row in rows], from_us, view.now_us)
    first_us = messages.time_of(ids[0]) if ids else from_us
    return view.page(
        "devices.html",
        gaps=[(gap, PLAIN.get(gap.name, "")) for gap in picture.gaps(rows)],
        limit=False,
        lines=[_line(row, told.readings, span_us, view.now_us) for row in rows],
        more=opened.more,
        senders=_senders(source.devices(view.site, set(sent.values())), sent, rows),
        since_us=first_us if opened.more else from_us,
        unread=told.unread,
    )


def _line(row: Row, readings: Iterable[Reading], from_us: int, until_us: int) -> Line:
    latest = row.latest
    own = [one for one in readings if (one.code, one.place) == (latest.code, latest.place)]
    own.sort(key=lambda one: (one.at_us, one.message))
    drawn = trend.drawn(row.points, from_us, until_us, picture.longest_us(row.every_us))
    return Line(row, PLAIN.get(latest.name, ""), drawn, tuple(own[::-1][:NEWEST]))


def _senders(known: Mapping[str, Device], sent: Mapping[str, str], rows: Iterable[Row]) -> list[Sender]:
    """List the devices that were heard, those that sent values first, last heard first."""
    heard: dict[str, int] = {}
    for message, sender in sent.items():
        heard[sender] = max(heard.get(sender, 0), messages.time_of(message))
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.device, []).append(row.latest.name)
    found = []
    for id_, at_us in heard.items():
        device = known.get(id_)
        own = sorted(set(names.get(id_, ())))
        if device is None or not own:  # a system that sends who is where is no device of a patient's
            continue
        plain = tuple(dict.fromkeys(PLAIN[name] for name in own if name in PLAIN))
        kind = device.kind if device.kind in _KINDS else ""
        name = device.name or f"{device.make} {device.model}".strip()
        found.append(Sender(name, kind, at_us, plain, tuple(name for name in own if name not in PLAIN)))
    return sorted(found, key=lambda one: -one.heard_us)


PAGE = Page("devices.title", (Route("/devices", _devices, "see"),), order=50)
