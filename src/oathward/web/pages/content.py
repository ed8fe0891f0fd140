"""The content of one message, segment by segment, for whoever may open it: a purpose first, then what was kept.

Rules:
- Opening is a form that is sent: no link, no reload and no other site's page opens anything.
- While a broken glass stands, what is shown goes when the glass does: the page then leads to the form, by an address, so that no browser
  sends the form again. The form itself is left alone: somebody may be writing in it.
- What is withheld from the viewer is not opened; the page says that something is, and how to break the glass.
- Of a message about several patients only what stands before the second one is shown for treatment.

Deliberately absent: any way to keep what is shown, and values in the address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response

from oathward.core.errors import DecodeError, InputError, KeeperError
from oathward.core.labels import CARE_PURPOSES
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.policy.glass import REASONS
from oathward.protocols.fhir.reader import open_request
from oathward.protocols.hl7v2.reader import decode
from oathward.vault.keeper.original import Original
from oathward.web import caring, glass, things
from oathward.web.field_names import name_of
from oathward.web.page import Page, Route
from oathward.web.view import View

SEGMENTS_MAX = 400


@dataclass(frozen=True, slots=True)
class Field:
    """One field as written; ``name`` is empty where nobody named it here."""

    place: str
    name: str
    value: Phi[str]


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment with the fields that hold something."""

    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """One part as it is shown: segments of HL7 v2, or ``text`` for anything else; ``cut``: more was left out."""

    message: str
    purpose: str
    segments: tuple[Segment, ...] = ()
    text: Phi[str] | None = None
    cut: bool = False


def ask(view: View) -> Response:
    """Ask for the purpose."""
    return _page(view, ())


def show(view: View) -> Response:
    """Open the message and show it."""
    purpose, reason = caring.purpose(view, "message.open"), view.form.get("reason", "").strip()
    if purpose not in CARE_PURPOSES and not reason:
        raise InputError("reason", "is needed for this purpose", reason=Reason.INPUT_INVALID)
    try:
        opened = view.site.keeper.patients.open_message(
            view.part("message"), purpose, reason[:200], view.proof
        )
    except KeeperError as error:
        if error.reason is Reason.WITHHELD:
            return _page(view, (), withheld=True)
        if error.reason is not Reason.RATE_OF_OPENING:
            raise
        return view.page("patient_limit.html", status=429)
    return _page(view, tuple(_shown(one, whole=purpose not in CARE_PURPOSES) for one in opened))


def _page(view: View, shown: tuple[Shown, ...], *, withheld: bool = False) -> Response:
    subject, broken = glass.of_message(view, view.part("message"))
    return view.page(
        "message_content.html",
        caring=CARE_PURPOSES,
        glass=broken,
        id=view.part("message"),
        over=view.asked("over") == "1" and not shown and broken is None,
        purpose=caring.purpose(view, "message.open"),
        purposes=caring.purposes(view, "message.open"),
        reasons=REASONS,
        shown=shown,
        subject=subject,
        withheld=withheld,
    )


def _shown(original: Original, *, whole: bool) -> Shown:
    raw = original.data.reveal()
    if b"MSH" not in raw[:8]:
        return Shown(original.message, original.purpose, text=Phi(_pretty(raw)))
    try:
        message = decode(raw)
    except DecodeError:
        return Shown(
            original.message,
            original.purpose,
            text=Phi(raw.decode("utf-8", "replace") if whole else ""),
            cut=not whole,
        )
    segments: list[Segment] = []
    persons = 0
    for written in message.segments:
        name = written[:3].decode("ascii", "replace")
        persons += name == "PID"
        if (persons > 1 and not whole) or len(segments) >= SEGMENTS_MAX:
            return Shown(original.message, original.purpose, tuple(segments), cut=True)
        fields = message.fields(written)
        segments.append(
            Segment(
                name,
                tuple(
                    Field(f"{name}-{n}", name_of(name, n), Phi(value.decode(message.charset, "replace")))
                    for n, value in enumerate(fields)
                    if n and value
                ),
            )
        )
    return Shown(original.message, original.purpose, tuple(segments))


def _pretty(raw: bytes) -> str:
    """Write a FHIR request with its resource indented; what is none, as it came."""
    try:
        request, body = open_request(raw)
    except DecodeError:
        return raw.decode("utf-8", "replace")
    written = orjson.dumps(body, option=orjson.OPT_INDENT_2, default=_number).decode()
    return f"{request.method} {request.target}\n\n{written}"


def _number(value: Any) -> Any:
    return float(value)


PAGE = Page(
    "Message content",
    (
        Route(
            "/messages/{message}/content",
            ask,
            action="message.open",
            thing=things.message,
            around=caring.reading,
        ),
        Route(
            "/messages/{message}/content",
            show,
            "POST",
            action="message.open",
            thing=things.message,
            around=caring.reading,
        ),
    ),
)
