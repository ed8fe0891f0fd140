"""``oathward device wrong-patient``: a device's data of some time went out under a patient they were not of."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.output import DataOption, JsonOption, emit
from oathward.cli.permitted import who_may
from oathward.core.clock import micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("wrong-patient")(wrong_patient)


def wrong_patient(
    device: Annotated[str, typer.Argument(help="Id of the device.")],
    *,
    subject: Annotated[str, typer.Option(help="Random id of the patient under whom the data went.")],
    since: Annotated[str, typer.Option(help="From when, as 2026-05-04T07:00Z.")],
    until: Annotated[str, typer.Option(help="Until when.")],
    other: Annotated[str, typer.Option(help="Random id of whose they are, where known.")] = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report it: says which recipients got how many messages, and starts the clock to settle it."""
    from oathward.core.db import read, write
    from oathward.disclosures import actions, views
    from oathward.patients import views as patients

    period = _time(since, "--since"), _time(until, "--until")
    with opened(data) as site:
        by, at_us = who_may(site, person, "disclosures.change"), now_us(site)
        with read(site.engine) as db:
            if other and not patients.exists(db, site.site, other):
                raise InputError("--other", "there is no such patient", reason=Reason.NOT_FOUND)
        with write(site.engine) as db:
            row = actions.report(
                db, site.site, device=device, subject=subject, other=other, period=period, by=by, now_us=at_us
            )
        with read(site.engine) as db:
            went = views.reached(db, site.site, row)

    def human() -> None:
        print(f"Disclosure {row.id}: {len(went.messages)} messages.")
        for link, count in sorted(went.links.items()):
            print(f"  {link}: {count} delivered")

    value = {"disclosure": row.id, "messages": len(went.messages), "links": dict(went.links)}
    emit(value, as_json=as_json, human=human)


def _time(text: str, option: str) -> int:
    try:
        return micros(datetime.fromisoformat(text).astimezone())
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(option, "a time as in 2026-05-04T07:00Z", reason=Reason.INPUT_INVALID) from error
