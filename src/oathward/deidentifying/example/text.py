"""The example as plain text: a note that names a patient, a relative, a doctor, a day and numbers."""

from __future__ import annotations

from collections.abc import Sequence

from oathward.deid.action import Seeds
from oathward.deid.plan import Plan
from oathward.deid.profile import Profile
from oathward.deid.text.clean import mark
from oathward.deid.text.find import find
from oathward.deid.text.model import Span
from oathward.deidentifying.example.rows import Example, Reasons, Row, Run, Value, What
from oathward.deidentifying.example.story import Story
from oathward.deidentifying.formats.text import edits_of, reading_of

_NOTE = "note.text"
_OTHER = Span(0, 0, "uncatalogued", "no text has such a run")
MARKED = "goes; a mark stands in its place"


def _told(story: Story) -> bytes:
    return story.note.encode()


def _rows(before: bytes, after: bytes | None, profile: Profile, plan: Plan, seeds: Seeds) -> Sequence[Row]:
    """Give a row for each run that was found; where nothing leaves, one for the text."""
    text, reasons = before.decode(), Reasons(profile)
    if after is None:
        return [reasons.row(Value("the text", _NOTE, text), None)]
    return [
        reasons.row(
            Value(
                f"characters {at + 1} to {at + len(run.before)}", span.cls, run.before, f"found by {span.how}"
            ),
            Value("", span.cls, run.after),
            why=MARKED if run.what == "removed" else "",
        )._replace(what=run.what)
        for at, run, span in _found(text, plan, seeds)
        if span is not None
    ]


def _runs(before: bytes, after: bytes | None, _profile: Profile, plan: Plan, seeds: Seeds) -> Sequence[Run]:
    text = before.decode()
    return [Run(text, "", "removed")] if after is None else [run for _, run, _ in _found(text, plan, seeds)]


def _found(text: str, plan: Plan, seeds: Seeds) -> list[tuple[int, Run, Span | None]]:
    """Cut a text into what stays and what was found: where it begins, both texts, the span."""
    assert plan.texts is not None, "a text leaves of a plan that cleans texts alone"
    ready = reading_of(plan.texts).seeds(text, seeds)
    assert ready.text is not None
    spans = {span.start: span for span in find(text, ready.text)}
    made: list[tuple[int, Run, Span | None]] = []
    end = 0
    for edit in edits_of(plan, text, seeds) or ():
        if edit.start > end:
            made.append((end, Run(text[end : edit.start], text[end : edit.start], "kept"), None))
        span = spans.get(edit.start, _OTHER)
        old, end = text[edit.start : edit.end], edit.end
        what: What = "kept" if old == edit.text else "removed" if edit.text == mark(span.cls) else "changed"
        made.append((edit.start, Run(old, edit.text, what), span))
    return [*made, (end, Run(text[end:], text[end:], "kept"), None)] if end < len(text) else made


def _document(data: bytes) -> str:
    return data.decode()


EXAMPLE = Example("Text", "example.txt", _told, _rows, _document, _runs)
