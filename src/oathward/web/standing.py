"""Is anything wrong? Asked once for Home and Health, from what every process says of itself and what the database holds.

Rules:
- One line a thing: ``ok``, ``note`` (works, and somebody should know) or ``bad`` (somebody must act), with a link to the rows.
- What is old says so: a status nobody renewed is not believed.
- A thing that cannot be asked is a line that says so, never a missing one.

Deliberately absent: mending, and anything ``oathward doctor`` must stop to find out (every record, every flush).
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oathward import ledger
from oathward.activation import load_active
from oathward.changes import findings_views
from oathward.changes import views as changes
from oathward.consent import views as consents
from oathward.core.clock import micros, wall_s
from oathward.core.db import read
from oathward.core.errors import AuthorityError, OathwardError
from oathward.core.process import STATUS_STALE_S, SUPERVISOR, statuses
from oathward.core.sizes import size
from oathward.core.users import roles
from oathward.governance import views as register
from oathward.ledger import checkpoint, note
from oathward.messages import missing, views
from oathward.messages import sql as messages
from oathward.web import words

if TYPE_CHECKING:
    from datetime import datetime

    from oathward.activation import Active
    from oathward.changes.findings_views import OpenFindings
    from oathward.changes.model import ProposalRow
    from oathward.governance.views import Summary
    from oathward.messages.model import MessageRow
    from oathward.vault.opened import Opened

PARTS = {
    "gateway": "takes messages in, decides, shapes, seals",
    "courier": "delivers",
    "keeper": "holds the keys, signs",
    "app": "these pages, house-keeping, metrics",
    "portal": "patients' pages",
}
"""Role -> what it does, in the order in which a message meets them; ``parts_of`` says which a site has."""

FREE_BYTES_MIN = 1 << 30
WAIT_NOTE_S = 60.0
UNSIGNED_NOTE_RECORDS = 20_000
_KEPT_S = 1.0
_GRAVEST = ("bad", "note", "ok")
_RECENT = 20
"""So many checkpoints are looked at: the witness signs a moment after the site."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing and how it is.

    Args:
        about: as on Health: ``gateway``, ``disk``. href: to the rows behind it.
    """

    level: str
    about: str
    what: str
    href: str = ""
    at_us: int = 0


@dataclass(slots=True)
class Standing:
    """What Home and Health show; read in one go, so that their numbers agree."""

    at_us: int
    parts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    waiting: list[views.Waiting] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)
    consents: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    latest: MessageRow | None = None
    size: int = 0
    signed: int = 0
    cosigned: int = 0
    keys: Mapping[str, Any] = field(default_factory=dict)
    keeper_silent: str = ""
    free_bytes: int = 0
    active: Active | None = None
    policy_wrong: str = ""
    emergencies: list[ProposalRow] = field(default_factory=list)
    register: Summary | None = None
    review: OpenFindings | None = None
    lines: list[Line] = field(default_factory=list)

    @property
    def bad(self) -> list[Line]:
        """What somebody must act on."""
        return [line for line in self.lines if line.level == "bad"]

    @property
    def notes(self) -> list[Line]:
        """What somebody should know."""
        return [line for line in self.lines if line.level == "note"]

    @property
    def serious(self) -> int:
        """How many open findings of register and review say that something is not as it has to be."""
        return (self.register.serious if self.register else 0) + (self.review.grave if self.review else 0)


def standing(site: Opened, now: datetime) -> Standing:
    """Look at everything that can be looked at quickly; what was seen within a second is not read again."""
    begun, kept = time.monotonic(), _kept.get(id(site))
    if kept is not None and begun - kept[0] < _KEPT_S:
        return kept[1]
    found = Standing(micros(now), dict(statuses(site.settings.run_folder)))
    with read(site.engine) as db:
        found.waiting = views.waiting(db)
        found.held = messages.held_counts(db)
        found.consents = consents.arrivals(db, site.site, limit=1)[0]
        found.lost = missing.counts(db, site.site)
        found.emergencies = changes.unassessed(db, site.site)
        found.review = findings_views.waiting(db, site.site, found.at_us)
        found.latest = views.latest(db, site.site)
        found.size = ledger.head(db, site.site).size
        last = checkpoint.latest(db, site.site)
        recent = checkpoint.page(db, site.site, last.seq - _RECENT) if last else []
        try:
            current = kept[1].active if kept else None  # compiling a bundle takes longer than a page may
            found.active = load_active(db, site.site, site.authority, site.seen, current=current)
        except AuthorityError as error:
            found.policy_wrong = f"{error.reason.code} {error.where}"
    found.signed = last.size if last else 0
    found.cosigned = max((one.size for one in recent if _is_cosigned(one.note)), default=0)
    try:
        found.keys = site.keeper.state()
    except OathwardError as error:
        found.keeper_silent = error.reason.code
    found.free_bytes = shutil.disk_usage(site.settings.data).free
    if found.keys.get("founded") and not found.policy_wrong:  # before that nobody can own anything
        with read(site.engine) as db:
            bundle = found.active.bundle if found.active else None
            found.register = register.summary(register.findings(db, site, found.at_us, bundle=bundle))
    for look in (
        _processes,
        _policy,
        _emergencies,
        _glass,
        _register,
        _review,
        _deliveries,
        _quarantine,
        _storage,
        _clock,
        _ledger,
        _keys,
    ):
        found.lines += look(site, found)
    found.lines.sort(key=lambda line: _GRAVEST.index(line.level))
    _kept[id(site)] = (begun, found)  # as old as the first that was read
    return found


def prepare(site: Opened) -> None:
    """Compile the policy now, not while the first person waits; nobody is shown what was seen before all parts ran."""
    _kept[id(site)] = (-math.inf, standing(site, site.clock.now()))


_kept: dict[int, tuple[float, Standing]] = {}


def parts_of(site: Opened) -> dict[str, str]:
    """Give the processes of a site, and what they do."""
    on = roles(site.settings)
    return {role: does for role, does in PARTS.items() if role in on}


def age_s(status: Mapping[str, Any]) -> float:
    """Say how long ago a process said anything."""
    return max(0.0, wall_s() - float(status.get("at_s", 0)))


def level_of(status: Mapping[str, Any] | None) -> tuple[str, str]:
    """Give the level and the word of a process's own status."""
    if status is None:
        return "bad", "does not run"
    if age_s(status) > STATUS_STALE_S:
        return "bad", "silent"
    if status.get("state") != "ready" or status.get("trouble") or status.get("reason"):
        return "bad", str(status.get("state", "unhealthy")) if status.get(
            "state"
        ) != "ready" else "in trouble"
    return "ok", "ready"


def _is_cosigned(signed: str) -> bool:
    """Say whether somebody signed beside the site itself; ``ledger verify`` checks that it was the witness."""
    return len(note.split(signed)[1]) > 1


def _processes(site: Opened, found: Standing) -> Iterator[Line]:
    for role in parts_of(site):
        status = found.parts.get(role)
        level, word = level_of(status)
        if level == "ok":
            yield Line("ok", role, "ready", "/health#parts")
        else:
            said = status or {}
            why = said.get("trouble") or said.get("reason") or ""
            silent = f" for {words.span(age_s(said))}" if word == "silent" else ""
            what = f"{role}: {word}{silent}{f', {why}' if why else ''}"
            yield Line("bad", role, what, "/health#parts")
    supervisor = found.parts.get(SUPERVISOR, {})
    for role, count in (supervisor.get("restarts") or {}).items():
        if count:
            what = f"{role} was started again {words.plural(int(count), 'time')} since the start"
            yield Line("note", role, what, "/health#parts")


def _emergencies(_site: Opened, found: Standing) -> Iterator[Line]:
    """Say which changes went first and wait for another person; one past its time is bad."""
    for row in found.emergencies:
        href = f"/policies/proposals/{row.id}"
        if row.due_us <= found.at_us:
            what = "an emergency change of policy is past its time: another person must assess it"
            yield Line("bad", "policy", what, href, row.due_us)
        else:
            what = "an emergency change of policy went first and waits to be assessed by another person"
            yield Line("note", "policy", what, href, row.changed_us)


def _glass(_site: Opened, found: Standing) -> Iterator[Line]:
    """Say which broken glasses nobody reviewed in time, and whether somebody broke more than a day's worth."""
    counts, href = found.keys.get("glass") or {}, "/break-glass"
    if late := counts.get("overdue"):
        yield Line("bad", "break-glass", f"{words.plural(late, 'review')} of a broken glass overdue", href)
    if often := counts.get("often"):
        what = f"{words.plural(often, 'glass', 'glasses')} above a person's day, not reviewed"
        yield Line("bad", "break-glass", what, href)


def _register(_site: Opened, found: Standing) -> Iterator[Line]:
    """Say whether what flows has an owner, an agreement and an assessment where it needs one."""
    summary, href = found.register, "/governance/findings"
    if summary is None:
        return
    if summary.serious:
        what = f"{words.plural(summary.serious, 'serious finding')}: data flow without what they need"
        yield Line("note", "register", what, f"{href}?severity=serious")
    elif summary.attention:
        yield Line("note", "register", f"{words.plural(summary.attention, 'thing')} due or not written", href)
    else:
        yield Line("ok", "register", "what flows has an owner, and nothing is overdue", "/governance")


def _review(_site: Opened, found: Standing) -> Iterator[Line]:
    """Say what the policy's review found that nobody has answered for."""
    if found.review is None or found.active is None:
        return
    if found.review.total:
        what = f"{words.plural(found.review.total, 'open finding')} of the policy's review"
        grave = f", {found.review.grave:,} of them serious" if found.review.grave else ""
        yield Line("note", "review", what + grave, "/policies/review")
    else:
        yield Line("ok", "review", "the policy's review has no open finding", "/policies/review")


def _policy(_site: Opened, found: Standing) -> Iterator[Line]:
    if found.policy_wrong:
        what = f"the policy cannot be used: {found.policy_wrong}"
        yield Line("bad", "policy", what, "/health#policy")
    elif found.active is None:
        what = "no policy is active: every message is held"
        yield Line("bad", "policy", what, "/health#policy")
    else:
        yield Line("ok", "policy", f"{found.active.label} is active", "/health#policy", found.active.at_us)


def _deliveries(_site: Opened, found: Standing) -> Iterator[Line]:
    for link, how in (found.parts.get("courier", {}).get("links") or {}).items():
        if how.get("trouble"):
            since_s = float(how.get("since_s") or 0)
            since = f" for {words.span(wall_s() - since_s)}" if since_s else ""
            trouble = str(how["trouble"])
            about = f" ({trouble.partition(': ')[2]})" if ": " in trouble else ""
            why = f"{words.meaning(trouble).what.replace('`', '') or trouble}{about}"
            yield Line("bad", "deliveries", f"{link} cannot deliver{since}: {why}", "/deliveries")
    for one in found.waiting:
        for state in ("blocked", "dead"):
            count = one.states.get(state, 0) - (one.withdrawn if state == "dead" else 0)
            if count:
                what = f"{words.plural(count, 'delivery', 'deliveries')} on {one.link} {state}"
                yield Line("bad", "deliveries", what, "/deliveries", one.oldest_us)
        old_s = (found.at_us - one.waits_us) / 1e6
        if one.states.get("pending") and old_s > WAIT_NOTE_S:
            what = f"{one.states['pending']:,} wait on {one.link}, the oldest {words.span(old_s)}"
            yield Line("note", "deliveries", what, "/deliveries", one.waits_us)
    for link, count in found.lost.items():
        what = f"{words.plural(count, 'delivery', 'deliveries')} permitted on {link} went nowhere"
        yield Line("bad", "deliveries", what, "/deliveries")


def _quarantine(_site: Opened, found: Standing) -> Iterator[Line]:
    total = sum(found.held.values())
    if total:
        yield Line("note", "quarantine", f"{words.plural(total, 'message')} held", "/quarantine")
    else:
        yield Line("ok", "quarantine", "nothing is held", "/quarantine")
    if found.consents:
        what = f"not looked at yet: {words.plural(found.consents, 'message')} with a Consent (oathward consent arrived)"
        yield Line("note", "consents", what, "/quarantine")


def _storage(site: Opened, found: Standing) -> Iterator[Line]:
    level = "ok" if found.free_bytes >= FREE_BYTES_MIN else "bad"
    more = "" if level == "ok" else "; on a full disk nothing is acknowledged"
    yield Line(level, "disk", f"{size(found.free_bytes)} free{more}", "/health#disk")
    if not os.access(site.settings.data, os.R_OK):
        yield Line("bad", "disk", "the data folder cannot be read", "/health#disk")


def _clock(site: Opened, _found: Standing) -> Iterator[Line]:
    if site.clock.sure():
        yield Line("ok", "clock", "runs evenly and is not behind its mark", "/health#clock")
    else:
        what = "the clock went back or jumped: what depends on time is held; mend the time source"
        yield Line("bad", "clock", what, "/health#clock")


def _ledger(site: Opened, found: Standing) -> Iterator[Line]:
    unsigned = found.size - found.signed
    level = "note" if unsigned > UNSIGNED_NOTE_RECORDS else "ok"
    what = f"{found.size:,} records, {found.signed:,} under a signed checkpoint"
    yield Line(level, "ledger", what, "/health#ledger")
    if not site.settings.witness.address:
        yield Line("note", "witness", "not independently witnessed: no witness is set", "/health#ledger")
    elif not found.cosigned and found.signed:
        yield Line("note", "witness", "no recent checkpoint is cosigned", "/health#ledger")
    else:
        yield Line(
            "ok", "witness", f"{found.cosigned:,} records under a cosigned checkpoint", "/health#ledger"
        )


def _keys(_site: Opened, found: Standing) -> Iterator[Line]:
    if found.keeper_silent:
        yield Line("bad", "keys", f"the keeper does not answer: {found.keeper_silent}", "/health#keys")
        return
    refused = int(found.keys.get("intake_refused") or 0)
    if refused:
        what = f"{words.plural(refused, 'key')} could not be taken in"
        yield Line("bad", "keys", what, "/health#keys")
    else:
        yield Line("ok", "keys", "the keeper answers, and has taken in every key", "/health#keys")
