"""What happens to one value, object or list of a resource: the hands of ``rewrite``.

Rules:
- A *step* takes a value and the run, and gives what stands in its place, or None where nothing does. Nothing that
  came is changed: what is kept whole is the same object, what is not is a new one.
- Every value is told to the run: kept, changed or removed, with its class.
- What a transform gives must be a value of the element's type; else it is removed, as one that gave nothing is.
- An object of which nothing is left goes; so does an array.
- Where R4 asks for an element that goes, an extension says that something was there (``masked``).

Deliberately absent: which step stands where (``steps`` compiles that from elements and rulings).

Source: FHIR R4 §2.6.2 (JSON), data-absent-reason extension.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oathward.protocols import markup
from oathward.protocols.fhir.message import Resource, Verbatim
from oathward.protocols.fhir.primitives import FORMS
from oathward.protocols.fhir.templates import Recorder, Result
from oathward.protocols.fhir.verdicts import NOTHING, Observed
from oathward.protocols.shaping import KEEP, Fate, Quick, Ruling, Texts, Transform

MASKED = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}
    ]
}
"""What stands where R4 asks for something and it may not leave."""

DATES = ("date", "dateTime")
NOTE = "note.text"
STRUCTURE = "structure"


class Run:
    """One rewriting: the caller's context, what was done so far, and what things are called on what leaves."""

    __slots__ = (
        *("broken", "change", "changed", "codes", "contained", "context", "group", "keep", "kept", "links"),
        *("local", "names", "observations", "observed", "outgoing", "own", "pairs", "recorder", "referred"),
        *("remove", "removed", "told", "tokens", "types", "uncatalogued", "used"),
    )

    def __init__(self, context: object, recorder: Recorder | None = None) -> None:
        self.context, self.recorder = context, recorder
        self.kept: list[str] = []
        self.changed: list[str] = []
        self.removed: list[str] = []
        self.keep, self.change, self.remove = self.kept.append, self.changed.append, self.removed.append
        self.links: list[str] = []
        """Classes of references that were changed; they are no content of their own."""
        self.told: set[str] = set()
        """Classes of ids and references that are still there."""
        self.uncatalogued = self.observations = 0
        self.broken = self.group = False
        """A part went without which the resource, or the object it stands in, says something else."""
        self.observed: Observed = NOTHING
        self.pairs: list[tuple[Resource, str]] = []
        self.codes: set[tuple[str, str]] | None = None
        self.names: dict[str, int] = {}
        """What entries are called -> their index."""
        self.types: list[str] = []
        """Their resource types, by index."""
        self.outgoing: list[str] = []
        """What entries are called on what leaves, empty where they do not leave; by index."""
        self.referred: set[int] = set()
        self.own = ""
        """The patient that pseudonyms stand for: ``Patient/123``."""
        self.tokens: dict[str, str] = {}
        """References to what has another name on what leaves; a transform is asked once for each."""
        self.local: dict[str, str] = {}
        """Ids of contained resources -> references to them on what leaves."""
        self.used: set[str] = set()
        """Ids of contained resources that are referred to."""
        self.contained: list[Resource] | None = None

    def inner(self) -> Run:
        """Start a run for a part, with counts of its own and the same names."""
        run = Run(self.context, self.recorder)
        run.names, run.types, run.outgoing, run.own = self.names, self.types, self.outgoing, self.own
        run.local, run.codes, run.tokens = self.local, self.codes, self.tokens
        return run

    def add(self, part: Run) -> None:
        """Take over what was counted for a part that stays."""
        self.kept += part.kept
        self.changed += part.changed
        self.links += part.links
        self.told |= part.told
        self.referred |= part.referred
        self.lose(part, everything=False)

    def lose(self, part: Run, *, everything: bool = True) -> None:
        """Take over what was removed of a part; ``everything``: all of it is removed now."""
        self.removed += part.removed
        self.uncatalogued += part.uncatalogued
        self.observations += part.observations
        if everything:
            for told in (part.kept, part.changed, part.links):
                self.removed += told

    def asked(self, result: Result, text: str) -> Any:
        """Give what stands in the place of a text; of a marked message, a marker for it."""
        if self.recorder is not None:
            return self.recorder.ask(result, text)
        return result(text, self.context)

    def mark(self) -> tuple[int, int, int]:
        """Remember how far we are."""
        return len(self.kept), len(self.changed), len(self.links)

    def undo(self, mark: tuple[int, int, int]) -> None:
        """Count what was kept or changed since then as removed."""
        for told, n in zip((self.kept, self.changed, self.links), mark, strict=True):
            self.removed += told[n:]
            del told[n:]


Step = Callable[[Any, Run], Any]


# --- values


def leaf(kind: str, cls: str, ruling: Ruling, *, codes: bool = False) -> Step:
    """Make the step of a primitive of type ``kind``; ``codes``: only some codes are valid."""
    if ruling is KEEP:

        def kept(value: Any, run: Run) -> Any:
            run.keep(cls)
            return value

        return kept
    if isinstance(ruling, Fate):

        def removed(_value: Any, run: Run) -> None:
            run.remove(cls)

        return removed
    return _changed(kind, cls, ruling, codes=codes)


def _changed(kind: str, cls: str, ruling: Transform, *, codes: bool) -> Step:
    types, test = FORMS[kind]
    number = int in types
    transform = markup.narrative(ruling) if kind == "xhtml" and isinstance(ruling, Texts) else ruling
    short = transform.short if isinstance(transform, Quick) and kind in DATES else None

    def result(text: str, context: object) -> Any:
        if short is not None and (quick := short(text[:7].replace("-", "").encode())) is not None:
            return quick.decode()
        made: Any = transform(text, context)
        if made == text:
            return made
        if number and made:
            made = int(made) if made.isascii() and made.isdecimal() and len(made) < 10 else None
        fits = made and not codes and bool not in types and (test is None or test(made))
        return made if fits else None

    def changed(value: Any, run: Run) -> Any:
        text = written(value)
        if run.recorder is not None:
            made = run.recorder.ask(result, text, dated=kind in DATES)
        else:
            made = result(text, run.context)
        (run.remove if made is None else run.change)(cls)
        return value if made == text else made

    return changed


def written(value: Any) -> str:
    """Give a primitive as text."""
    if value.__class__ is str:
        return str(value)
    if value.__class__ is bool:
        return "true" if value else "false"
    return value.text if isinstance(value, Verbatim) else str(value)


def tested(fits: Callable[[Any], object], step: Step, otherwise: Step) -> Step:
    """Make the step of a value that must look like its element, and else is a note."""

    def walk(value: Any, run: Run) -> Any:
        return step(value, run) if fits(value) else otherwise(value, run)

    return walk


def nothing(_value: Any, _run: Run) -> None:
    """Leave out what is no value of its own."""


def plain(value: Any, _run: Run) -> Any:
    """Leave in what is no value of its own."""
    return value


# --- lists


def each(step: Step, *, unique: bool = False) -> Step:
    """Make the step of a list; ``unique``: what was several things may now be one pseudonym several times."""

    def walk(items: Any, run: Run) -> Any:
        made = [found for item in items if item is not None and (found := step(item, run)) is not None]
        if unique and len(made) > 1:
            made = [item for i, item in enumerate(made) if item not in made[:i]]
        return made or None

    return walk


def all_of(step: Step) -> Step:
    """Make the step of a list that says something else if one of it goes."""

    def walk(items: Any, run: Run) -> Any:
        made = [step(item, run) for item in items if item is not None]
        return None if None in made else made

    return walk


# --- what happens when something goes


def whole(step: Step) -> Step:
    """Make the step of a part that the resource goes with."""

    def walk(value: Any, run: Run) -> Any:
        made = step(value, run)
        if made is None:
            run.broken = True
        return made

    return walk


def grouped(step: Step) -> Step:
    """Make the step of a part that the object it stands in goes with."""

    def walk(value: Any, run: Run) -> Any:
        made = step(value, run)
        if made is None:
            run.group = True
        return made

    return walk


def masking(step: Step, *, many: bool) -> Step:
    """Make the step of a part that must not be missing."""
    mask: Any = [MASKED] if many else MASKED

    def walk(value: Any, run: Run) -> Any:
        made = step(value, run)
        return mask if made is None else made

    return walk


# --- objects


class Object:
    """The steps of one kind of object, found as its keys turn up.

    Args:
        find: key -> (its step, the key it is written under); asked once for each key.
        masks: keys of primitives that may be masked.
        group: whether it goes with one of its parts.
        pair: key of an array of primitives -> (step of one, step of what stands beside it).
    """

    __slots__ = ("_find", "_group", "_masks", "_pair", "_renamed", "steps")

    def __init__(
        self,
        find: Callable[[str], tuple[Step, str]],
        masks: frozenset[str],
        *,
        group: bool,
        pair: Callable[[str], tuple[Step, Step] | None],
    ) -> None:
        self.steps: dict[str, Step] = {}
        self._find, self._masks, self._group, self._pair = find, masks, group, pair
        self._renamed: dict[str, str] = {}

    def resolve(self, key: str, value: Resource, run: Run) -> Step:
        """Find the step of a key that has none yet."""
        if key[:1] == "_" and value[key].__class__ is list:
            run.pairs.append((value, key))
            return nothing
        step, name = self._find(key)
        if name != key:
            self._renamed[key] = name
        self.steps[key] = step
        return step

    def walker(self) -> Step:
        """Give the step of such an object."""
        walk = self._plain()
        if self._masks or self._group:
            return self._careful(walk)
        return walk

    def _plain(self) -> Step:
        steps, resolve, renamed = self.steps, self.resolve, self._renamed
        get, finish = steps.get, self._finish

        def walk(value: Resource, run: Run) -> Resource | None:
            out = {}
            for key, item in value.items():
                step = get(key)
                if step is None:
                    step = resolve(key, value, run)
                made = step(item, run)
                if made is not None:
                    out[key] = made
            if renamed or run.pairs:
                finish(value, out, run)
            return out or None

        return walk

    def _finish(self, value: Resource, out: Resource, run: Run) -> None:
        """Write what has another name now, and arrays of primitives with what stands beside them."""
        while run.pairs and run.pairs[-1][0] is value:
            _, key = run.pairs.pop()
            self._paired(value, key, out, run)
        for key, name in self._renamed.items():
            if key in out:
                out[name] = out.pop(key)

    def _paired(self, value: Resource, key: str, out: Resource, run: Run) -> None:
        steps = self._pair(key[1:])
        out.pop(key[1:], None)
        if steps is None:
            return
        items, beside = value.get(key[1:], []), value[key]
        left = []
        for i in range(max(len(items), len(beside))):
            item = items[i] if i < len(items) else None
            more = beside[i] if i < len(beside) else None
            # The item itself was counted when its own key was.
            counts = len(run.kept), len(run.changed), len(run.removed)
            item = None if item is None else steps[0](item, run)
            for told, n in zip((run.kept, run.changed, run.removed), counts, strict=True):
                del told[n:]
            more = None if more is None else steps[1](more, run)
            if item is not None or more is not None:
                left.append((item, more))
        if any(item is not None for item, _ in left):
            out[key[1:]] = [item for item, _ in left]
        if any(more is not None for _, more in left):
            out[key] = [more for _, more in left]

    def _careful(self, walk: Step) -> Step:
        masks, group = self._masks, self._group

        def careful(value: Resource, run: Run) -> Resource | None:
            before, mark = run.group, run.mark()
            run.group = False
            out: Resource | None = walk(value, run)
            broken, run.group = run.group, before
            if out is None:
                return None
            if group and broken:
                run.undo(mark)
                return None
            masked = [
                key
                for key, made in out.items()
                if made is MASKED or (made.__class__ is list and made[0] is MASKED)
            ]
            if len(masked) == len(out):
                return None
            for key in masked:
                if key in masks:
                    beside, made = f"_{key}", out.pop(key)
                    out.setdefault(beside, made)
            return out

        return careful
