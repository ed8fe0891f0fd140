"""Tests of policies about people, beside them: who, what, and the answer that is expected (``*.test.toml``).

A case states what matters to it; what it leaves out is the plain person: nobody's own thing, two factors, a fresh proof,
no purpose, no care relationship.

Deliberately absent: whose answer is right (the case says), and running them at activation (``trial``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from oathward.core.labels import Role
from oathward.core.reasons import BY_CODE, Reason
from oathward.policy.access import Actor, Answer, Around, Denied, Permitted, Rules, Thing, decide
from oathward.policy.actions import ACTIONS
from oathward.policy.reading import Section, near

ANSWERS = ("permit", "deny")
_KINDS: Mapping[str, Literal["service", "holder"]] = {"service": "service", "holder": "holder"}
_ME, _OTHER = "person-1", "person-2"


@dataclass(frozen=True, slots=True)
class PeopleCase:
    """One test: ``reason`` is the one a denial must give, where stated."""

    name: str
    where: str
    actor: Actor
    action: str
    thing: Thing
    around: Around
    expect: str
    reason: Reason | None = None

    def passes(self, rules: Rules) -> bool:
        """Whether the answer is as expected."""
        return self.wrong(self.answer(rules)) == ""

    def answer(self, rules: Rules) -> Answer:
        """Ask."""
        return decide(rules, self.actor, self.action, self.thing, self.around)

    def wrong(self, answer: Answer) -> str:
        """Say how an answer differs from what is expected; empty where it does not."""
        match answer:
            case Permitted(basis):
                return "" if self.expect == "permit" else f"permitted by {', '.join(basis)}"
            case Denied(reasons, basis):
                if self.expect == "deny" and self.reason in {None, *reasons}:
                    return ""
                return f"denied, {', '.join(r.code for r in reasons)}: {', '.join(basis) or 'nothing permits it'}"
        return f"unclear: {', '.join(answer.about)}"


def read_people_cases(section: Section) -> list[PeopleCase]:
    """Read one test file, noting mistakes."""
    return [_case(row) for row in section.sections("case")]


def failed(cases: Iterable[PeopleCase], rules: Rules) -> list[tuple[PeopleCase, str]]:
    """Run cases; gives those that fail, and how."""
    return [(case, why) for case in cases if (why := case.wrong(case.answer(rules)))]


def _case(row: Section) -> PeopleCase:
    action = row.choice("action", tuple(ACTIONS))
    info = ACTIONS.get(action)
    roles = row.words("roles", ())
    for word in roles:
        if word not in set(Role):
            row.note("roles", f"`{word}` is no role; {near(word, [role.value for role in Role])}", word)
    kind = row.choice("who", ("person", "service", "holder"), "person")
    code = row.text("reason", "")
    if code and code not in BY_CODE:
        row.note("reason", f"`{code}` is no reason; {near(code, BY_CODE)}", code)
    make, ours = row.text("make", ""), frozenset(row.words("makes", ()))
    found = PeopleCase(
        row.text("name", example="an auditor adopts nothing"),
        row.document.at(row.path),
        Actor(
            _KINDS.get(kind, "person"),
            row.text("id", _ME),
            frozenset(Role(word) for word in roles if word in set(Role)),
            ours,
            row.text("party", ""),
        ),
        action,
        Thing(
            info.thing if info else "",
            row.text("thing", "thing-1"),
            make,
            row.text("id", _ME) if row.flag("own", default=False) else _OTHER,
        ),
        Around(
            row.text("purpose", ""),
            row.flag("strong", default=True),
            row.flag("fresh", default=True),
            row.flag("relation", default=False),
        ),
        row.choice("expect", ANSWERS),
        BY_CODE.get(code),
    )
    row.done()
    return found
