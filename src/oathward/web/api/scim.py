"""SCIM 2.0: a directory brings people in and takes them out; roles are to be read as groups.

| address below ``/api/scim/v2`` | takes |
|---|---|
| ``ServiceProviderConfig``, ``ResourceTypes``, ``Schemas`` | GET |
| ``Users`` | GET with a filter or a page, POST |
| ``Users/{user}`` | GET, PUT, PATCH, DELETE: they leave, and the directory does not see them again |
| ``Groups``, ``Groups/{group}`` | GET |

Rules:
- Who asks is a service with the role ``provisioner``, by bearer token; the keeper signs what it brings, and asks again.
- One request changes one person, in one transaction; ``If-Match`` is held to where it is sent.
- Errors are as RFC 7644 §3.12 writes them; whoever is not heard at all gets the API's own.

Deliberately absent: bulk, sorting, passwords, and anything that grants.

Source: RFC 7644 (protocol), RFC 7643 (schema).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from oathward.core.db import read, write
from oathward.core.errors import InputError, OathwardError
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.people import actions, scim, scim_patch, scim_words, sql, views
from oathward.people.scim import ScimError
from oathward.people.scim_words import MEDIA_TYPE, RESULTS_MAX
from oathward.policy.people import Person
from oathward.policy.people_rules import GRANTABLE
from oathward.web.calls import Call, Query
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.people.views import PersonView
    from oathward.web.view import View

ROOT = "/api/scim/v2"
LISTED = 100
"""Users of a page where the request names no count."""

_UNIQUE = {Reason.PERSON_TWICE: "uniqueness", Reason.CONFLICT: "uniqueness"}
Answer = Callable[["View"], Response]


def in_scim(answer: Answer) -> Answer:
    """Let a function's errors be told as SCIM tells them."""

    @functools.wraps(answer)
    def wrapped(view: View) -> Response:
        try:
            return answer(view)
        except OathwardError as error:
            status = error.reason.answer.http if error.reason.answer.http >= 400 else 409
            kind = error.kind if isinstance(error, ScimError) else _UNIQUE.get(error.reason, "")
            if status == 400 and not kind:
                kind = "invalidValue"
            told = f"{error.where}: {error.why}" if error.where and status != 404 else error.why
            return _answer(scim.error(status, kind, told), status)

    return wrapped


@in_scim
def provider_config(view: View) -> Response:
    """Say what this SCIM server can."""
    return _answer(scim_words.provider_config(_base(view)))


@in_scim
def resource_types(view: View) -> Response:
    """List the kinds of resources."""
    return _listed(scim_words.resource_types(_base(view)))


@in_scim
def resource_type(view: View) -> Response:
    """Give one kind of resource."""
    return _answer(_named(scim_words.resource_types(_base(view)), view.part("type")))


@in_scim
def schemas(view: View) -> Response:
    """List the schemas of resources."""
    return _listed(scim_words.schemas(_base(view)))


@in_scim
def schema(view: View) -> Response:
    """Give one schema."""
    return _answer(_named(scim_words.schemas(_base(view)), view.part("schema")))


@in_scim
def users(view: View) -> Response:
    """List people as Users: by a filter, or a page at a time."""
    start, count = _number(view, "startIndex", 1), min(_number(view, "count", LISTED), RESULTS_MAX)
    site, by = view.site, _reader(view)
    with read(site.engine) as db:
        if text := view.asks.get("filter"):
            one = views.in_directory(db, site.site, by, *scim.asked(text))
            found = [one] if one is not None and start <= 1 and count else []
            total = int(one is not None)
        else:
            wanted = views.Wanted(by.now_us, gone=False)
            total = views.count(db, site.site, wanted)
            found = views.page(db, site.site, by, wanted, limit=count, skip=start - 1) if count else []
    rows = [_chosen(view, _user(view, one)) for one in found if one.signed == "yes"]
    return _answer(scim.listed(rows, total, start))


@in_scim
def user(view: View) -> Response:
    """Give one person as a User."""
    with read(view.site.engine) as db:
        found = _one(view, db)
    return _answer(_chosen(view, _user(view, found)), headers=_etag(found))


@in_scim
def create(view: View) -> Response:
    """Bring a person in; one whom the directory deleted comes back as the same person, without any role."""
    values = scim.with_number(scim.stated(view.body, view.site.settings.oidc.issuer))
    values = {"name": values["directory"]} | values
    with read(view.site.engine) as db:
        before = _deleted(view, db, values)
        fresh = before or Person(id=uuid7(view.now_us // 1000), name="", since_us=view.now_us)
        drafts = actions.plan(db, view.site.site, [actions.with_stated(fresh, values, view.now_us)])
    _store(view, drafts)
    with read(view.site.engine) as db:
        made = _one(view, db, drafts[0].id)
    location = {"location": f"{_base(view)}/Users/{made.person.id}"}
    return _answer(_user(view, made), 201, _etag(made) | location)


@in_scim
def replace(view: View) -> Response:
    """Say anew what a person is like; what a User without our extension does not speak of stays."""
    return _changed(view, lambda _: view.body)


@in_scim
def patch(view: View) -> Response:
    """Change some of what a person is like."""
    return _changed(view, lambda found: scim_patch.patched(_user(view, found), view.body))


@in_scim
def delete(view: View) -> Response:
    """Let a person leave, and hide them from the directory."""
    with read(view.site.engine) as db:
        found = _one(view, db)
        _check_version(view, found)
        here = found.person.state == "active"
        drafts = [actions.plan_leaving(db, view.site.site, found.person.id)] if here else []
    if drafts:
        _store(view, drafts, gone=True)
    else:
        with write(view.site.engine) as db:
            actions.hide(db, view.site.site, found.person.id, by=_by(view), now_us=view.now_us)
    return Response(status_code=204)


@in_scim
def groups(view: View) -> Response:
    """List the roles as Groups."""
    roles = sorted(GRANTABLE)
    if text := view.asks.get("filter"):
        wanted = _group_asked(text)
        roles = [role for role in roles if role.value == wanted]
    with read(view.site.engine) as db:
        rows = [_chosen(view, scim.group(role, _members(view, db, role), _base(view))) for role in roles]
    return _listed(rows)


@in_scim
def group(view: View) -> Response:
    """Give one role as a Group, with those who have it now."""
    name = view.part("group")
    if name not in {role.value for role in GRANTABLE}:
        raise InputError("group", "there is no such group", reason=Reason.NOT_FOUND)
    with read(view.site.engine) as db:
        members = _members(view, db, Role(name))
    return _answer(_chosen(view, scim.group(Role(name), members, _base(view))))


def _changed(view: View, wanted: Callable[[PersonView], object]) -> Response:
    with read(view.site.engine) as db:
        found = _one(view, db)
        _check_version(view, found)
        values = scim.stated(wanted(found), view.site.settings.oidc.issuer)
        after = actions.with_stated(found.person, values, view.now_us)
        drafts = actions.plan(db, view.site.site, [after]) if after != found.person else []
    if drafts:
        _store(view, drafts)
        with read(view.site.engine) as db:
            found = _one(view, db)
    return _answer(_chosen(view, _user(view, found)), headers=_etag(found))


def _store(view: View, drafts: Sequence[Any], *, gone: bool = False) -> None:
    site = view.site
    wanted = [(draft.kind, draft.id, draft.version, draft.body) for draft in drafts]
    signed = site.keeper.changes.sign_people(wanted, view.proof)
    with write(site.engine) as db:
        actions.store(db, site.site, signed, by=_by(view), now_us=view.now_us, gone=gone, by_hand=False)


def _one(view: View, db: Connection, id_: str = "") -> PersonView:
    found = views.in_directory(db, view.site.site, _reader(view), "id", id_ or view.part("user"))
    if found is None:
        raise InputError("user", "there is no such user", reason=Reason.NOT_FOUND)
    if found.signed != "yes":
        raise InputError("user", "the record does not verify", reason=Reason.SIGNATURE_INVALID)
    return found


def _deleted(view: View, db: Connection, values: dict[str, Any]) -> Person | None:
    """Find whom the directory deleted and now brings again: by number, or by what it calls them."""
    keys = [("number", values["number"].casefold())]
    keys.append(("provider_subject", f"{scim_words.DIRECTORY}|{values['directory'].casefold()}"))
    owners = set(sql.owners(db, view.site.site, keys).values())
    found = views.one(db, view.site.site, _reader(view), owners.pop()) if len(owners) == 1 else None
    return found.person if found is not None and found.gone and found.signed == "yes" else None


def _check_version(view: View, found: PersonView) -> None:
    """Hold to ``If-Match``, where it is sent.

    Raises:
        InputError: ``message.version-mismatch``; another change came first.
    """
    wanted = view.request.headers.get("if-match", "*")
    tags = {tag.strip() for tag in wanted.split(",")}
    if not tags & {"*", scim.etag(found.version)}:
        raise InputError("If-Match", "is another version", reason=Reason.VERSION_MISMATCH)


def _group_asked(text: str) -> str:
    attribute, equals, value = text.strip().partition(" eq ")
    if not equals or attribute.lower() not in {"displayname", "id"} or not value.strip().startswith('"'):
        raise ScimError("invalidFilter", "filter", 'displayName eq "…" or id eq "…"')
    return value.strip().strip('"')


def _members(view: View, db: Connection, role: Role) -> list[Person] | None:
    if "members" in view.asks.get("excludedAttributes", "").split(","):
        return None
    by = _reader(view)
    wanted = views.Wanted(by.now_us, role=role.value)
    rows = views.page(db, view.site.site, by, wanted, limit=scim_words.MEMBERS_MAX)
    return [one.person for one in rows if any(held.role is role for held in one.held)]


def _user(view: View, found: PersonView) -> dict[str, Any]:
    roles = [held.role for held in found.held]
    return scim.user(found.person, found.version, found.at_us, _base(view), roles)


def _chosen(view: View, resource: dict[str, Any]) -> dict[str, Any]:
    return scim.chosen(resource, view.asks.get("attributes", ""), view.asks.get("excludedAttributes", ""))


def _named(rows: Sequence[dict[str, Any]], id_: str) -> dict[str, Any]:
    for row in rows:
        if row["id"] == id_:
            return row
    raise InputError("resource", "there is no such resource", reason=Reason.NOT_FOUND)


def _number(view: View, name: str, default: int) -> int:
    text = view.asks.get(name, str(default))
    if not text.removeprefix("-").isdecimal() or len(text) > 9:
        raise ScimError("invalidValue", name, "must be a number")
    return max(int(text), 1 if name == "startIndex" else 0)


def _listed(rows: Sequence[dict[str, Any]]) -> Response:
    return _answer(scim.listed(rows, len(rows), 1))


def _answer(value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), status, headers, MEDIA_TYPE)


def _etag(found: PersonView) -> dict[str, str]:
    return {"etag": scim.etag(found.version)}


def _base(view: View) -> str:
    return str(view.request.url.replace(path=ROOT, query="", fragment=""))


def _reader(view: View) -> views.Reader:
    return views.Reader(view.site.authority, view.site.seen, view.now_us)


def _by(view: View) -> str:
    return view.who


_CHOSEN = {
    "attributes": Query("attributes to give, parted by commas"),
    "excludedAttributes": Query("attributes to leave out, parted by commas"),
}
_FILTERED = _CHOSEN | {
    "filter": Query('`userName eq "…"`, `externalId eq "…"` or `id eq "…"`'),
    "startIndex": Query("the first to give, from 1"),
    "count": Query(f"how many at most, up to {RESULTS_MAX}"),
    "sortBy": Query("is not followed"),
    "sortOrder": Query("is not followed"),
}
_READ = Call(asks=_CHOSEN)
_BODY = Call(media=MEDIA_TYPE, asks=_CHOSEN)
_FIND = Call(asks=_FILTERED)
_MADE = Call(media=MEDIA_TYPE, asks=_CHOSEN, status=201)
_SEE, _CHANGE = "people.see", "people.change"
_USER, _ANY = named("person", "user"), named("person")

API = (
    Route(f"{ROOT}/ServiceProviderConfig", provider_config, action=_SEE, api=True),
    Route(f"{ROOT}/ResourceTypes", resource_types, action=_SEE, api=True),
    Route(f"{ROOT}/ResourceTypes/{{type}}", resource_type, action=_SEE, thing=_ANY, api=True),
    Route(f"{ROOT}/Schemas", schemas, action=_SEE, api=True),
    Route(f"{ROOT}/Schemas/{{schema}}", schema, action=_SEE, thing=_ANY, api=True),
    Route(f"{ROOT}/Users", users, action=_SEE, api=True, call=_FIND),
    Route(f"{ROOT}/Users", create, "POST", action=_CHANGE, api=True, call=_MADE),
    Route(f"{ROOT}/Users/{{user}}", user, action=_SEE, thing=_USER, api=True, call=_READ),
    Route(f"{ROOT}/Users/{{user}}", replace, "PUT", action=_CHANGE, thing=_USER, api=True, call=_BODY),
    Route(f"{ROOT}/Users/{{user}}", patch, "PATCH", action=_CHANGE, thing=_USER, api=True, call=_BODY),
    Route(
        f"{ROOT}/Users/{{user}}",
        delete,
        "DELETE",
        action=_CHANGE,
        thing=_USER,
        api=True,
        call=Call(status=204),
    ),
    Route(f"{ROOT}/Groups", groups, action=_SEE, api=True, call=_FIND),
    Route(f"{ROOT}/Groups/{{group}}", group, action=_SEE, thing=_ANY, api=True, call=_READ),
)
