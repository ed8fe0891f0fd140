"""``oathward consent arrived``, ``dismiss`` and ``import --message``: Consents that came as messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.output import DataOption, JsonOption, console, emit, settings_of
from oathward.cli.permitted import used, who_may
from oathward.cli.signed_in import proof_of
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.cli.consent_fhir import Imported, Options
    from oathward.consent.views import ArrivalRow
    from oathward.vault.opened import Opened

MESSAGES_MAX = 200
"""Looked at at once; each is opened by the keeper."""

ENDING_LENGTH_MIN = 6
RELEASE = (
    "What is held for it goes on by: "
    "oathward quarantine release --all-with-reason decision.consent-waiting --why TEXT"
)


def arrived(
    limit: Annotated[int, typer.Option(min=1, help="At most this many, oldest first.")] = 50,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List Consents that came as messages and wait for a person: nothing they permit is in force.

    What they may take away is held at once, until they are imported or dismissed.
    """
    from oathward.consent import views
    from oathward.core.db import read

    with opened(data) as site, read(site.engine) as db:
        count, rows = views.arrivals(db, site.site, limit=limit)

    def human() -> None:
        if not rows:
            print("No consent that came as a message waits.")
            return
        from rich.table import Table

        table = Table("received (UTC)", "message", "subject", "device", "denials", box=None, pad_edge=False)
        for row in rows:
            when = f"{from_micros(row.at_us):%Y-%m-%d %H:%M}"
            table.add_row(when, row.message, row.subject, row.device, str(row.denials))
        console().print(table)
        print(
            f"{count} wait. `oathward consent import --message MESSAGE` puts one in force, `dismiss` does not."
        )

    emit({"arrived": [_row(row) for row in rows], "waiting": count}, as_json=as_json, human=human)


def dismiss(
    messages: Annotated[
        list[str], typer.Argument(metavar="MESSAGE", help="Ids, or their last 6 characters or more.")
    ],
    reason: Annotated[
        str, typer.Option("--why", help="Why it is not to be in force; words without patient data.")
    ],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say of Consents that came as messages that they are not to be in force: nothing of them holds anything any more."""
    if not reason.strip():
        raise InputError("--why", "say why")
    with opened(data) as site:
        who = who_may(site, person, "consent.change")
        rows = _chosen(site, messages)
        for row in rows:
            _settle(site, row.message, "dismissed", who, reason)

    def human() -> None:
        print(f"{len(rows)} dismissed. {RELEASE}")

    emit({"dismissed": [row.message for row in rows]}, as_json=as_json, human=human)


def import_messages(options: Options, messages: Sequence[str], *, every: bool) -> Imported:
    """Import Consents that came as messages, oldest first, each instead of what an earlier version of it said.

    They are of whom their message was about, where no option says otherwise. What has mistakes goes on waiting.
    """
    from oathward.cli.consent_fhir import Imported, problem_free
    from oathward.cli.consent_import import carry_out_in, keys_of, together
    from oathward.consent.model import ARRIVED

    keys = keys_of(settings_of(options.data))
    how = options.how()
    with opened(options.data) as site:
        rows = _chosen(site, messages) if messages else _every(site) if every else []
        if not rows:
            raise InputError("--message", "nothing waits", reason=Reason.NOT_FOUND)
        ids = [row.message for row in rows]
        proof = proof_of(site.settings, site.keeper, how.person)
        found = site.keeper.export_open(ids, "HOPERAT", "consent arrived", proof, sealed_for=ARRIVED)
        used(site, proof, "consent.change")
        originals = {one.message: one.data for one in found}
        done: list[Imported] = []
        for row in rows:
            data = originals[row.message]
            subject = options.subject or ("" if options.identifier_file else row.subject)
            one, told = problem_free(replace(options, subject=subject), row.message, data.reveal(), keys)
            if not one.problems:
                one = replace(one, done=carry_out_in(site, told, how, keys=keys))
                if not options.dry_run:
                    _settle(site, row.message, "imported", how.person, "")
            done.append(one)
    return Imported(
        sum(one.consents for one in done),
        sum(one.active for one in done),
        together([one.done for one in done]),
        [problem for one in done for problem in one.problems],
        [remark for one in done for remark in one.remarks],
        options.dry_run,
    )


def _settle(site: Opened, message: str, state: str, person: str, reason: str) -> None:
    from oathward.consent import actions
    from oathward.core.db import write

    with write(site.engine) as db:
        at_us = now_us(site)
        actions.settle(db, site.site, message, state=state, by=person, reason=reason, now_us=at_us)


def _every(site: Opened) -> list[ArrivalRow]:
    from oathward.consent import views
    from oathward.core.db import read

    with read(site.engine) as db:
        return views.arrivals(db, site.site, limit=MESSAGES_MAX)[1]


def _chosen(site: Opened, messages: Sequence[str]) -> list[ArrivalRow]:
    """Find what waits by id, or by the end of one; oldest first."""
    from oathward.consent import views
    from oathward.core.db import read

    with read(site.engine) as db:
        rows = views.arrivals(db, site.site, limit=100_000)[1]
    found: dict[str, ArrivalRow] = {}
    for word in messages:
        meant = [row for row in rows if row.message == word] or [
            row for row in rows if len(word) >= ENDING_LENGTH_MIN and row.message.endswith(word)
        ]
        if len(meant) != 1:
            why = (
                "several end so" if meant else "no consent of it waits; `oathward consent arrived` lists them"
            )
            raise InputError("message", why, reason=Reason.NOT_FOUND)
        found[meant[0].message] = meant[0]
    if len(found) > MESSAGES_MAX:
        raise InputError("message", f"at most {MESSAGES_MAX} at once", reason=Reason.LIMIT_EXCEEDED)
    return [row for row in rows if row.message in found]


def _row(row: ArrivalRow) -> dict[str, Any]:
    return {
        "message": row.message,
        "subject": row.subject,
        "device": row.device,
        "consents": row.consents,
        "denials": row.denials,
        "at": iso(from_micros(row.at_us)),
    }
