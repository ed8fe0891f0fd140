"""From elements and rulings to steps: each key of each type gets its step when it first turns up.

Rules:
- One compiler serves one plan: it asks for a ruling once for each class and part.
- What an element says of its going (``overrides.LOST``) is built into its step.
- Steps are found by keys of the definitions and by URLs of reviewed extensions only: nothing that a sender writes
  makes a compiler grow.

Deliberately absent: whole messages (``rewrite``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.protocols.fhir import attached, edits, elements, links, tables, values, verdicts, wholes
from oathward.protocols.fhir.edits import NOTE, STRUCTURE, Object, Run, Step
from oathward.protocols.fhir.elements import REST, Element
from oathward.protocols.fhir.message import Resource
from oathward.protocols.fhir.names import declared, tells_whom
from oathward.protocols.fhir.overrides import CONTROL, id_class
from oathward.protocols.fhir.references import kind_of
from oathward.protocols.fhir.rules import RULES
from oathward.protocols.shaping import KEEP, Attachments, Decide, Ruling

UNCATALOGUED = "uncatalogued"
UNBREAKABLE = frozenset(("obs-6", "obs-7"))
"""Rules against two things at once: leaving one out cannot break them."""

JUDGED = elements.CODED | elements.QUANTITIES
"""Types whose parts are judged together."""

_Find = tuple[Step, str]


class Compiler:
    """Makes and remembers the steps of one plan.

    Args:
        decide: see ``shaping.Decide``.
        hold: refuse what nobody catalogued.
    """

    def __init__(self, decide: Decide, *, hold: bool) -> None:
        self._decide, self._hold = decide, hold
        self._rulings: dict[tuple[str, str], Ruling] = {}
        self._steps: dict[Element, Step] = {}
        self._referrer = links.Referrer(self.id_ruling, self.ruling(NOTE, ""))
        self.resources: dict[str, Step] = {}

    def ruling(self, cls: str, part: str) -> Ruling:
        """Give what happens to a class; structure always stays."""
        known = self._rulings.get((cls, part))
        if known is None:
            known = KEEP if cls == STRUCTURE else self._decide(cls, part)
            self._rulings[cls, part] = known
        return known

    def id_ruling(self, kind: str) -> Ruling:
        """Give what happens to logical ids of a resource type."""
        return self.ruling(id_class(kind), "")

    def resource(self, kind: str) -> Step:
        """Give the step of a whole resource; its id stands with whoever names it."""
        step = self.resources.get(kind)
        if step is None:
            element = elements.resource(kind)
            if element.kind == "unknown":
                return self._unknown(kind)
            step = self.resources[kind] = self._object(element)
        return step

    # --- one element

    def _leaf(self, kind: str, cls: str, part: str) -> Step:
        return edits.leaf(kind, cls, self.ruling(cls, part))

    def _keeps(self, cls: str, part: str) -> bool:
        return self.ruling(cls, part) is KEEP

    def _of(self, element: Element) -> Step:
        """Give the step of one value of an element, whatever happens when it goes."""
        step = self._steps.get(element)
        if step is None:
            step = self._steps[element] = self._made(element)
        return step

    def _made(self, element: Element) -> Step:
        kind = element.kind
        if element.form == "observed":
            return values.observed(lambda *found: self._variant(element, *found), kind)
        if kind in elements.PRIMITIVES:
            return self._primitive(element)
        if not element.whole and kind in JUDGED:
            return self._variant(element, element.cls, element.form, 7)
        own: dict[str, Callable[[Element], Step]] = {
            "type": _itself,
            "Extension": self._extension,
            "Resource": self._resource_in,
            "Attachment": self._attachment,
        }
        if not element.whole:
            own["Reference"] = self._reference
        return own.get(kind, self._object)(element)

    def _variant(self, element: Element, cls: str, form: str, digits: int) -> Step:
        """Give the step of a value that its siblings decide."""
        kind, part = element.kind, element.part
        plain = replace(element, form="")
        if kind in elements.CODED:
            return self._coded(plain, cls, form)
        if kind in elements.QUANTITIES:
            return values.quantity(cls, part, digits, self._maker(plain, kind))
        if kind == "string" and form != "words":
            return self._leaf(kind, cls, part)
        made = replace(plain, cls=cls, form="number" if kind == "integer" else form)
        if kind in ("Period", "Timing"):
            made = replace(made, whole=True)
        elif kind in ("Range", "Ratio", "SampledData"):
            made = replace(made, form="", subject=replace(element.subject, code=cls))
        return self._of(made)

    def _coded(self, plain: Element, cls: str, form: str) -> Step:
        if form == "word":
            return self._whole(plain, cls)
        form = "" if form == "words" else form
        step = values.coding(cls, plain.part, form, self._maker(plain, "Coding"))
        if plain.kind == "Coding":
            return step
        return values.concept(cls, plain.part, step, self._maker(plain, plain.kind))

    def _maker(self, plain: Element, kind: str) -> values.Maker:
        return values.Maker(self._leaf, self._others(plain, kind), self._keeps)

    def _resource_in(self, element: Element) -> Step:
        """Give the step of a resource in another: contained ones were made before, others nobody expects."""
        return _contained if element.place.endswith(".contained") else self._unknown(element.place)

    def _attachment(self, element: Element) -> Step:
        ruling = self.ruling(element.cls, "")
        if isinstance(ruling, Attachments):
            return attached.attachment(element.cls, ruling, self._leaf)
        return self._object(element)

    def _whole(self, element: Element, cls: str) -> Step:
        return self._object(replace(element, cls=cls, whole=True))

    def _others(self, element: Element, kind: str) -> Callable[[str], Step]:
        """Give steps of what may stand beside the parts that a data type is known for."""
        found = self._children(replace(element, kind=kind, within=("", "")))
        known: dict[str, Step] = {}

        def other(key: str) -> Step:
            step = known.get(key)
            if step is None:
                step = known[key] = found(key)[0]
            return step

        return other

    def _primitive(self, element: Element) -> Step:
        bound = bool(element.codes) and bool(tables.codes_of(element.codes))
        ruling = self.ruling(element.cls, element.part)
        if element.kind == "base64Binary" and isinstance(ruling, Attachments):
            return attached.binary(element.cls, ruling)
        step = edits.leaf(element.kind, element.cls, ruling, codes=bound)
        if element.cls == UNCATALOGUED:
            return self._unknown(element.place)
        if bound or not element.form:
            return step
        otherwise = self._leaf(element.kind, NOTE, element.part)
        if element.form == "number":
            return edits.tested(verdicts.number, step, otherwise)
        return edits.tested(verdicts.FITS[element.form], step, otherwise)

    # --- references and extensions

    def _reference(self, element: Element) -> Step:
        plain = replace(element, kind="Reference", within=("", ""), whole=False, form="")
        find = self._children(plain)
        refer = self._referrer.step(element)
        steps: dict[str, Step] = {"type": self._target_type(element)}
        told: dict[str, dict[str, Step]] = {}
        kind, _, path = element.place.partition(".")
        whom = tells_whom(kind, path)
        # What is about a patient does not leave about nobody where that patient may be told of.
        needed = whom and callable(self.id_ruling("Patient"))

        def more(value: Resource, run: Run, found: str | None) -> Resource | None:
            said = _said(value, run, whom=whom)
            known = told.get(said) or told.setdefault(said, self._told(element, said))
            lost = found is None and "reference" in value and (not whom or _leads(value, run))
            out: Resource = {}
            for key, item in value.items():
                if key == "reference":
                    made = found
                elif key in ("display", "identifier"):
                    made = known["lost" if lost and key == "identifier" else key](item, run)
                else:
                    made = (steps.get(key) or steps.setdefault(key, find(key)[0]))(item, run)
                if made is not None:
                    out[key] = made
            # The type of a target says nothing without the target.
            return out if out and tuple(out) != ("type",) else None

        def walk(value: Resource, run: Run) -> Resource | None:
            text = value.get("reference")
            found = None if text is None else refer(text, run)
            if len(value) > 1 or text is None:
                made = more(value, run, found)
            else:
                made = {"reference": found} if found else None
            if made is None and needed and _names_patient(value, run):
                run.broken = True
            return made

        return walk

    def _target_type(self, element: Element) -> Step:
        known, note = self._leaf("uri", STRUCTURE, ""), self._leaf("uri", NOTE, element.part)
        return edits.tested(lambda value: value in tables.resource_types(), known, note)

    def _told(self, element: Element, said: str) -> dict[str, Step]:
        """Give the steps of what a reference says of its target: its name and its identifier."""
        kinds = (said,) if said else element.targets
        classes = {id_class(kind) for kind in kinds}
        cls = links.target_class(element.targets, said)
        # Whose identifier it is must be sure before it becomes anybody's pseudonym.
        part = element.part if len(classes) == 1 else REST
        cls = "order" if cls == CONTROL else cls
        identifier = Element(
            f"{element.place}.identifier", "Identifier", cls, part, whole=True, subject=element.subject
        )
        name = links.name_class(element.targets, said)
        return {
            "identifier": self._of(identifier),
            # Of whom the reference may not name it may be anybody's.
            "lost": self._of(replace(identifier, part=REST)),
            "display": self._leaf("string", name, element.part),
        }

    def _extension(self, element: Element, outer: str = "") -> Step:
        """Make the step of one extension of an element."""
        known: dict[str, Step] = {}
        unknown = self._unknown(element.place)
        parent = replace(element, place=element.place.removesuffix(".extension"))

        def walk(value: Resource, run: Run) -> Resource | None:
            url = outer + value["url"]
            step = known.get(url)
            if step is None:
                found = elements.extension(url, parent)
                if found is None:
                    return unknown(value, run)  # type: ignore[no-any-return]  # an object
                step = known[url] = self._known(found, url)
            return step(value, run)  # type: ignore[no-any-return]  # an object

        return walk

    def _known(self, element: Element, url: str) -> Step:
        children = elements.extended(element)

        def find(key: str) -> _Find:
            if key == "extension":
                return edits.each(self._extension(children[key], f"{url}#")), key
            return self._find(children, key)

        step = Object(find, frozenset(), group=False, pair=lambda _key: None).walker()

        def walk(value: Resource, run: Run) -> Resource | None:
            made = step(value, run)
            says = made and any(key.startswith("value") or key == "extension" for key in made)
            return made if says else None

        return walk

    def _unknown(self, place: str) -> Step:
        """Make the step of what nobody catalogued."""
        if self._hold:

            def held(_value: object, _run: Run) -> None:
                raise DeidentificationError(place, "an element of the catalogue", reason=Reason.UNCATALOGUED)

            return held
        step = edits.leaf("string", UNCATALOGUED, self.ruling(UNCATALOGUED, ""))

        def walk(value: object, run: Run) -> object:
            run.uncatalogued += 1
            made = step(value, run)
            return made if made is None or not run.names else links.relinked(made, links.renamed(run), run)

        return walk

    # --- objects

    def _object(self, element: Element) -> Step:
        children = elements.children(element)
        masked = {
            key: child for key, child in children.items() if child.lost == "masked" and elements.may_go(child)
        }
        masks = frozenset(key for key, child in masked.items() if child.kind in elements.PRIMITIVES)
        group = any(child.lost == "group" for child in children.values())
        made = Object(
            lambda key: self._find(children, key),
            masks | {""} if masked else frozenset(),
            group=group,
            pair=lambda key: self._pair(children, key),
        )
        step = made.walker()
        rules = RULES.get(".".join(filter(None, element.within)) or element.kind, ())
        breakable = tuple(rule for rule in rules if rule.name not in UNBREAKABLE)
        if breakable:
            step = wholes.ruled(step, breakable)
        if element.whole:
            mains = frozenset(key for key, child in children.items() if child.cls and child.part != REST)
            return wholes.substantial(step, mains)
        says = frozenset(key for key, child in children.items() if child.form == "observed")
        return wholes.observing(element, step, says | {"component"}) if says else step

    def _children(self, element: Element) -> Callable[[str], _Find]:
        children = elements.children(element)
        return lambda key: self._find(children, key)

    def _find(self, children: Mapping[str, Element], key: str) -> _Find:
        """Find the step of a key, and the key its value is written under."""
        beside = key[:1] == "_"
        child = children.get(key[1:] if beside else key)
        if child is None:
            return self._unknown(next(iter(children.values())).place.rpartition(".")[0]), key
        if child.kind == "id" and child.place.endswith(".id"):
            return edits.nothing, key
        name = key
        if child.kind == "instant" and callable(self.ruling(child.cls, child.part)):
            other = key.replace("Instant", "DateTime")
            name = other if other.removeprefix("_") in children else key
            child = replace(child, kind="dateTime") if name != key else child
        return (self._beside(child) if beside else self._step(child)), name

    def _step(self, child: Element) -> Step:
        """Give the step of an element, a list of it, and of what happens when it goes."""
        step = self._of(child)
        if child.many and child.place.endswith(".contained"):
            return step
        if child.many and child.lost in ("whole", "group"):
            step = edits.all_of(step)
        elif child.many:
            changed = child.whole and callable(self.ruling(child.cls, child.part))
            step = edits.each(step, unique=changed)
        if child.lost == "whole":
            return edits.whole(step)
        if child.lost == "group":
            return edits.grouped(step)
        if child.lost == "masked" and elements.may_go(child):
            return edits.masking(step, many=child.many)
        return step

    def _beside(self, child: Element) -> Step:
        """Give the step of what stands beside a primitive: its extensions."""
        return self._of(Element(child.place, "Element", child.cls, child.part, subject=child.subject))

    def _pair(self, children: Mapping[str, Element], key: str) -> tuple[Step, Step] | None:
        child = children.get(key)
        return None if child is None else (self._of(child), self._beside(child))


def _said(value: Resource, run: Run, *, whom: bool) -> str:
    """Give the type of what is referred to; ``whom``: where none is said it is a patient, as ``names`` has it."""
    kind = kind_of(value.get("reference", "")) or declared(value)
    if not kind and whom and not _leads(value, run):
        return "Patient"
    return kind if kind in tables.resource_types() else ""


def _leads(value: Resource, run: Run) -> bool:
    """Say whether the reference itself says what it is to, or leads to what is in the message."""
    text = value.get("reference", "")
    return bool(kind_of(text)) or text[:1] == "#" or text in run.names


def _names_patient(value: Resource, run: Run) -> bool:
    """Say whether a reference that says whom something is about names a patient by more than a display."""
    return ("reference" in value or "identifier" in value) and _said(value, run, whom=True) == "Patient"


def _itself(_element: Element) -> Step:
    return edits.plain


def _contained(_value: object, run: Run) -> list[Resource] | None:
    """Put in what was made of contained resources before."""
    return run.contained or None
