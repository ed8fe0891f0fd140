"""How ``oathward ledger`` says what it found: in words, and as plain values for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oathward.core.clock import from_micros, iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oathward.ledger import Entry
    from oathward.ledger.offline import Proved
    from oathward.ledger.report import Report
    from oathward.ledger.verify import Keys

_PROBLEMS_SHOWN_MAX = 20


def plain_report(found: Report) -> dict[str, Any]:
    """Give a report as plain values."""
    return {
        "ok": found.ok,
        "site": found.site,
        "origin": found.origin,
        "size": found.size,
        "root": found.root.hex(),
        "first_bad_index": found.first_bad_index,
        "problem": found.problem.code if found.problem else None,
        "problems": [
            {"reason": p.reason.code, "where": p.where, "why": p.why, "first": p.first, "last": p.last}
            for p in found.problems
        ],
        "checkpoints": found.checkpoints,
        "cosigned": found.cosigned,
        "signed_size": found.signed_size,
        "witnessed_size": found.witnessed_size,
        "unknown_signatures": found.unknown_signatures,
        "removed": found.removed,
        "facts": found.facts,
        "facts_removed": found.facts_removed,
        "lost": [list(pair) for pair in found.lost],
    }


def report(found: Report, keys: Keys, *, own_words: bool, not_asked: str = "") -> None:
    """Print a report.

    Args:
        own_words: the keys came from the export itself, hence prove nothing about who made it.
        not_asked: why the witness was not asked, if it was not.
    """
    print(f"Ledger of site {found.site}, log {found.origin}: {found.size:,} records, root {found.root.hex()}")
    _print_signed(found, keys, own_words=own_words)
    if not_asked:
        print(f"  witness not asked: {not_asked}")
    for rule, count in found.removed.items():
        print(f"  bodies removed under rule {rule}: {count:,}")
    if found.facts_removed:
        print(f"  facts of decisions: {found.facts:,} kept, {found.facts_removed:,} removed")
    for first, last in found.lost:
        print(f"  declared lost after a restore: records {first} to {last}")
    if found.ok:
        print("OK: every record, tile, index block, fact and checkpoint agrees.")
        return
    first_bad = found.first_bad_index
    print(f"BROKEN{'' if first_bad is None else f': first bad record {first_bad}'}")
    for problem in found.problems[:_PROBLEMS_SHOWN_MAX]:
        print(f"  [{problem.reason.code}] {problem.where}: {problem.why}")
    if len(found.problems) > _PROBLEMS_SHOWN_MAX:
        print(f"  … and {len(found.problems) - _PROBLEMS_SHOWN_MAX} more")


def _print_signed(found: Report, keys: Keys, *, own_words: bool) -> None:
    if not keys.log:
        print("  signatures NOT checked: give the log's key with --key")
    else:
        rest = found.size - found.signed_size
        print(f"  {found.checkpoints:,} signed checkpoints; {rest:,} records came after the last right one")
    if own_words:
        print("  the keys were taken from the export itself: give --key to know who made it")
    if found.witnessed_size:
        print(f"  cosigned by a witness up to {found.witnessed_size:,} records")
    else:
        print("  not independently witnessed: whoever holds the checkpoint key could rewrite all of it")


def plain_entry(found: Entry) -> dict[str, Any]:
    """Give a record as plain values."""
    return {
        "index": found.index,
        "at": iso(from_micros(found.at_us)) if found.rule is None else None,
        "kind": found.kind,
        "subject": found.subject,
        "message": found.message,
        "links": list(found.links),
        "body": dict(found.body),
        "leaf": found.leaf.hex(),
        "rule": found.rule,
        "removed_by": found.removed_by,
    }


def entry(found: Entry) -> None:
    """Print one record."""
    import orjson

    if found.rule is not None:
        print(
            f"Record {found.index}: body removed under rule {found.rule}; record {found.removed_by} says so."
        )
        print(f"  leaf     {found.leaf.hex()}")
        return
    print(f"Record {found.index}: {found.kind} at {iso(from_micros(found.at_us))}")
    rows = {"subject": found.subject, "message": found.message, "links": ", ".join(found.links)}
    for name, value in rows.items():
        if value:
            print(f"  {name:<8} {value}")
    print(f"  leaf     {found.leaf.hex()}")
    print(orjson.dumps(dict(found.body), option=orjson.OPT_INDENT_2).decode())


def entries(found: Sequence[Entry], limit: int) -> None:
    """Print what a search found."""
    if not found:
        print("No record answers that.")
        return
    width = max(len("index"), len(str(found[0].index)))
    kinds = max(len(e.kind) for e in found)
    print(f"{'index':>{width}}  {'when (UTC)':<27}  {'kind':<{kinds}}  subject  message  links")
    for e in found:
        parts = "  ".join((e.subject or "—", e.message or "—", ",".join(e.links) or "—"))
        print(f"{e.index:>{width}}  {iso(from_micros(e.at_us)):<27}  {e.kind:<{kinds}}  {parts}")
    if len(found) == limit:
        print(f"More may follow: --before {found[-1].index}")


def proved(found: Proved) -> None:
    """Print what a proof proves."""
    kind = found.record.get("kind", "?")
    print(f"OK: record {found.index} ({kind}) stands in log {found.origin} of {found.size:,} records.")
    for witness, at_s in found.cosigned_s.items():
        print(f"  cosigned by {witness} at {iso(from_micros(at_s * 1_000_000))}")
    if not found.cosigned_s:
        print("  not independently witnessed, or no --witness-key was given")
