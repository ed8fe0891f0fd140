"""What changes the network's tables: totals are added, a source was read on, a plan is imported, old rows go.

Rules:
- What a group of a source adds and how far that source was read is one transaction: read again after a crash, nothing is counted twice.
- ``prepare`` does what takes time before the transaction: the writers of the gateway wait for ``store``.
- A source that was read to its end, and a plan, are records: counts and digests; no address, no name of a file.

Deliberately absent: which endpoint an address was (``endpoints``; whoever calls says it), raw flows (``segments``).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine

from oathward.core.db import in_pieces, read, write
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.ledger import Record, append
from oathward.ledger import prepare as prepared_record
from oathward.network import sql
from oathward.network.model import ConversationKey, ObservedSource, PlanRow, RulesetRow, Sums
from oathward.network.plan import Plan

if TYPE_CHECKING:
    import polars as pl

    from oathward.discovery.model import Clear

ZONE_ROWS = 256
RULESETS_MAX = 500
"""Devices whose rules are kept."""

_SEPARATOR = "\x1f"


@dataclass(slots=True)
class Prepared:
    """Rows of one group, ready to be added, in the order of their tables."""

    conversations: list[tuple[Any, ...]] = field(default_factory=list)
    totals: list[tuple[Any, ...]] = field(default_factory=list)
    uses: list[tuple[Any, ...]] = field(default_factory=list)
    clear: list[tuple[Any, ...]] = field(default_factory=list)


def conversation_id(key: ConversationKey) -> bytes:
    """Give the id of a conversation, 16 bytes: the same for the same key, everywhere."""
    text = _SEPARATOR.join(map(str, key))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def prepare(
    site: str,
    totals: pl.DataFrame | None,
    clear: Iterable[Clear],
    plan: Plan,
    holder: Callable[[str, str, int], str],
) -> Prepared:
    """Make the rows that a group of totals adds.

    Args:
        totals: as ``discovery.totals`` makes them, with ``client_endpoint`` and ``server_endpoint``; None where there are none.
        clear: classes seen in clear text. holder: (realm, address, at in microseconds) -> endpoint, for these.
    """
    done = Prepared()
    if totals is not None and totals.height:
        _of_totals(done, site, totals, plan)
    _of_clear(done, site, clear, plan, holder)
    return done


def store(db: Connection, site: str, rows: Prepared, source: ObservedSource, parts_before: int) -> None:
    """Add a group and note how far its source was read. The last call before commit.

    Raises:
        InputError: ``conflict``: another run has read on in it meanwhile; nothing of the group is added.
    """
    now = sql.source(db, site, source.id)
    if now is None or now.parts != parts_before:
        raise InputError("source", "another run reads it just now: wait for its end", reason=Reason.CONFLICT)
    sql.add(db, sql.flow_conversation, rows.conversations)
    sql.add(db, sql.flow_total, rows.totals)
    sql.add(db, sql.flow_use, rows.uses)
    sql.add(db, sql.clear_class, rows.clear)
    sql.put_source(db, site, source)


def known_source(
    db: Connection, site: str, row: ObservedSource, prefix: Callable[[int], str]
) -> ObservedSource | None:
    """Find how far a source was read before, by how it begins. ``prefix``: as for ``begin_source``.

    What was shorter then, was read whole and held nothing but a header, is not known again: all captures of a sensor begin so.
    """
    for length in reversed(sql.head_lengths(db, site, row.realm) if row.head_sha256 else []):
        digest = prefix(length)
        found = sql.source_of(db, site, row.realm, length, digest) if digest else None
        empty = (
            found is not None and found.finished and not (found.flows or found.sessions or found.statements)
        )
        if found is not None and not (empty and length < row.head_bytes):
            return replace(found, name=row.name, device=row.device, inode=row.inode)
    return None


def begin_source(
    db: Connection, site: str, row: ObservedSource, prefix: Callable[[int], str]
) -> ObservedSource:
    """Give a source as it was read before, or a new one, which is written down. The last call before commit.

    Args:
        row: as it lies there now; its id is taken where it is new. prefix: SHA-256 in hex of its first so many bytes, empty where it has fewer.
    """
    known = known_source(db, site, row, prefix)
    if known is not None:
        return known
    new = replace(row, id=uuid7(row.updated_us // 1_000))
    if not new.head_sha256:  # nothing tells it from others: a socket
        new = replace(new, head_bytes=0, head_sha256=new.id)
    sql.put_source(db, site, new)
    return new


def note_source(db: Connection, site: str, row: ObservedSource) -> None:
    """Note how a source lies now of which nothing more was read: no record."""
    sql.put_source(db, site, row)


def end_source(db: Connection, site: str, row: ObservedSource, refused: Mapping[str, int]) -> None:
    """Note that a source was read to its end. The last call before commit.

    Args:
        refused: reason code -> how many things could not be read.
    """
    sql.put_source(db, site, replace(row, finished=True))
    body = {
        "flows": row.flows,
        "head_sha256": row.head_sha256,
        "last_us": row.last_us,
        "observer": row.observer,
        "offset": row.offset,
        "realm": row.realm,
        "refused": dict(sorted(refused.items())),
        "sessions": row.sessions,
        "source": row.id,
        "statements": row.statements,
    }
    append(db, site, [prepared_record(Record("network.observed", body, row.updated_us))])


def import_plan(db: Connection, site: str, rows: Sequence[PlanRow], *, by: str, now_us: int) -> bool:
    """Put a plan in place of the one before; says whether it is another. The last call before commit."""
    ordered = sorted(rows)
    if ordered == sorted(sql.plan_rows(db, site)):
        return False
    sql.put_plan(db, site, ordered)
    digest = hashlib.sha256("\n".join(_SEPARATOR.join(row) for row in ordered).encode()).hexdigest()
    body = {"by": by, "networks": len(ordered), "sha256": digest, "zones": len({row.zone for row in ordered})}
    append(db, site, [prepared_record(Record("network.planned", body, now_us))])
    return True


def import_rules(db: Connection, site: str, row: RulesetRow) -> bool:
    """Put rules of a device in place of those before; says whether they are others. The last call before commit.

    Raises:
        InputError: ``message.limit-exceeded``: ``RULESETS_MAX`` devices have rules here.
    """
    known = sql.rulesets(db, site)
    before = next((one for one in known if one.name == row.name), None)
    if before is not None and replace(before, at_us=row.at_us, by=row.by) == row:
        return False
    if before is None and len(known) >= RULESETS_MAX:
        raise InputError("name", f"at most {RULESETS_MAX} devices", reason=Reason.LIMIT_EXCEEDED)
    sql.put_ruleset(db, site, row)
    body = {"by": row.by, "name": row.name, "rules": row.rules, "sha256": row.sha256}
    append(db, site, [prepared_record(Record("rules.imported", body, row.at_us))])
    return True


def remove_rules(db: Connection, site: str, name: str, *, by: str, now_us: int) -> bool:
    """Remove rules of a device; says whether there were any. The last call before commit."""
    if not sql.drop_ruleset(db, site, name):
        return False
    append(db, site, [prepared_record(Record("rules.removed", {"by": by, "name": name}, now_us))])
    return True


def place_again(engine: Engine, site: str) -> int:
    """Say anew in which zones conversations are, after another plan; in small transactions. Gives how many changed."""
    with read(engine) as db:
        plan = Plan(sql.plan_rows(db, site))
    after, changed = b"", 0
    while True:
        with read(engine) as db:
            rows = sql.conversations_behind(db, site, after, ZONE_ROWS * 16)
        if not rows:
            return changed
        after = rows[-1][0]
        moved = []
        for id_, realm, client, client_zone, server, server_zone in rows:
            zones = plan.place(realm, client).zone, plan.place(realm, server).zone
            if zones != (client_zone, server_zone):
                moved.append((id_, *zones))
        for start in range(0, len(moved), ZONE_ROWS):
            with write(engine) as db:
                sql.put_zones(db, site, moved[start : start + ZONE_ROWS])
        changed += len(moved)


def forget(engine: Engine, site: str, before_us: int) -> int:
    """Forget totals of before a time, in small transactions; gives how many rows went."""
    return in_pieces(engine, lambda db, rows: sql.forget(db, site, before_us, rows))


def _of_totals(done: Prepared, site: str, totals: pl.DataFrame, plan: Plan) -> None:
    import polars as pl

    sums = [pl.col(name).sum() for name in Sums._fields]
    talks = totals.group_by(sql.KEY, maintain_order=True).agg(
        pl.col("first_us").min(), pl.col("last_us").max(), *sums
    )
    ids = []
    for row in talks.iter_rows():
        key = ConversationKey(*row[: len(sql.KEY)])
        id_ = conversation_id(key)
        ids.append(id_)
        zones = plan.place(key.realm, key.client).zone, plan.place(key.realm, key.server).zone
        done.conversations.append((site, id_, *key, *zones, *row[len(sql.KEY) :]))
    known = talks.select(sql.KEY).with_columns(pl.Series("conversation", ids, pl.Binary))
    hours = (
        totals.join(known, on=sql.KEY, nulls_equal=True)
        .group_by("conversation", "hour_us", maintain_order=True)
        .agg(sums)
    )
    done.totals = [(site, *row) for row in hours.iter_rows()]
    sides = [
        totals.select(
            pl.col(f"{one}_endpoint").alias("endpoint"), "hour_us", "flows",
            pl.col(f"{one}_bytes").alias("sent"), pl.col(f"{other}_bytes").alias("received"),
        )
        for one, other in (("client", "server"), ("server", "client"))
    ]  # fmt: skip
    uses = (
        pl.concat(sides)
        .filter(pl.col("endpoint") != "")
        .group_by("endpoint", "hour_us", maintain_order=True)
        .agg(pl.col("flows").sum(), pl.col("sent").sum(), pl.col("received").sum())
    )
    done.uses = [(site, *row) for row in uses.iter_rows()]


def _of_clear(
    done: Prepared, site: str, clear: Iterable[Clear], plan: Plan, holder: Callable[[str, str, int], str]
) -> None:
    """Count classes seen in clear text; of a conversation that no total told of, a row without sums."""
    counts: Counter[tuple[bytes, str]] = Counter()
    times: dict[tuple[bytes, str], tuple[int, int]] = {}
    for one in clear:
        sides = holder(one.realm, one.client, one.at_us), holder(one.realm, one.server, one.at_us)
        key = ConversationKey(
            *(one.realm, one.client, sides[0], one.server, sides[1]),
            *(one.transport, one.port, one.service, ""),
        )
        id_ = conversation_id(key)
        zones = plan.place(key.realm, key.client).zone, plan.place(key.realm, key.server).zone
        nothing = (0,) * len(Sums._fields)
        done.conversations.append((site, id_, *key, *zones, one.at_us, one.at_us, *nothing))
        for cls, elements in one.classes.items():
            counts[id_, cls] += elements
            first, last = times.get((id_, cls), (one.at_us, one.at_us))
            times[id_, cls] = min(first, one.at_us), max(last, one.at_us)
    done.clear = [(site, id_, cls, *times[id_, cls], n) for (id_, cls), n in sorted(counts.items())]
