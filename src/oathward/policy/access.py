"""Decide whether somebody may do something: one person or service, one action, one thing → Permitted, Denied or Unclear.

The same engine as for messages on links (``decide``): Cedar over what is shipped (``rules/*.cedar``) and what a site's
bundle adds (``people/*.cedar``); a forbid is stronger than any permit, so what ``rules/floor.cedar`` forbids no bundle permits.

Steps: 1 what the rules of this action read is gathered · 2 an answer that was given for the same is given again ·
3 Cedar; any error is Unclear · 4 a denial says what would help: another proof, nothing.

Rules:
- Every page, call, command and operation of the keeper asks here, and nothing permits beside it.
- Roles come from signed grants; they are looked up anew for each question and never stand in a session.
- An answer hangs on what stands in ``Actor``, ``Thing`` and ``Around`` and on nothing else.
- An empty ``Thing.id`` means the list of such things, cut to what the actor may see.

Deliberately absent: who somebody is (the keeper), what a thing is (its owner), and any clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import cedarpy
import orjson

from oathward.core.errors import PolicyError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.policy.actions import ACTIONS, FRESH, GROUPS, PORTAL, THINGS, ActionInfo, entity_of
from oathward.policy.cedar import CUT_POLICIES_MAX, failures
from oathward.policy.errors import PolicyErrors
from oathward.policy.memo import Memo
from oathward.policy.people import Grant, Person, Service
from oathward.policy.statements import Statement, Vocabulary, action_fits, check_references, read

if TYPE_CHECKING:
    from oathward.policy.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    Args:
        makes: a vendor user's products, ``Acme`` or ``Acme|Vista 3``. party: whom they work for; empty is this site.
    """

    kind: Literal["person", "service", "holder"]
    id: str
    roles: frozenset[Role]
    makes: frozenset[str] = frozenset()
    party: str = ""
    key: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # One word for what answers hang on: a text knows its hash, a set of words is hashed for each question.
        object.__setattr__(self, "key", " ".join((self.kind, *sorted(self.roles))))

    def made(self, make: str) -> bool:
        """Whether a product, ``Acme|Vista 3``, is one of this vendor's."""
        return bool(make) and (make in self.makes or make.partition("|")[0] in self.makes)


SETUP = Actor("person", "", frozenset({Role.SETUP}))
"""Whoever sets up a site that has no people yet."""


@dataclass(frozen=True, slots=True)
class Thing:
    """What is asked about.

    Args:
        kind: of ``actions.THINGS``. id: empty for the list of such things.
        make: of the device it is, or came from. owner: the person whose it is, who asked for it, or whom it is about.
    """

    kind: str
    id: str = ""
    make: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Around:
    """What else counts.

    Args:
        purpose: of use, for opening. strong: signed in with two factors. fresh: proved again within the step-up time.
        relation: a care relationship with the patient holds now.
    """

    purpose: str = ""
    strong: bool = False
    fresh: bool = False
    relation: bool = False
    key: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        flags = f"{self.strong:d}{self.fresh:d}{self.relation:d}"
        object.__setattr__(self, "key", f"{flags}{self.purpose}")


PLAIN = Around()
AT_THE_MACHINE = Around(strong=True, fresh=True)
"""Of a site without people: whoever reaches the admin socket has proved all there is to prove."""


@dataclass(frozen=True, slots=True)
class Permitted:
    """It may be done; ``basis`` names the policies that say so."""

    basis: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """It may not. ``reasons``: the first is what to say; ``basis``: the policies that forbid it, none where none permits."""

    reasons: tuple[Reason, ...]
    basis: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unclear:
    """It cannot be told, and so may not be done. ``about``: policies that failed."""

    why: Reason
    about: tuple[str, ...]


Answer = Permitted | Denied | Unclear

_CONTEXT = ("fresh", "make", "ours", "own", "party", "purpose", "relation", "roles", "strong")
_PACKAGE = "oathward.policy.rules"


@dataclass(frozen=True)
class Rules:
    """All policies about people, compiled: a set an action."""

    statements: tuple[Statement, ...]
    cuts: Mapping[str, _Cut] = field(repr=False)
    answers: Memo[tuple[Any, ...], Answer] = field(default_factory=Memo, repr=False, compare=False)

    @classmethod
    def builtin(cls) -> Rules:
        """Give the shipped rules alone."""
        return _builtin()

    @classmethod
    def of(cls, bundle: Bundle | None) -> Rules:
        """Give the shipped rules with those of a bundle."""
        return cls.with_more(bundle.people if bundle is not None else ())

    @classmethod
    def with_more(cls, more: tuple[Statement, ...]) -> Rules:
        """Give the shipped rules with others, as ``read_people`` gave them."""
        return _compiled((*_builtin().statements, *more)) if more else _builtin()


def decide(rules: Rules, actor: Actor, action: str, thing: Thing, around: Around = PLAIN) -> Answer:
    """Decide whether somebody may do something.

    Args:
        action: of ``actions.ACTIONS``; its thing must be of that action's kind.
    """
    cut = rules.cuts.get(action)
    if cut is None or thing.kind != cut.thing:
        return Unclear(Reason.POLICY_ERROR, (f"action:{action}", f"thing:{thing.kind}"))
    own = thing.owner == actor.id != ""
    ours = not thing.id or (bool(actor.makes) and actor.made(thing.make))
    key: tuple[object, ...] = (action, actor.key, around.key, own, ours)
    if cut.by_name or cut.by_person or cut.by_thing:
        key += (
            actor.id if cut.by_person else "",
            thing.id if cut.by_thing else "",
            (thing.make, actor.party) if cut.by_name else "",
        )
    answer = rules.answers.get(key)
    if answer is None:
        answer = _asked(cut, actor, thing, around, own=own, ours=ours)
        rules.answers.put(key, answer)
    return answer


def actor_of(person: Person, grant: Grant | None, now_us: int) -> Actor:
    """Make the actor a person is now: who left has no role."""
    roles = (
        grant.at(now_us, person.since_us)
        if grant is not None and person.state == "active"
        else frozenset[Role]()
    )
    return Actor("person", person.id, roles, person.makes, person.party)


def actor_of_service(service: Service, owner: Person | None, now_us: int) -> Actor:
    """Make the actor a service is now: without an owner who is here it has no role."""
    alive = service.state == "active" and owner is not None and owner.state == "active"
    in_time = service.until_us is None or now_us < service.until_us
    return Actor("service", service.id, service.roles if alive and in_time else frozenset())


class _Cut:
    """The policies that can reach one action, parsed once; and what an answer hangs on."""

    __slots__ = ("_set", "action", "by_name", "by_person", "by_thing", "policies", "reads", "thing")

    def __init__(
        self,
        action: str,
        info: ActionInfo,
        statements: Sequence[Statement],
        names: Mapping[str, frozenset[str]],
    ) -> None:
        chosen = [s for s in statements if action_fits(s.tree["action"], action, info.groups)]
        self.action, self.thing = action, info.thing
        self.policies = tuple(s.id for s in chosen)
        read_names = frozenset[str]().union(*(names[s.id] for s in chosen))
        self.reads = tuple(name for name in _CONTEXT if name in read_names)
        self.by_person = "principal" in read_names or any(_names_one(s.tree["principal"]) for s in chosen)
        self.by_thing = "resource" in read_names or any(_names_one(s.tree["resource"]) for s in chosen)
        self.by_name = "make" in read_names or "party" in read_names
        trees = {s.id: {**s.tree, "action": {"op": "All"}} for s in chosen}
        body = {"templates": {}, "staticPolicies": trees, "templateLinks": []}
        self._set = cedarpy.PolicySet.from_json_str(orjson.dumps(body).decode())

    def ask(self, actor: Actor, thing: Thing, context: Mapping[str, Any]) -> Answer:
        request = {
            "principal": {"type": actor.kind.capitalize(), "id": actor.id},
            "action": {"type": "Action", "id": self.action},
            "resource": {"type": entity_of(thing.kind), "id": thing.id},
            "context": orjson.dumps({name: context[name] for name in self.reads}).decode(),
        }
        result = cedarpy.is_authorized(request, self._set, _NO_ENTITIES)
        errors = failures(result)
        if errors:
            return Unclear(Reason.POLICY_ERROR, tuple(f"policy:{p}" for p in errors))
        named = tuple(f"policy:{p}" for p in sorted(result.diagnostics.reasons))
        return Permitted(named) if result.allowed else Denied((Reason.ACCESS_ROLE,), named)


_NO_ENTITIES = cedarpy.Entities.from_json_str("[]")


def _asked(cut: _Cut, actor: Actor, thing: Thing, around: Around, *, own: bool, ours: bool) -> Answer:
    def ask(around: Around, *, own: bool = own) -> Answer:
        context = {
            "fresh": around.fresh,
            "make": thing.make,
            "ours": ours,
            "own": own,
            "party": actor.party,
            "purpose": around.purpose,
            "relation": around.relation,
            "roles": sorted(actor.roles),
            "strong": around.strong,
        }
        return cut.ask(actor, thing, context)

    answer = ask(around)
    if not isinstance(answer, Denied):
        return answer
    # What would help is said only where it alone is missing: nobody proves again to be told no.
    helps: tuple[tuple[Reason, Around, bool], ...] = (
        (Reason.ACCESS_OWN, around, False),
        (Reason.ACCESS_STEP_UP, replace(around, fresh=True), own),
        (Reason.ACCESS_FACTOR, replace(around, fresh=True, strong=True), own),
        (Reason.ACCESS_RELATION, replace(around, relation=True), own),
    )
    for reason, other, whose in helps:
        if (other, whose) != (around, own) and isinstance(ask(other, own=whose), Permitted):
            return Denied((reason,), answer.basis)
    return answer


def _variables(tree: Any) -> frozenset[str]:
    """Which attributes of the context, and which other variables, a condition reads."""
    match tree:
        case {".": {"left": {"Var": "context"}, "attr": str(name)}}:
            return frozenset({name})
        case {"Var": "context"}:
            return frozenset(_CONTEXT)
        case {"Var": str(name)}:
            return frozenset({name})
    parts = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
    return frozenset[str]().union(*(_variables(part) for part in parts))


def _names_one(scope: Mapping[str, Any]) -> bool:
    return not (scope["op"] == "All" or (scope["op"] == "is" and "in" not in scope))


def schema_text() -> str:
    """Write the schema of people's policies from the table of actions."""
    rows = [
        "// What Oathward tells Cedar of people and things; written from policy/actions.py.",
        "entity Person; entity Service; entity Holder;",
        *(f"entity {entity_of(kind)};" for kind in THINGS if kind not in {"person", "service"}),
        "type Around = {",
        "  fresh: Bool,      // proved again within the step-up time",
        "  make: String,     // of the device it is about",
        "  ours: Bool,       // the device is of this vendor's, or it is a list, which is cut to those",
        "  own: Bool,        // it is one's own, one asked for it, or it is about oneself",
        "  party: String,    // whom the person works for; empty is this site",
        "  purpose: String,  // HL7 v3 ActReason, for opening",
        "  relation: Bool,   // a care relationship holds now",
        "  roles: Set<String>,",
        "  strong: Bool,     // two factors",
        "};",
        *(f'action "{group}";' for group in (*GROUPS, PORTAL, FRESH)),
    ]
    for name, info in ACTIONS.items():
        groups = ", ".join(f'"{group}"' for group in sorted(info.groups))
        rows.append(
            f'action "{name}" in [{groups}] appliesTo '
            f"{{ principal: [Person, Service, Holder], resource: [{entity_of(info.thing)}], context: Around }};"
        )
    return "\n".join(rows) + "\n"


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """Give what policies about people may speak of."""
    return Vocabulary(schema_text())


def read_people(contents: Mapping[str, bytes], errors: list[PolicyError]) -> tuple[Statement, ...]:
    """Read a bundle's policies about people, ``people/*.cedar``, noting mistakes."""
    found = [
        one
        for path in contents
        if path.endswith(".cedar")
        for one in read(path, contents[path], errors, vocabulary())
    ]
    together = (*_builtin().statements, *found)
    check_references(together, {}, errors)
    # Fewer than any one action may have need no count: asked for each bundle read, it was most of what reading took.
    for action, info in ACTIONS.items() if len(together) > CUT_POLICIES_MAX else ():
        count = sum(action_fits(s.tree["action"], action, info.groups) for s in together)
        if count > CUT_POLICIES_MAX:
            errors.append(
                PolicyError("people", f"{count} policies can reach `{action}`, more than {CUT_POLICIES_MAX}")
            )
    return tuple(found)


@lru_cache(maxsize=1)
def _builtin() -> Rules:
    errors: list[PolicyError] = []
    found: list[Statement] = []
    for name in ("floor.cedar", "roles.cedar"):
        content = files(_PACKAGE).joinpath(name).read_bytes()
        found += read(f"rules/{name}", content, errors, vocabulary())
    check_references(found, {}, errors)
    if errors:
        raise PolicyErrors(errors)
    return _compiled(tuple(found))


def _compiled(statements: tuple[Statement, ...]) -> Rules:
    # Each stands in the cuts of many actions; what it reads is found once.
    names = {one.id: _variables(one.tree["conditions"]) for one in statements}
    return Rules(statements, {name: _Cut(name, info, statements, names) for name, info in ACTIONS.items()})
