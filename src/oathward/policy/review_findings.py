"""What a review finds: a rule, what it is about, in words, and the change of the bundle's files that would remove it.

Rules:
- Words name people as ``{id}``: who may see people reads names there, others ``NOBODY``.
- A finding is the same one in every review while its rule and what it is about are; its id is made of these two.
- A proposal is a change of files and nothing else; it is offered only when the bundle is still a bundle with it.

Deliberately absent: who signs one off (``oathward.changes.findings_model``).
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

RULES: Mapping[str, str] = {
    "policy.never-fires": "A policy that can never fire",
    "policy.contradicts": "A permit whose every request is forbidden",
    "policy.shadowed": "A policy that another one implies",
    "policy.past-date": "An exception past its date",
    "emergency.overdue": "An emergency change that nobody assessed in time",
    "link.never-passes": "A link on which nothing can pass",
    "link.shadowed": "A link that another one covers",
    "link.expired": "A link past its date",
    "link.unused": "A link that nothing used",
    "link.classes-unused": "Classes that a link names and nothing used",
    "link.types-unused": "Message types that a link names and nothing used",
    "link.sources-unused": "Devices, kinds or tags that a link names and nothing used",
    "label.never-fires": "A label rule that can never fire",
    "class.uncovered": "A class that came and no link carries",
    "role.uncovered": "A role that may do nothing",
    "recipient.unused": "A recipient without a link",
    "grant.unused": "A role that nobody used",
    "grant.endless": "A role without an end",
    "grant.due": "A role that ends soon",
    "roles.many": "Many roles of one person",
    "roles.apart": "Roles that nobody may hold together",
    "roles.few": "Too few who may approve",
    "people.one-door": "Two who agree, let in by one person",
    "people.one-maker": "Accounts that one person made, all of them",
    "people.widened": "Somebody's reach, widened by one person alone",
    "job.others": "A job into a project that others had released into",
    "job.bare": "A job of little but numbers",
    "service.ownerless": "A service without an owner",
    "service.endless": "A service without an end",
    "policy.unknown": "A policy that cannot be reviewed by trying",
}
"""Rule → its title, in the order of a list."""

GRAVE = frozenset(
    {
        "policy.contradicts",
        "policy.past-date",
        "emergency.overdue",
        "link.never-passes",
        "link.expired",
        "roles.apart",
        "service.ownerless",
    }
)
"""Rules whose findings say that something does not do what somebody meant, not only that it could be smaller."""


@dataclass(frozen=True)
class Proposal:
    """A change of a bundle's files. ``files``: path → new content, None where the file goes."""

    words: str
    files: Mapping[str, bytes | None] = field(repr=False)

    def applied(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Give the bundle's files with it."""
        both: dict[str, bytes | None] = {**files, **self.files}
        return {path: content for path, content in both.items() if content is not None}

    def difference(self, files: Mapping[str, bytes]) -> str:
        """Write it as a unified difference."""
        rows: list[str] = []
        for path in sorted(self.files):
            old, new = files.get(path, b"").decode(), (self.files[path] or b"").decode()
            there = (f"a/{path}", f"b/{path}" if self.files[path] is not None else "/dev/null")
            rows += difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), *there)
        return "".join(row if row.endswith("\n") else row + "\n" for row in rows)


@dataclass(frozen=True)
class ReviewFinding:
    """One thing that somebody should look at. ``about``: ``policy:ID``, ``link:ID``, ``person:ID/role`` and so on.

    ``by``: whose doing it is, by id: somebody else signs it off. Empty where it is nobody's.
    """

    rule: str
    about: str
    words: str
    proposal: Proposal | None = None
    by: str = ""

    @property
    def id(self) -> str:
        """Sixteen characters that stay the same while it is the same finding."""
        return hashlib.sha256(f"{self.rule}|{self.about}".encode()).hexdigest()[:16]


NOBODY = "somebody"
"""In the place of a name, for who may not see people."""

_MARK = re.compile(r"\{([A-Za-z0-9][A-Za-z0-9._-]{0,63})\}")


def marked(words: str) -> frozenset[str]:
    """Give the ids of the people that words name."""
    return frozenset(_MARK.findall(words))


def with_names(words: str, names: Mapping[str, str] | None) -> str:
    """Put names where words name people: an id where one has none, ``NOBODY`` where there are no names to give."""
    if names is None:
        return _MARK.sub(NOBODY, words)
    return _MARK.sub(lambda mark: names.get(mark[1], mark[1]), words)


OFFERED_MAX = 50
"""Proposals of one review that are tried; the next review tries those of what is left."""

Passes = Callable[[Mapping[str, bytes]], bool]
"""Whether files are a bundle that could become active."""


def offered(finding: ReviewFinding, files: Mapping[str, bytes], passes: Passes) -> ReviewFinding:
    """Take the proposal away where the bundle would be none with it, or no other."""
    proposal = finding.proposal
    if proposal is None:
        return finding
    after = proposal.applied(files)
    return finding if after != dict(files) and passes(after) else replace(finding, proposal=None)
