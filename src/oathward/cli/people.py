"""``oathward people``: who is here, lists of joiners and leavers, what of access to look at.

Roles and services, which take two people, stand in ``people_grants``; the first people of a site in ``people_found``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli import people_accounts, people_found, people_grants
from oathward.cli.asking import PersonOption, now_us, opened, person_of, read_bytes, sign, sign_and_store
from oathward.cli.output import DataOption, JsonOption, console, emit, one_of
from oathward.cli.people_grants import WhoArgument, day, found_one, last_day, reader
from oathward.cli.permitted import who_may
from oathward.cli.remote import ServerOption, server_of
from oathward.cli.remote import show as show_rows
from oathward.core.errors import InputError
from oathward.core.labels import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oathward.people.actions import ImportPlan
    from oathward.people.model import Change
    from oathward.people.views import PersonView

ERRORS_SHOWN_MAX = 50
CHANGES_SHOWN_MAX = 200
LIST_MAX = 1_000
BAD_INPUT = 65

APP = typer.Typer(
    help="People: list, import, show, leave; roles and services by two people; what to review.",
    add_completion=False,
    no_args_is_help=True,
)


@APP.command("list")
def list_(  # noqa: PLR0917  one parameter an option
    role: Annotated[str, typer.Option(help="Only who has this role now.")] = "",
    unit: Annotated[str, typer.Option(help="Only who always works at this unit.")] = "",
    party: Annotated[str | None, typer.Option(help="Only who works for this party; '' is this site.")] = None,
    state: Annotated[str, typer.Option(help="Only active or left.")] = "",
    find: Annotated[str, typer.Option(help="Stands in name or number.")] = "",
    server: ServerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List people: what each may be here, since when, when it was last used, whether the record verifies."""
    from oathward.core.db import read
    from oathward.people import views

    for option, text, known, what in (
        ("--role", role, list(Role), "role"),
        ("--state", state, ["active", "left"], "state"),
    ):
        if text:
            one_of(option, text, known, what)
    if url := server_of(server):
        if unit or party is not None:
            raise InputError("--unit, --party", "are not asked of a server")
        query = {"words": find, "state": state, "role": role}
        columns = ("id", "name", "number", "state", "roles", "signed")
        show_rows(url, "/api/v1/people", "people", columns, as_json=as_json, query=query)
        return
    with opened(data) as site, read(site.engine) as db:
        by = reader(site)
        wanted = views.Wanted(by.now_us, words=find, state=state, role=role, unit=unit, party=party)
        found = views.page(db, site.site, by, wanted, limit=LIST_MAX)

    def human() -> None:
        if found:
            _print_people(found)
        elif role or unit or state or find or party is not None:
            print("Nobody fits.")
        else:
            print("No people. `oathward people import FILE` brings them.")

    emit({"people": [plain(one) for one in found]}, as_json=as_json, human=human)


@APP.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="CSV file or JSON list of SCIM users, or - for stdin.")],
    everyone: Annotated[
        bool, typer.Option("--everyone", help="The list is whole: who has a number and is not on it, leaves.")
    ] = False,
    many_leave: Annotated[
        bool, typer.Option("--many-leave", help="With --everyone: let more than a fifth leave.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, say who would join, move and leave, change nothing.")
    ] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring people in from a list; columns are found by their names. One error, and nothing is done.

    Columns: number, name, mail, state, party, makes, units, staff_ids, provider_subject. All may be missing but the
    number; a column that is not there is left as it is. Several values in one cell are parted by `;`.
    """
    from oathward.core.db import read
    from oathward.people import actions, sheet

    raw = read_bytes(file, sheet.BYTES_MAX)
    with opened(data) as site:
        parsed = sheet.parse_apart(raw, site.settings.oidc.issuer)
        with read(site.engine) as db:
            plan = actions.plan_import(
                *(db, site.site, parsed, now_us(site)), everyone=everyone, many_leave=many_leave
            )
        if plan.documents and not dry_run:
            who = who_may(site, person, "people.change")
            alone = (
                not everyone and len(plan.documents) == 1
            )  # a list that changes one person was written for that
            sign_and_store(
                site,
                plan.documents,
                person_of(person),
                lambda db, signed: actions.store(
                    *(db, site.site, signed), by=who, now_us=now_us(site), by_hand=alone
                ),
                "people",
            )
    value = _plain_plan(plan) | {"dry_run": dry_run}
    emit(value, as_json=as_json, human=lambda: _print_plan(plan, dry_run=dry_run))
    if plan.errors:
        raise typer.Exit(BAD_INPUT)


@APP.command()
def show(who: WhoArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show one person: the record, the roles with who is behind them, what was and is no more."""
    from oathward.core.db import read
    from oathward.people import views

    with opened(data) as site, read(site.engine) as db:
        found = found_one(site, db, who)
        behind = {id_ for role in found.roles for id_ in (role.proposer, role.approver)}
        names = views.names(db, site.site, behind)
    value = plain(found)

    def human() -> None:
        for name, one in value.items():
            text = ", ".join(map(str, one)) if isinstance(one, list) else str(one)
            if text and name not in {"roles", "history"}:
                print(f"{name:>16}  {text}")
        _print_roles(found, names)

    emit(value, as_json=as_json, human=human)


@APP.command()
def leave(
    who: WhoArgument,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that somebody has left: access, sessions and the services they answer for end at once."""
    from oathward.core.db import read, write
    from oathward.people import actions

    with opened(data) as site:
        by = who_may(site, person, "people.change")
        with read(site.engine) as db:
            found = found_one(site, db, who)
            draft = actions.plan_leaving(db, site.site, found.person.id)
        documents = sign(site, [draft], person_of(person))
        with write(site.engine) as db:
            actions.store(db, site.site, documents, by=by, now_us=now_us(site))
    name = found.person.name
    emit(
        {"person": found.person.id, "state": "left"},
        as_json=as_json,
        human=lambda: print(f"{name} has left: no role, session or service of theirs works any more."),
    )


@APP.command()
def review(
    days: Annotated[int, typer.Option(help="Unused for so long; 0: as the settings say.")] = 0,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what of people's access somebody should look at: unused, without an end, due, too much together."""
    from oathward.core.db import read
    from oathward.people import views

    with opened(data) as site, read(site.engine) as db:
        unused = days or site.settings.people.unused_days
        found = views.review(db, site.site, now_us(site), unused)
        names = views.names(db, site.site, (row.about.partition("/")[0] for row in found))

    def human() -> None:
        if not found:
            print(f"Nothing to look at: every role is in use within {unused} days, and has an end.")
        for row in found:
            name = (
                "the site" if row.rule == "roles.few" else names.get(row.about.partition("/")[0], row.about)
            )
            print(f"{row.rule:<18} {name}: {row.words}")

    emit({"review": found, "unused_days": unused}, as_json=as_json, human=human)


def plain(view: PersonView) -> dict[str, Any]:
    """Give a person as JSON."""
    person = view.person
    return {
        "id": person.id,
        "number": person.number,
        "name": person.name,
        "mail": person.mail,
        "state": person.state,
        "party": person.party,
        "makes": sorted(person.makes),
        "units": sorted(person.units),
        "staff_ids": sorted(person.staff_ids),
        "sign_ins": [f"{issuer}|{subject}" for issuer, subject in sorted(person.sign_ins)],
        "since": day(person.since_us),
        "version": view.version,
        "signed": view.signed,
        "roles": [_plain_role(role) for role in view.roles if role.holds],
        "history": [_plain_role(role) for role in view.roles if not role.holds],
    }


def _plain_role(role: Any) -> dict[str, Any]:
    return {
        "role": role.role.value,
        "from": day(role.from_us),
        "until": last_day(role.until_us),
        "why": role.why,
        "proposer": role.proposer,
        "approver": role.approver,
        "last_used": day(role.last_us),
    }


def _print_people(found: Sequence[PersonView]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("number", "name", "state", "units", "roles", "last used", box=None, pad_edge=False)
    for view in found:
        person = view.person
        doubt = "" if view.signed == "yes" else f", NOT BELIEVED: {view.signed}"
        roles = ", ".join(role.role.value for role in view.held)
        last = max((role.last_us for role in view.held), default=0)
        texts = (
            person.number or person.id,
            person.name,
            f"{person.state}{doubt}",
            ", ".join(sorted(person.units)),
            roles,
        )
        table.add_row(*map(escape, texts), day(last) or ("never" if view.held else ""))
    console().print(table)
    if len(found) == LIST_MAX:
        print(f"The first {LIST_MAX}; --find, --unit and --role narrow it.")


def _print_roles(view: PersonView, names: dict[str, str]) -> None:
    for role in view.roles:
        ends = f"until the end of {last_day(role.until_us)}" if role.until_us else "without an end"
        used = f"last used {day(role.last_us)}" if role.last_us else "never used"
        behind = [names.get(id_, id_) for id_ in (role.proposer, role.approver) if id_]
        by = f"; proposed and approved by {' and '.join(behind)}" if behind else ""
        word = "role" if role.holds else "was"
        print(f"{word:>16}  {role.role.value} since {day(role.from_us)}, {ends}, {used}: {role.why}{by}")


def _plain_plan(plan: ImportPlan) -> dict[str, Any]:
    def plain_change(change: Change) -> dict[str, Any]:
        return {"person": change.person, "number": change.number, "changes": list(change.fields)}

    return {
        "joiners": [plain_change(one) for one in plan.joiners],
        "movers": [plain_change(one) for one in plan.movers],
        "leavers": [plain_change(one) for one in plan.leavers],
        "unchanged": plan.unchanged,
        "without_number": plan.unlisted,
        "errors": [
            {"line": e.line, "column": e.column, "why": e.why, "reason": e.reason} for e in plan.errors
        ],
    }


def _print_plan(plan: ImportPlan, *, dry_run: bool) -> None:
    for error in plan.errors[:ERRORS_SHOWN_MAX]:
        place = f"line {error.line}" if error.line else "the list"
        print(f"{place}{f', {error.column}' if error.column else ''}: {error.why} [{error.reason}]")
    if len(plan.errors) > ERRORS_SHOWN_MAX:
        print(f"and {len(plan.errors) - ERRORS_SHOWN_MAX} more; --json prints all")
    if plan.errors:
        print("Nothing was done, and nothing would be: mend the list, then give it again.")
        return
    for word, changes in (("joins", plan.joiners), ("moves", plan.movers), ("leaves", plan.leavers)):
        for change in changes[:CHANGES_SHOWN_MAX]:
            what = f": {', '.join(change.fields)}" if change.fields and word == "moves" else ""
            print(f"{word:>7}  {change.number or change.person}  {change.name}{what}")
        if len(changes) > CHANGES_SHOWN_MAX:
            print(f"{word:>7}  and {len(changes) - CHANGES_SHOWN_MAX} more; --json prints all")
    said = (
        f"{len(plan.joiners)} {'would join' if dry_run else 'joined'}, {len(plan.movers)} moved, "
        f"{len(plan.leavers)} left, {plan.unchanged} as before."
    )
    if dry_run:
        said = (
            f"{said.replace(' moved', ' would move').replace(' left', ' would leave')} Nothing was changed."
        )
    print(said)
    if plan.unlisted:
        print(f"{plan.unlisted} have no number: no list speaks about them.")


people_grants.register(APP)
APP.command()(people_found.found)
APP.command()(people_accounts.invite)
APP.command()(people_accounts.reset)
APP.command()(people_found.invitations)
