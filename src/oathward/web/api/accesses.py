"""Openings of patients' data by the API: why each was, what nothing explains, a review of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.accesses import actions, views
from oathward.accesses.model import Filters
from oathward.core.clock import from_micros
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.vault.keeper.words import WORDS_MAX
from oathward.web.calls import PAGED, Call, Query, number_of
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.accesses.model import Explained
    from oathward.accesses.views import Reviewed
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class AccessOut:
    """One opening, or attempt; `reasons`: all that explain it, the first is the reason; `refused`: why it was, or empty."""

    opening: int
    at: datetime
    kind: str
    person: str
    subject: str
    purpose: str
    refused: str
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class AccessReviewOut:
    """One opening that is or was to be reviewed; `watched`: the label for which it always is; `outcome`: empty until then."""

    opening: int
    at: datetime
    person: str
    subject: str
    reasons: list[str]
    watched: str
    assigned: str
    due: datetime
    overdue: bool
    outcome: str
    reviewer: str


@dataclass(frozen=True, slots=True)
class AccessReviewIn:
    """`openings`: of one person and one patient; `outcome`: `justified`, `mistake`, `misuse` or `unclear`; `words`: sealed."""

    openings: list[int]
    outcome: str
    words: str


@dataclass(frozen=True, slots=True)
class AccessReviewed:
    """What was reviewed, and what it came to."""

    openings: list[int]
    outcome: str


def listed(view: View) -> Response:
    """List openings with every reason, newest first."""
    site, asks = view.site, view.asks
    after = asks.get("after", "")
    with read(site.engine) as db:
        some = views.openings(
            *(db, site.site),
            subject=asks.get("subject", ""),
            person=asks.get("person", ""),
            before=number_of("after", after) if after else None,
            limit=view.limit,
        )
        found = views.explained(db, site.site, some, site.authority, site.seen)
    more = found[-1].opening.index if len(found) == view.limit else ""
    return view.listed([_plain(one) for one in found], more)


def reviews(view: View) -> Response:
    """List openings that wait for a review, first due first, or that were reviewed; five hundred at most."""
    site = view.site
    with read(site.engine) as db:
        wanted = Filters(
            waiting=view.asks.get("state", "waiting") == "waiting", person=view.asks.get("person", "")
        )
        found = views.reviews(db, site.site, site.authority, site.seen, wanted)
    return view.listed([_review(one, view.now_us) for one in found])


def review(view: View) -> Response:
    """Say what a review came to; never of one's own."""
    body, site, by = view.body, view.site, view.who
    if not body.openings or len(body.words) > WORDS_MAX:
        why = f"one at least, and at most {WORDS_MAX} characters of words"
        raise InputError("openings", why, reason=Reason.INPUT_INVALID)
    with read(site.engine) as db:
        subject = actions.subject_of(db, site.site, body.openings, by=by)
    sealed = site.keeper.words.seal("access", str(body.openings[0]), subject, Phi(body.words), view.proof)
    with write(site.engine) as db:
        actions.review(
            *(db, site.site, body.openings),
            by=by,
            outcome=body.outcome,
            sealed=sealed,
            now_us=view.now_us,
        )
    return view.json(AccessReviewed(body.openings, body.outcome))


def _plain(one: Explained) -> AccessOut:
    seen = one.opening
    return AccessOut(
        seen.index,
        from_micros(seen.at_us),
        seen.kind,
        seen.person,
        seen.subject,
        seen.purpose,
        seen.refused,
        [reason.id for reason in one.reasons],
    )


def _review(one: Reviewed, now_us: int) -> AccessReviewOut:
    row = one.row
    return AccessReviewOut(
        opening=row.opening,
        at=from_micros(row.at_us),
        person=row.person,
        subject=one.found.opening.subject,
        reasons=[reason.id for reason in one.found.reasons],
        watched=row.watched,
        assigned=row.assigned,
        due=from_micros(row.due_us),
        overdue=one.overdue(now_us),
        outcome=row.outcome,
        reviewer=row.by,
    )


API = (
    Route(
        "/api/v1/accesses",
        listed,
        action="accesses.see",
        api=True,
        call=Call(
            gives=AccessOut,
            listed=True,
            asks={
                **PAGED,
                "person": Query("only by the person with this id"),
                "subject": Query("only of this subject id"),
            },
        ),
    ),
    Route(
        "/api/v1/access-reviews",
        reviews,
        action="accesses.see",
        api=True,
        call=Call(
            gives=AccessReviewOut,
            listed=True,
            asks={
                "person": Query("only by the person with this id"),
                "state": Query("`waiting` without it", ("waiting", "reviewed")),
            },
        ),
    ),
    Route(
        "/api/v1/access-reviews",
        review,
        "POST",
        action="accesses.review",
        thing=named("finding"),
        api=True,
        call=Call(gives=AccessReviewed, takes=AccessReviewIn),
    ),
)
