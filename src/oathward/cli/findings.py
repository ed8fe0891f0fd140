"""``oathward findings``: what somebody should look at, until when: listed, shown, given to somebody, suppressed, extended, noted.

Rules:
- Who may not see people reads that a finding is somebody's; who asks reads their own id.
- What is decided of several is done for those whose state allows it; the others are named, and the command ends with 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.output import DataOption, JsonOption, emit, minute, one_of, plain_text
from oathward.cli.output import say as told
from oathward.cli.permitted import may, sees_people, who_may
from oathward.core.clock import from_micros, iso
from oathward.core.finding import BY_SOURCE
from oathward.core.finding_kinds import KINDS, Severity

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.findings.model import Finding, HistoryRow, Outcome
    from oathward.vault.opened import Opened

    Act = Callable[[Connection, Opened, str, int, str], Outcome]

ANY, ME, NOBODY = "any", "me", "nobody"
SOMEBODY = "somebody"

APP = typer.Typer(
    help="What somebody should look at, until when: list, show, assign, suppress, extend, lift, note.",
    add_completion=False,
    no_args_is_help=True,
)

Ids = Annotated[list[str], typer.Argument(help="Ids, from `oathward findings list`.", metavar="FINDING...")]
WhyOption = Annotated[
    str, typer.Option("--why", callback=plain_text, help="Stands beside the finding; no patient data.")
]
UntilOption = Annotated[str, typer.Option("--until", metavar="DAY", help="2027-01-31: its end, in UTC.")]


@APP.command("list")
def list_(  # noqa: PLR0913  one parameter an option
    state: Annotated[str, typer.Option(help="open, suppressed, cleared or any.")] = "open",
    severity: Annotated[str, typer.Option(help="urgent, serious or attention.")] = "",
    kind: Annotated[str, typer.Option(help="As in flow.undeclared.")] = "",
    owner: Annotated[str, typer.Option(help="me, nobody, or a person's id.")] = "",
    about: Annotated[
        str,
        typer.Option(
            callback=plain_text,
            help="What it is about, whole: rules:fw1, or fw1; with * for any part: 'fw*'.",
        ),
    ] = "",
    source: Annotated[str, typer.Option(callback=plain_text, help="What raised it.")] = "",
    *,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what nobody settled in time.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many.")] = 100,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List findings: the gravest first, of those the first due."""
    from oathward.core.db import read
    from oathward.core.errors import InputError
    from oathward.core.finding import State
    from oathward.core.reasons import Reason
    from oathward.endpoints import views as endpoints
    from oathward.findings import model, views

    one_of("--state", state, (*State, ANY), "state")
    if severity:
        one_of("--severity", severity, Severity, "severity")
    if kind:
        one_of("--kind", kind, KINDS, "kind")
    with opened(data) as site:
        who, sees = who_may(site, person, "findings.see"), sees_people(site, person)
        whose = {ME: who, NOBODY: model.NOBODY}.get(owner, owner)
        if owner not in {"", ME, NOBODY, who} and not sees:
            why = "only `me` and `nobody`, without the right to see people"
            raise InputError("--owner", why, reason=Reason.INPUT_INVALID)
        wanted = model.Filters("" if state == ANY else state, severity, kind, source, whose, overdue, about)
        at_us = now_us(site)
        with read(site.engine) as db:
            found = views.listed(db, site.site, wanted, at_us, limit=limit)
            abouts = [row.about for row in found.rows]
            names = endpoints.called(db, site.site, abouts) if may(site, person, "inventory.see") else {}

    def human() -> None:
        for row in found.rows:
            now = row.standing
            late = " overdue" if now.overdue(at_us) else ""
            told(
                f"{row.id}  {now.severity:<9}  due {_day(now.due_us)}{late}  {row.kind}  {names.get(row.about, row.about) or '-'}"
                f"  {_whose(row.owner, who, sees=sees) or 'nobody'}{'  ' if 'what' in row.details else ''}{row.details.get('what', '')}"
            )
        print(f"{len(found.rows)} listed{', there are more' if found.after else ''}.")

    value = {
        "findings": [_plain(row, at_us, who, sees=sees) for row in found.rows],
        "more": bool(found.after),
    }
    emit(value, as_json=as_json, human=human)


@APP.command()
def show(
    finding: Annotated[str, typer.Argument(help="Id, from `oathward findings list`.")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one: what is the matter, what to do, its clock, what happened."""
    from oathward.core.db import read
    from oathward.endpoints import views as endpoints
    from oathward.findings import views
    from oathward.people import views as people

    with opened(data) as site:
        who, sees = who_may(site, person, "findings.see"), sees_people(site, person)
        at_us = now_us(site)
        with read(site.engine) as db:
            row = views.one(db, site.site, finding, at_us)
            history = views.steps(db, site.site, row.id)
            abouts = [row.about, *map(str, row.details.values())]
            names = endpoints.called(db, site.site, abouts) if may(site, person, "inventory.see") else {}
            persons = {row.owner, *(one.by for one in history), *(one.about for one in history)} - {""}
            called = people.names(db, site.site, persons) if sees else {}
    known = KINDS.get(row.kind)
    means = {"what": known.what, "remedy": known.remedy} if known else {"what": row.kind, "remedy": ""}
    steps = [_step(one, who, sees=sees) for one in history]

    def name_of(id_: str) -> str:
        return "you" if id_ and id_ == who else called.get(id_, id_)

    def human() -> None:
        now = row.standing
        print(f"{row.id}: {known.title if known else row.kind}, {now.severity}, {now.state}")
        print(f"  {means['what']}")
        times = "once" if row.tellings == 1 else f"{row.tellings:,} times"
        told(f"  about {_about(row.about, names)}, raised by {row.source} as {row.kind}, told {times}")
        late = " (overdue)" if now.overdue(at_us) else ""
        given = name_of(_whose(row.owner, who, sees=sees)) or "nobody"
        told(f"  due {_day(now.due_us)}{late}, given to {given}")
        for name, value in sorted(row.details.items()):
            told(f"  {name}: {_about(str(value), names)}")
        print(f"What to do: {means['remedy']}")
        for did, one in zip(history, steps, strict=True):
            until = _day(did.until_us) if did.until_us else ""
            words = " ".join(word for word in (one["step"], name_of(one["about"]), until, one["why"]) if word)
            told(f"{minute(one['at'])} UTC {name_of(one['by'])}: {words}")

    value = _plain(row, at_us, who, sees=sees) | means | {"history": steps}
    emit(value, as_json=as_json, human=human)


@APP.command()
def assign(
    findings: Ids,
    to: Annotated[
        str,
        typer.Option(
            "--to", callback=plain_text, help="me, nobody, or a staff number, address or person id."
        ),
    ],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give findings to somebody, or to nobody."""
    from oathward.findings import actions

    def given(db: Connection, site: Opened, by: str, at_us: int, whose: str) -> Outcome:
        return actions.assign(db, site.site, findings, by=by, to=whose, now_us=at_us)

    words = "given to nobody" if to == NOBODY else "given"
    _decide(data, person, given, words, to=to, as_json=as_json)


@APP.command()
def suppress(
    findings: Ids,
    until: UntilOption,
    why: WhyOption,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave findings as they are until a day, a year ahead at most, and answer for it."""
    from oathward.core.finding import end_of
    from oathward.findings import actions

    more = {"why": why, "until_us": end_of(until)}
    _decide(data, person, _each(actions.suppress, findings, **more), "suppressed", as_json=as_json)


@APP.command()
def extend(
    findings: Ids,
    until: UntilOption,
    why: WhyOption,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give findings more time, until a day, a year ahead at most."""
    from oathward.core.finding import end_of
    from oathward.findings import actions

    more = {"why": why, "until_us": end_of(until)}
    _decide(data, person, _each(actions.extend, findings, **more), "given more time", as_json=as_json)


@APP.command()
def lift(
    findings: Ids,
    why: WhyOption,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """End the suppression of findings: they are open again."""
    from oathward.findings import actions

    _decide(data, person, _each(actions.lift, findings, why=why), "open again", as_json=as_json)


@APP.command()
def note(
    findings: Ids,
    why: WhyOption,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write words beside findings."""
    from oathward.findings import actions

    _decide(data, person, _each(actions.note, findings, why=why), "noted", as_json=as_json)


def _each(act: Callable[..., Outcome], findings: list[str], **more: Any) -> Act:
    """Say how an action is done to some findings."""

    def done(db: Connection, site: Opened, by: str, at_us: int, _whose: str) -> Outcome:
        return act(db, site.site, findings, by=by, now_us=at_us, **more)

    return done


def _whom(site: Opened, person: PersonOption, by: str, to: str, at_us: int) -> str:
    """Give the id of who is to have findings; on a site without people whoever asks can take one."""
    from oathward import governing
    from oathward.core.db import read

    if to == NOBODY or (to == ME and not site.keeper.state().get("founded")):
        return by if to == ME else ""
    sees = sees_people(site, person)
    with read(site.engine) as db:
        return governing.owner(db, site, by if to == ME else to, at_us, sees=sees)


def _decide(
    data: DataOption, person: PersonOption, act: Act, words: str, *, as_json: bool, to: str = NOBODY
) -> None:
    """Do what a person decided, in one transaction, and say of which findings it was done."""
    from oathward.core.db import write

    with opened(data) as site:
        by, at_us = who_may(site, person, "finding.change"), now_us(site)
        whose = _whom(
            site, person, by, to, at_us
        )  # before the transaction: asking notes that a role was used
        with write(site.engine) as db:
            outcome = act(db, site, by, at_us, whose)
    _say(outcome, words, as_json=as_json)


def _say(outcome: Outcome, words: str, *, as_json: bool) -> None:
    def human() -> None:
        print(f"{len(outcome.done)} {words}.")
        if outcome.left:
            print(f"Left, for how they stand does not allow it: {' '.join(outcome.left)}")

    emit({"done": outcome.done, "left": outcome.left}, as_json=as_json, human=human)


def _about(text: str, names: Mapping[str, str]) -> str:
    """Name what a finding is about, with its id behind."""
    return f"{names[text]} ({text})" if text in names else text or "-"


def _whose(owner: str, who: str, *, sees: bool) -> str:
    return owner if not owner or owner == who or sees else SOMEBODY


def _day(at_us: int) -> str:
    return f"{from_micros(at_us - 1):%Y-%m-%d}"


def _plain(row: Finding, at_us: int, who: str, *, sees: bool) -> dict[str, Any]:
    now = row.standing
    return {
        "id": row.id,
        "kind": row.kind,
        "severity": now.severity,
        "state": now.state,
        "about": row.about,
        "source": row.source,
        "first": iso(from_micros(now.first_us)),
        "last": iso(from_micros(now.last_us)),
        "tellings": row.tellings,
        "due": iso(from_micros(now.due_us)),
        "overdue": now.overdue(at_us),
        "owner": _whose(row.owner, who, sees=sees),
        "suppressed_until": iso(from_micros(now.until_us)) if now.state == "suppressed" else "",
        "details": dict(row.details),
    }


def _step(row: HistoryRow, who: str, *, sees: bool) -> dict[str, str]:
    by_source = row.step in BY_SOURCE
    return {
        "at": iso(from_micros(row.at_us)),
        "step": row.step,
        "by": row.by if by_source else _whose(row.by, who, sees=sees),
        "about": row.about if by_source else _whose(row.about, who, sees=sees),
        "until": iso(from_micros(row.until_us)) if row.until_us else "",
        "why": row.why,
    }
