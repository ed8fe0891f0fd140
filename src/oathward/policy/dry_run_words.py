"""What a dry run found, in words: for the command line, pages and a proposal's history.

Rules:
- What could not be decided again is said first among the numbers, with why; it is never called unchanged.
- A link that is not named here answers the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from oathward.policy.dry_run_sums import DryRun, LinkSums

CAUSES: Mapping[str, str] = {
    "removed": "their facts were removed",
    "facts": "their facts are not there",
    "version": "their facts are of another version",
    "codes": "their codes were not looked at then",
    "labels": "the new label table looks at something that was not kept",
    "patient": "it was not sure whom they are about",
    "message": "what shaping or the guard makes of them is known to the message alone",
}
WORDS: Mapping[str, str] = {
    "newly_allowed": "newly allowed",
    "newly_denied": "newly denied",
    "newly_held": "newly held",
    "no_longer_held": "no longer held, and denied",
    "classes_more": "with more that leaves",
    "classes_less": "with less that leaves",
    "observations_more": "with more observations, by their codes",
    "observations_less": "with fewer observations, by their codes",
    "reshaped": "in another form",
    "dated": "of these differ only because a date has passed since: decided today, both would say the same",
}
_DEVICES_SHOWN = 5
_NOTHING = "No decision was recorded in this time: there was nothing to try it on."


def lines(run: DryRun) -> list[str]:
    """Say all of it, a line a fact."""
    found = [_head(run), *_standing(run)]
    if not run.decisions:
        return [_NOTHING, *found[1:]]
    if not run.links:
        found.append("Every decision that could be made again comes out the same.")
    for link in run.links:
        found += _link(link)
    return found


def summary(run: DryRun) -> str:
    """Say it in one line."""
    if not run.decisions:
        return _NOTHING
    counts = {kind: sum(link.counts.get(kind, 0) for link in run.links) for kind in WORDS}
    said = [
        f"{counts[kind]:,} {WORDS[kind]}"
        for kind in ("newly_allowed", "newly_denied", "newly_held")
        if counts[kind]
    ]
    said += [f"more leaves on {_links(run, 'classes_more')}"] if counts["classes_more"] else []
    said += [f"less leaves on {_links(run, 'classes_less')}"] if counts["classes_less"] else []
    told = "; ".join(said) or "all come out the same"
    return f"{run.decisions:,} decisions: {told}; {percent(run)} could not be decided again"


def percent(run: DryRun) -> str:
    """Write the share that could not be decided again; never rounded to nothing."""
    share = run.undecided_share * 100
    return "0 %" if not share else "under 0.1 %" if share < 0.1 else f"{share:.1f} %"


def _links(run: DryRun, kind: str) -> str:
    return ", ".join(link.link for link in run.links if link.counts.get(kind))


def _head(run: DryRun) -> str:
    return (
        f"{run.decisions:,} recorded decisions: {run.changed:,} come out differently, {run.unchanged:,} the same, "
        f"{run.undecided:,} ({percent(run)}) could not be decided again."
    )


def _standing(run: DryRun) -> Iterator[str]:
    for cause, count in sorted(run.causes.items(), key=lambda item: (-item[1], item[0])):
        yield f"  not decided again: {count:,}, {CAUSES.get(cause, cause)}"
    if run.moved_on:
        yield f"  {run.moved_on:,} the same with the consents recorded then; their patients have said something since"
    if run.older:
        yield f"  {run.older:,} were labelled under an older bundle; their labels are taken as recorded"
    for link, count in sorted(run.otherwise_then.items()):
        yield f"  {link}: {count:,} were answered differently at the time, under an older policy, than the one in force now would"
    if run.removed_records:
        yield f"  {run.removed_records:,} records of this time are removed; whether they were decisions cannot be told"


def _link(link: LinkSums) -> Iterator[str]:
    at_least = "at least " if link.subjects_at_least else ""
    who = (
        f", about {at_least}{link.subjects:,} {'patient' if link.subjects == 1 else 'patients'}"
        if link.subjects
        else ""
    )
    said = [f"{link.counts[kind]:,} {WORDS[kind]}" for kind in WORDS if link.counts.get(kind)]
    yield f"{link.link}: {'; '.join(said)}{who}"
    if link.more:
        yield f"  newly leaves: {_classes(link.more)}"
    if link.less:
        yield f"  no longer leaves: {_classes(link.less)}"
    if link.reasons:
        yield f"  because: {_classes(link.reasons)}"
    for kind, counts in sorted(link.kinds.items()):
        yield f"  {kind or 'unknown kind'}: {_counts(counts)}"
    busiest = sorted(link.devices, key=lambda row: (-sum(row[2].values()), row[0]))
    for device, _, counts in busiest[:_DEVICES_SHOWN]:
        yield f"    {device or 'unknown device'}: {_counts(counts)}"
    rest = len(busiest) - _DEVICES_SHOWN + link.devices_left_out
    if rest > 0:
        yield f"    and {rest:,} more {'device' if rest == 1 else 'devices'}"


def _classes(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in sorted(counts.items()))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{counts[kind]:,} {WORDS[kind]}" for kind in WORDS if counts.get(kind) and kind != "dated"
    )
