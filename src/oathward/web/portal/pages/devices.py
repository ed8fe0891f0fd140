"""My devices and what they send: each device by its name, what it measured in plain words, how each value changed, where nothing came.

Rules:
- Values are opened by the keeper for this one answer, counted and recorded; nothing of them is kept, and none stands in an
  address. No other page opens any.
- The newest messages of each device in ``DAYS`` days are read, ``MESSAGES_MAX`` of all devices together (``newest``); the page says
  since when, and that there may be older ones.
- Two devices that measure one thing stay two.
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
from oathward.web.portal import measured, newest
from oathward.web.portal.copying import source
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.responses import Response

    from oathward.bedside.picture import Gap, Reading, Row
    from oathward.core.phi import Phi
    from oathward.inventory.model import Device
    from oathward.web.portal.measured import Named
    from oathward.web.portal.view import View

MESSAGES_MAX = 200
DAYS = 30
DEVICES_MAX = 20
KINDS_MAX = 40
"""So many kinds of values are shown of a device."""
NEWEST = 10
"""So many values of a kind are listed."""

_DAY_US = 86_400_000_000
_KINDS = frozenset(("monitor", "pump", "ventilator", "gateway"))


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of value. ``latest``, ``newest`` (newest first): a moment and the value as the page writes it."""

    called: Named
    row: Row
    trend: trend.Drawn | None
    latest: Phi[str]
    newest: tuple[tuple[int, Phi[str]], ...]

    @property
    def unit(self) -> str:
        """The unit as it stands on a device's screen."""
        return picture.unit_words(self.row.latest.unit)


@dataclass(frozen=True, slots=True)
class Sender:
    """One device and what it measured.

    Args:
        name: its place on the page where it has none. kind: of those with a word of their own, else empty.
        heard_us: its last message about this patient. since_us: from when on values are shown.
        short: there may be older ones. more: so many kinds are not shown.
    """

    name: str
    kind: str
    heard_us: int
    since_us: int
    short: bool
    lines: tuple[Line, ...]
    more: int


def _devices(view: View) -> Response:
    assert view.seat is not None, "the frame lets nobody else here"
    from_us = view.now_us - DAYS * _DAY_US
    with read(view.site.engine) as db:
        wanted = newest.chosen(
            db, view.site.site, view.seat.subject, messages.from_time(from_us), MESSAGES_MAX
        )
    try:
        opened = view.site.keeper.portal.open(view.seat.subject, wanted.messages, view.proof)
    except KeeperError as error:
        if error.reason is not Reason.RATE_OF_OPENING:
            raise
        return view.page("devices.html", status=429, limit=True, senders=[], gaps=[], others=0, unread=0)
    told = read_all(opened.originals, messages.time_of)
    sent = {newest.whole(one): device for one, device in wanted.sent.items()}
    rows = _rows(told.readings, sent, view.now_us)
    span_us = trend.since_us([row.points for some in rows.values() for row in some], from_us, view.now_us)
    short = frozenset(rows) if opened.more else wanted.short
    heard: dict[str, list[int]] = {}
    for one in opened.originals:
        heard.setdefault(wanted.sent[one.message], []).append(messages.time_of(one.message))
    known = source.devices(view.site, set(rows) - {""})
    senders = [
        Sender(
            *_name(view, known.get(id_), number),
            heard_us=max(heard[id_]),
            since_us=min(heard[id_]) if id_ in short else from_us,
            short=id_ in short,
            lines=_lines(view, rows[id_], _by_kind(told.readings, sent, id_), span_us),
            more=max(0, len(rows[id_]) - KINDS_MAX),
        )
        for number, id_ in enumerate(sorted(rows, key=lambda one: -max(heard[one])), 1)
    ]
    return view.page(
        "devices.html",
        gaps=_gaps(senders),
        limit=False,
        others=max(0, len(senders) - DEVICES_MAX),
        senders=senders[:DEVICES_MAX],
        unread=told.unread,
    )


def _rows(readings: Iterable[Reading], sent: Mapping[str, str], now_us: int) -> dict[str, list[Row]]:
    """Give the rows of each device that sent values."""
    found: dict[str, list[Reading]] = {}
    for one in readings:
        found.setdefault(sent[newest.whole(one.message)], []).append(one)
    return {device: picture.rows(some, dict(sent), now_us) for device, some in found.items()}


def _by_kind(
    readings: Iterable[Reading], sent: Mapping[str, str], device: str
) -> dict[tuple[str, str], list[Reading]]:
    found: dict[tuple[str, str], list[Reading]] = {}
    for one in readings:
        if sent[newest.whole(one.message)] == device:
            found.setdefault((one.code, one.place), []).append(one)
    return found


def _name(view: View, device: Device | None, number: int) -> tuple[str, str]:
    """Say what a device is called, by its place on the page where it has no name, and of which kind it is."""
    unknown = view.say("devices.kind_other", number=number)
    if device is None:
        return unknown, ""
    kind = device.kind if device.kind in _KINDS else ""
    return device.name or f"{device.make} {device.model}".strip() or unknown, kind


def _lines(
    view: View, rows: Iterable[Row], own: Mapping[tuple[str, str], list[Reading]], from_us: int
) -> tuple[Line, ...]:
    """Write what a device measured: what it put a mark on first, then by name, what has no name of ours last."""
    made = [_line(view, row, own[row.latest.code, row.latest.place], from_us) for row in rows]
    made.sort(key=lambda one: (not one.row.latest.flag, not one.called.ours, one.called.words.casefold()))
    return tuple(made[:KINDS_MAX])


def _line(view: View, row: Row, own: list[Reading], from_us: int) -> Line:
    own.sort(key=lambda one: (one.at_us, one.message))
    drawn = trend.drawn(row.points, from_us, view.now_us, picture.longest_us(row.every_us))
    values = tuple((one.at_us, measured.value(view, one)) for one in own[::-1][:NEWEST])
    return Line(measured.named(view, row.latest), row, drawn, values[0][1], values)


def _gaps(senders: Iterable[Sender]) -> list[tuple[str, Named, Gap]]:
    """List where nothing came: device, what, when; newest first, and those that still are before all others."""
    found = [
        (one.name, line.called, gap)
        for one in senders
        for line in one.lines
        for gap in picture.gaps([line.row])
    ]
    found.sort(key=lambda one: (one[2].until_us is not None, -one[2].from_us))
    return found[: picture.GAPS_MAX]


PAGE = Page(
    "devices.title",
    (Route("/devices", _devices, "see"),),
    order=50,
    says=(*measured.SAYS, "devices.kind_other"),
)
