"""``oathward inventory say``, ``merge``, ``split``, ``undo``: a person's word on endpoints, on record.

Rules:
- A person's word stands before what sensors and lists say, and beside it; nothing is lost by it, and each can be taken back.
"""

from __future__ import annotations

from typing import Annotated

import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.output import DataOption, JsonOption, emit, plain_text
from oathward.cli.output import say as told
from oathward.cli.permitted import who_may

EndpointArgument = Annotated[
    str, typer.Argument(help="Id, from `oathward inventory list`.", callback=plain_text)
]
WhyOption = Annotated[
    str, typer.Option("--why", callback=plain_text, help="Stands beside it; no patient data.")
]


def say(
    attribute: Annotated[str, typer.Argument(help="As in unit, type, criticality.")],
    value: Annotated[str, typer.Argument(help="Empty takes back what people said.", callback=plain_text)],
    endpoints: Annotated[list[str], typer.Argument(help="Ids.", metavar="ENDPOINT...")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what endpoints are like: one attribute of many at once."""
    from oathward.endpoints import deciding
    from oathward.endpoints.saying import checked

    kept = checked(attribute, value)
    with opened(data) as site:
        by = who_may(site, person, "inventory.change")
        ids = list(dict.fromkeys(endpoints))
        deciding.describe(site.engine, site.site, ids, {attribute: kept}, by=by, now_us=now_us(site))
    words = f"{attribute} of {len(ids)} endpoint{'' if len(ids) == 1 else 's'}"
    done = f"{words} said." if kept else f"What people said of {words} is taken back."
    emit({"attribute": attribute, "value": kept, "endpoints": ids}, as_json=as_json, human=lambda: told(done))


def merge(
    into: EndpointArgument,
    other: Annotated[str, typer.Argument(help="Id of the one that becomes part of it.", callback=plain_text)],
    why: WhyOption,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that two endpoints are one device; `undo` takes it back."""
    from oathward.endpoints import deciding
    from oathward.observing import identities

    with opened(data) as site:
        by = who_may(site, person, "inventory.change")
        id_ = deciding.merge(site.engine, site.site, into, other, by=by, reason=why, now_us=now_us(site))
        identities.tell(site)
    done = f"{other} is part of {into} now. To take it back: oathward inventory undo {id_} --why …"
    emit({"merge": id_, "into": into, "other": other}, as_json=as_json, human=lambda: told(done))


def split(
    endpoint: EndpointArgument,
    marks: Annotated[
        list[str],
        typer.Argument(help="As `show` prints them: mac=00:1b:63:00:00:01.", metavar="KIND=VALUE..."),
    ],
    why: WhyOption,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that some marks of an endpoint are another device's; `undo` takes it back."""
    from oathward.core.db import read
    from oathward.core.errors import InputError
    from oathward.core.reasons import Reason
    from oathward.endpoints import deciding, views
    from oathward.observing import identities

    with opened(data) as site:
        by = who_may(site, person, "inventory.change")
        with read(site.engine) as db:
            found = views.one(db, site.site, endpoint)
        has = found.marks if found is not None else ()
        keys = [
            (mark.kind, scope, mark.value)
            for mark, scope, _ in has
            if f"{mark.kind.value}={mark.value}" in marks
        ]
        if len({f"{kind.value}={value}" for kind, _, value in keys}) < len(set(marks)):
            why_not = "the endpoint has no such mark: `oathward inventory show` has them, as KIND=VALUE"
            raise InputError("marks", why_not, reason=Reason.NOT_FOUND)
        new, id_ = deciding.split(
            site.engine, site.site, endpoint, keys, by=by, reason=why, now_us=now_us(site)
        )
        identities.tell(site)
    done = f"{new} has them now. To take it back: oathward inventory undo {id_} --why …"
    emit({"split": id_, "from": endpoint, "new": new}, as_json=as_json, human=lambda: told(done))


def undo(
    merge: Annotated[str, typer.Argument(help="Id of a merge or split: `show` has it.", callback=plain_text)],
    why: WhyOption,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a merge or a split back, a rule's too."""
    from oathward.endpoints import deciding
    from oathward.observing import identities

    with opened(data) as site:
        by = who_may(site, person, "inventory.change")
        deciding.undo(site.engine, site.site, merge, by=by, reason=why, now_us=now_us(site))
        identities.tell(site)
    emit({"undone": merge}, as_json=as_json, human=lambda: told("Taken back."))
