"""A folder of letters, read as the one they are addressed to: a person has the words of a letter and nothing else.

Rules:
- A letter counts once its file has its name; what a name with a dot before it holds is still being written.
- A code is the only number of six digits or more in a letter, a link the only address.

Source: RFC 5322.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path

_CODE = re.compile(r"(?<!\d)\d{6,8}(?!\d)")
_LINK = re.compile(r"https?://\S+")
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter. ``at_s``: when it had its name; seconds since 1970."""

    at_s: float
    to: str
    subject: str
    text: str

    @property
    def code(self) -> str:
        """The code it brings; empty for none."""
        found = _CODE.search(_LINK.sub("", self.text))
        return found[0] if found else ""

    @property
    def link(self) -> str:
        """The address it names; empty for none."""
        found = _LINK.search(self.text)
        return found[0] if found else ""

    @property
    def invites(self) -> bool:
        """Whether it is an invitation: its link has a key."""
        return "key=" in self.link


@dataclass(slots=True)
class Mailbox:
    """The letters to one address, in a folder that holds everybody's."""

    folder: Path
    address: str
    _known: dict[str, Letter] = field(default_factory=dict)

    def letters(self, since_s: float = 0.0) -> list[Letter]:
        """List what came, oldest first."""
        for path in self.folder.glob("*.eml") if self.folder.is_dir() else ():
            if path.name not in self._known:
                self._known[path.name] = _read(path)
        mine = (one for one in self._known.values() if one.to.lower() == self.address.lower())
        return sorted((one for one in mine if one.at_s >= since_s), key=lambda one: one.at_s)

    @property
    def newest_code(self) -> str:
        """The code that came last; empty for none."""
        return next((one.code for one in reversed(self.letters()) if one.code), "")

    async def wait(self, kind: str, since_s: float, timeout_s: float = 30.0) -> Letter:
        """Wait for a letter.

        Args:
            kind: ``code``, ``invitation`` or ``notice`` (anything else).

        Raises:
            TimeoutError: none came.
        """
        end = time.monotonic() + timeout_s
        while True:
            for one in reversed(self.letters(since_s)):
                if kind == ("code" if one.code else "invitation" if one.invites else "notice"):
                    return one
            if time.monotonic() > end:
                raise TimeoutError(f"no {kind} came")
            await asyncio.sleep(_LOOK_S)


def _read(path: Path) -> Letter:
    parsed = message_from_bytes(path.read_bytes(), policy=policy.default)
    body = parsed.get_body(("plain",))
    text = str(body.get_content()) if body is not None else ""
    return Letter(path.stat().st_mtime, str(parsed["To"]), str(parsed["Subject"]), text)
