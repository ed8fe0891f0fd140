"""``oathward people found``: the first people of a site, and their invitations to enrol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened, person_of, read_bytes
from oathward.cli.output import DataOption, JsonOption, emit
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.labels import UNGRANTED, Role

if TYPE_CHECKING:
    from oathward.core.settings import Settings
    from oathward.policy.people import Person
    from oathward.vault.opened import Opened

_COLUMNS = ("number", "name", "mail", "roles")
_MORE = ("party", "units", "staff_ids", "makes")
_NO_POLICY = (
    "No policy is in force, so every message is held. The first one now takes two people (oathward policy propose),\n"
    "and what it needs: an owner and a steward of each link and recipient, agreements, assessments."
)


def found(
    file: Annotated[str, typer.Argument(help="CSV file with number,name,mail,roles, or - for stdin.")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the first people of this site, once. From then on a name is not enough: people sign in.

    The file has a line a person: number, name, mail, roles (several parted by `;`), and where wanted party, units,
    staff_ids and makes, as `people import` takes them. It takes an administrator, and two
    others who can propose and approve for each other, such as an integration engineer and a privacy officer. Each gets a
    link with which they set up their own password, code or passkey; there are no passwords to hand out.
    """
    from oathward.core.db import write
    from oathward.people import actions, grants
    from oathward.people.sheet import BYTES_MAX
    from oathward.policy.people import GRANT, PERSON, Grant, RoleGrant
    from oathward.vault.keeper.proof import admin_proof

    rows = _rows(read_bytes(file, BYTES_MAX))
    who = person_of(person)
    with opened(data) as site:
        at_us = now_us(site)
        wanted, people = [], {}
        for one, roles in rows:
            grant = Grant(one.id, tuple(RoleGrant(role, at_us, why="first people") for role in roles))
            people[one.id] = one
            wanted += [(PERSON, one.id, 0, one.body()), (GRANT, one.id, 0, grant.body())]
        proof = admin_proof(who)
        signed = site.keeper.changes.found(wanted, proof)
        with write(site.engine) as db:
            persons = [d for d in signed if d.kind == PERSON]
            actions.store(db, site.site, persons, by=who, now_us=at_us)
        with write(site.engine) as db:
            given = [d for d in signed if d.kind == GRANT]
            more = {"proposer": "", "approver": "", "proposal": ""}
            grants.store_grants(db, site.site, given, **more, now_us=at_us)
        keys = site.keeper.changes.founding_invitations(proof)
        _tell(site, people, keys, as_json=as_json)
        if not as_json and not _has_policy(site):
            print(f"\n{_NO_POLICY}")


def _has_policy(site: Opened) -> bool:
    from oathward import activation
    from oathward.core.db import read

    with read(site.engine) as db:
        return activation.load_active(db, site.site, site.authority, site.seen) is not None


def invitations(person: PersonOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Print the first people's links to enrol again; only until one of them has."""
    from oathward.core.db import read
    from oathward.people import actions
    from oathward.vault.keeper.proof import admin_proof

    with opened(data) as site:
        keys = site.keeper.changes.founding_invitations(admin_proof(person_of(person)))
        with read(site.engine) as db:
            people = {id_: actions.stored(db, site.site, id_) for id_ in keys}
        _tell(site, people, keys, as_json=as_json)


def _tell(site: Opened, people: dict[str, Person], keys: dict[str, str], *, as_json: bool) -> None:
    base = base_of(site.settings)
    links = {id_: f"{base}/enrol?key={key}" for id_, key in keys.items()}

    def human() -> None:
        print(f"This site has {len(links)} people now. Give each their own link; it works once, for")
        print(f"{site.settings.people.enrolment_hours_max:g} hours, while `oathward serve` runs:")
        for id_, link in links.items():
            print(f"\n  {people[id_].name}\n  {link}")

    rows = [{"person": id_, "name": people[id_].name, "link": link} for id_, link in links.items()]
    emit({"people": rows}, as_json=as_json, human=human)


def base_of(settings: Settings) -> str:
    """Say how people reach the console."""
    from oathward.core.process import statuses

    console = settings.console
    port = (statuses(settings.run_folder).get("app", {}).get("ports") or {}).get("console")
    here = console.host in {"127.0.0.1", "::1"}  # passkeys are made for a name, never for a number
    host = "localhost" if here else f"[{console.host}]" if ":" in console.host else console.host
    scheme = "https" if console.certificate else "http"
    return console.url.rstrip("/") or f"{scheme}://{host}:{port or console.port}"


def _rows(raw: bytes) -> list[tuple[Person, list[Role]]]:
    """Read the file.

    Raises:
        InputError: names line and column; the first mistake.
    """
    from oathward.people.sheet import table_apart

    table = table_apart(raw)
    names = [word.strip().lower() for word in table[0]] if table else []
    if set(_COLUMNS) - set(names) or set(names) - set(_COLUMNS) - set(_MORE) or len(set(names)) < len(names):
        more = f"; there may be {', '.join(_MORE)}"
        raise InputError("line 1", f"must name the columns {', '.join(_COLUMNS)}{more}")
    found = []
    for line, row in enumerate(table[1:], 2):
        if any(row):
            if len(row) != len(names):
                raise InputError(f"line {line}", f"must have {len(names)} columns")
            found.append(_one(line, dict(zip(names, (cell.strip() for cell in row), strict=True))))
    return found


def _one(line: int, cells: dict[str, str]) -> tuple[Person, list[Role]]:
    from oathward.people.model import check
    from oathward.policy.people import Person

    sets: dict[str, Any] = {
        name: frozenset(_several(cells.get(name, ""))) for name in ("units", "staff_ids", "makes")
    }
    one = Person(
        id=uuid7(),
        name=cells["name"],
        number=cells["number"],
        mail=cells["mail"],
        party=cells.get("party", ""),
        **sets,
    )
    try:
        check(one)
        return one, [Role(word) for word in _several(cells["roles"])]
    except InputError as error:
        raise InputError(f"line {line} {error.where}", error.why) from error
    except ValueError as error:
        known = ", ".join(role.value for role in Role if role not in UNGRANTED)
        raise InputError(f"line {line} roles", f"known: {known}") from error


def _several(cell: str) -> list[str]:
    return [word.strip() for word in cell.split(";") if word.strip()]
