"""Before and after: one example through one profile, as a file of a job goes.

Rules:
- Reading, shaping and putting together are those of ``deidentifying.formats``; nothing here decides what becomes of a value.
- Seeds are fixed, of no site and known to everybody: no pseudonym and no date here is one of the site's.
- Everything a profile leaves is permitted; what a link does not permit is removed besides (``gateway.sample`` shows that).

Deliberately absent: patients, the keeper, storing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from oathward.core.errors import OathwardError
from oathward.deid.action import Seeds, days_of
from oathward.deid.profile import Profile
from oathward.deid.text.model import NOTHING, Context
from oathward.deidentifying.example.rows import Row, Run, examples
from oathward.deidentifying.example.story import STORY, Story
from oathward.deidentifying.format import Content, Folder, Shaped, Terms, formats
from oathward.protocols.shaping import REMOVE

OUTGOING_ID = "0123456789ABCDEFGHIJ"
HELD = "all of it is held, and nothing leaves"
_SUBJECT, _DEVICE = b"\x01" * 32, b"\x02" * 32


@dataclass(frozen=True, slots=True)
class Preview:
    """One example before and after.

    Args:
        held: reason code where nothing leaves; empty where something does.
        runs: of a text; empty for other formats.
        came, left: the documents; ``left`` is None where it is held.
    """

    profile: str
    format: str
    title: str
    held: str
    rows: tuple[Row, ...]
    runs: tuple[Run, ...] = ()
    came: bytes = field(default=b"", repr=False)
    left: bytes | None = field(default=None, repr=False)

    @property
    def documents(self) -> tuple[str, str]:
        """Both documents for reading; empty where there is none, or it is no text."""
        document = examples()[self.format].document
        return document(self.came), document(self.left) if self.left is not None else ""


def preview(profile: Profile, name: str, story: Story = STORY) -> Preview:
    """Show what a profile makes of one format's example.

    Args:
        name: of a format of ``examples()``.
        story: what happened, in a site's own words.
    """
    example = examples()[name]
    came = example.told(story)
    terms, seeds = Terms(profile, Folder("example", story.namespace or story.oid)), seeds_for(profile, story)
    kind = formats()[name]
    plan = kind.compile(terms)
    left, held = _shaped(kind.read(came, terms), plan, seeds, came)
    rows = tuple(example.rows(came, left, profile, plan, seeds))
    return Preview(
        profile.name,
        name,
        example.title,
        held,
        tuple(row._replace(why=HELD) for row in rows) if held else rows,
        tuple(example.runs(came, left, profile, plan, seeds)) if example.runs else (),
        came,
        left,
    )


def seeds_for(profile: Profile, story: Story) -> Seeds:
    """Give seeds of no site; where a profile keeps patients' numbers, they leave as on a link that carries identity."""
    return Seeds(
        _SUBJECT,
        _DEVICE,
        OUTGOING_ID,
        int(story.at[:4]),
        "example",
        identity=profile.action_of("patient.identifier") == "keep",
        days=days_of(_SUBJECT),
        text=Context(NOTHING, lambda _cls, _part: REMOVE),
    )


def _shaped(content: Content, plan: object, seeds: Seeds, came: bytes) -> tuple[bytes | None, str]:
    """Give what leaves, or why nothing does."""
    parts: list[Shaped | None] = []
    try:
        parts += [unit.shape(plan, seeds) for unit in content.units]
    except OathwardError as error:
        return None, error.reason.code
    return _joined(content.put_together(parts), came), ""


def _joined(pieces: Sequence[bytes | tuple[int, int]], came: bytes) -> bytes:
    return b"".join(
        piece if isinstance(piece, bytes) else came[piece[0] : piece[0] + piece[1]] for piece in pieces
    )
