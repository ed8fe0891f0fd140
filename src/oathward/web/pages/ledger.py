"""Ledger: search, one record with its proof, verify all of it now, and how far proof and witness reach.

Rules:
- A record is shown as it stands: codes, counts, digests and random ids, never a value of a message.
- One verification at a time, in a thread of this process, with the same steps as ``oathward ledger verify``; the page
  says how far it is, and what the last one found and when. Another process's are not known here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response

from oathward import ledger, verifying
from oathward.core.clock import micros
from oathward.core.db import read
from oathward.core.errors import InputError, LedgerError, OathwardError
from oathward.core.reasons import Reason
from oathward.ledger import Entry, Query, checkpoint, offline
from oathward.web import standing
from oathward.web.page import Page, Route, named
from oathward.web.view import View

if TYPE_CHECKING:
    from oathward.ledger.offline import Proved
    from oathward.ledger.report import Report
    from oathward.vault.opened import Opened

ROWS = 50
KINDS = (
    "message.accepted",
    "message.quarantined",
    "message.released",
    "message.discarded",
    "message.delivered",
    "delivery.discarded",
    "finding.raised",
    "guard.stopped",
    "guard.noticed",
    "connection.refused",
    "device.added",
    "device.unrecognised",
    "device.revoked",
    "consent.recorded",
    "bundle.activated",
    "subject.created",
    "subject.merged",
    "subject.erased",
    "key.destroyed",
    "token.given",
)
"""Kinds that are offered; any other can be written."""


@dataclass(slots=True)
class Verification:
    """The verification that runs, or the last one. ``trouble``: why it could not be made at all."""

    started_us: int = 0
    ended_us: int = 0
    by: str = ""
    done: int = 0
    of: int = 0
    report: Report | None = None
    not_asked: str = ""
    trouble: str = ""
    runs: bool = True


_last = Verification(runs=False)
_starting = threading.Lock()


def show(view: View) -> Response:
    """Search the ledger."""
    query = Query(
        subject=view.asked("subject"),
        link=view.asked("link"),
        kind=view.asked("kind"),
        message=view.asked("message"),
        since_us=_moment(view.asked("since")),
        until_us=_moment(view.asked("until")),
    )
    with read(view.site.engine) as db:
        found = ledger.search(db, view.site.site, query, before=view.number("before"), limit=ROWS + 1)
    return view.page(
        "ledger.html",
        kinds=KINDS,
        more=found[ROWS - 1].index if len(found) > ROWS else None,
        query=query,
        rows=found[:ROWS],
        since=view.asked("since"),
        standing=standing.standing(view.site, view.now),
        until=view.asked("until"),
        verification=_last,
        witness=view.site.settings.witness.address,
    )


def one(view: View) -> Response:
    """Show one record with its proof."""
    index = _index(view)
    with read(view.site.engine) as db:
        entry = ledger.entry(db, view.site.site, index)
        covering = checkpoint.latest(db, view.site.site, covering=index)
        size = ledger.head(db, view.site.site).size
    proved, trouble = _proved(view, index)
    return view.page(
        "record.html",
        body=orjson.dumps(entry.body, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode(),
        covering=covering,
        entry=entry,
        last=size - 1,
        links=_links(view, entry),
        proved=proved,
        trouble=trouble,
    )


def proof(view: View) -> Response:
    """Give the proof of one record as a file: anybody can check it with the log's key alone."""
    index = _index(view)
    with read(view.site.engine) as db:
        text = offline.prove(db, view.site.site, index)
    name = f"record-{index}{offline.SUFFIX}"
    return Response(
        text,
        media_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def verify(view: View) -> Response:
    """Verify all of it, beside what goes on; the page says how far it is."""
    global _last  # noqa: PLW0603  what this process last verified
    with _starting:
        if not _last.runs:
            _last = Verification(started_us=view.now_us, by=view.person)
            threading.Thread(target=_verify, args=(view.site, _last), name="verify", daemon=True).start()
    return view.go("/ledger#verify")


def progress(view: View) -> Response:
    """Say how far the verification is."""
    return view.piece("verification.html", verification=_last)


def _verify(site: Opened, mine: Verification) -> None:
    def step(done: int, of: int) -> None:
        mine.done, mine.of = done, of

    try:
        keys = verifying.keys_of(site.settings)
        mine.report, mine.not_asked = verifying.verify_site(
            site.engine, site.settings, keys, address=site.settings.witness.address, progress=step
        )
    except (OathwardError, OSError) as error:
        mine.trouble = str(error)
    finally:
        if (
            mine.report is None
        ):  # also where a bug of ours ended it: the page must not take that for an answer
            mine.trouble = mine.trouble or Reason.INTERNAL.code
        mine.ended_us = max(micros(site.clock.now()), mine.started_us)
        mine.runs = False


def _proved(view: View, index: int) -> tuple[Proved | None, str]:
    """Make the proof and check it as a stranger would; or why there is none yet."""
    try:
        with read(view.site.engine) as db:
            text = offline.prove(db, view.site.site, index)
        return offline.check_proof(text, verifying.keys_of(view.site.settings)), ""
    except LedgerError as error:
        return None, error.why if error.reason is Reason.NOT_FOUND else str(error)


def _links(view: View, entry: Entry) -> list[tuple[str, str]]:
    """Name what a record leads to: (words, address)."""
    found = []
    if entry.message:
        found.append(("Its message", f"/messages/{entry.message.partition('.')[0]}"))
        found.append(("All records of this message", view.link("/ledger", message=entry.message)))
    if entry.subject:
        found.append(("All records of this subject", view.link("/ledger", subject=entry.subject)))
    about = "this endpoint" if entry.kind.startswith("endpoint.") else "link {}"
    found += [
        (f"All records of {about.format(link)}", view.link("/ledger", link=link)) for link in entry.links
    ]
    if about == "this endpoint":
        found += [("The endpoint", f"/inventory/{id_}") for id_ in entry.links]
    return found


def _index(view: View) -> int:
    text = view.part("index")
    if not text.isascii() or not text.isdigit() or len(text) > _INDEX_DIGITS_MAX:
        raise InputError("record", "is a number", reason=Reason.NOT_FOUND)
    return int(text)


def _moment(text: str) -> int | None:
    """Read a time of a filter, UTC; None where it is none: an old link still opens."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return micros(at.replace(tzinfo=at.tzinfo or UTC))


_INDEX_DIGITS_MAX = 18

PAGE = Page(
    "Ledger",
    (
        Route("/ledger", show, action="ledger.see"),
        Route("/ledger/verify", verify, "POST", action="ledger.see"),
        Route("/ledger/progress", progress, quiet=True, action="ledger.see"),
        Route("/ledger/{index}", one, action="ledger.see", thing=named("area")),
        Route("/ledger/{index}/proof", proof, action="ledger.see", thing=named("area")),
    ),
    group="Prove",
    key="p",
    order=0,
)
