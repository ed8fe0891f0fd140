"""Datatypes of several components, by the rows of ``datatypes.tsv``; phone numbers, places and people apart.

Rules:
- A component is mapped by its row and by nothing else; sub-components where a row names them, else the first.
- XCN becomes a Practitioner and PL a chain of Locations, resources of their own that are referred to.

Deliberately absent: which fields have these datatypes (``segments.tsv``).

Source: HL7 v2-to-FHIR IG, datatype maps; XTN[ContactPoint], PL[Location], XCN[Practitioner].
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from orjson import Fragment

from oathward.protocols.fhir.known import digest, id_of, key_of
from oathward.protocols.v2fhir import codes, tables
from oathward.protocols.v2fhir.authorities import authority_back, name_authority
from oathward.protocols.v2fhir.paths import FIELD, Extensions, Step, absent, find, put, steps
from oathward.protocols.v2fhir.primitives import (
    KINDS,
    Kind,
    code,
    first,
    integer,
    number,
    original,
    original_of,
    string,
    time_forward,
)
from oathward.protocols.v2fhir.reading import NULL, Reading
from oathward.protocols.v2fhir.values import encoded
from oathward.protocols.v2fhir.values_back import decoded

UCUM = "http://unitsofmeasure.org"


OLD_NUMBER, NEW_NUMBER = 3, 10
"""Components of XON that identify an organisation, the first until v2.6."""
OLD = {"url": FIELD, "valueString": "XON.3"}
ADDRESS_TYPE = 7


class Part(NamedTuple):
    """One row: which component, of which kind, where to; ``sub`` 0 where the whole component is meant."""

    component: int
    sub: int
    kind: str
    path: tuple[Step, ...]


@cache
def parts_of(datatype: str) -> tuple[Part, ...]:
    """Give the rows of one datatype."""
    found = []
    for name, place, kind, path in tables.rows("datatypes.tsv", 4):
        if name == datatype:
            component, _, sub = place.partition(".")
            found.append(Part(int(component), int(sub or 0), kind, steps(path)))
    return tuple(found)


@cache
def _handlers(datatype: str) -> dict[int, tuple[Part, ...]]:
    rows = parts_of(datatype)
    return {part.component: tuple(p for p in rows if p.component == part.component) for part in rows}


@cache
def _words(datatype: str) -> dict[int, str]:
    """Map the components that are words to the names of their elements: the usual case, without detours."""
    return {
        component: parts[0].path[0].name
        for component, parts in _handlers(datatype).items()
        if len(parts) == 1 and parts[0].kind == "ST" and not parts[0].sub
        and len(parts[0].path) == 1 and parts[0].path[0].kind == "key"
    }  # fmt: skip


def forward(datatype: str, raw: bytes, r: Reading) -> dict[str, Any]:
    """Map one repetition by its rows; empty for nothing."""
    out: dict[str, Any] = {}
    handlers, words = _handlers(datatype), _words(datatype)
    pieces = raw.split(r.component)
    for n, piece in enumerate(pieces, 1):
        if not piece:
            continue
        if n in words and r.sub not in piece:
            if text := string(r.text(piece)):
                out[words[n]] = text
        elif n in handlers:
            for part in handlers[n]:
                _part(out, part, piece, pieces, r)
    if datatype in _AFTER:
        _AFTER[datatype](out, pieces, r)
    return out


def _part(out: dict[str, Any], part: Part, piece: bytes, pieces: list[bytes], r: Reading) -> None:
    if part.kind in {"HD", "HDX"}:
        _authority(out, part, pieces, r)
        return
    if part.sub:
        subs = piece.split(r.sub, part.sub)
        piece = subs[part.sub - 1] if part.sub <= len(subs) else b""
    if piece and piece != NULL:
        json, beside = kind_of(part.kind).forward(piece, r)
        if json is not None or beside:
            put(out, part.path, json, beside)


def _old_number(out: dict[str, Any], pieces: list[bytes], r: Reading) -> None:
    """Say that an organisation's number is the old one."""
    old, new = (n <= len(pieces) and bool(first(pieces[n - 1], r).strip()) for n in (OLD_NUMBER, NEW_NUMBER))
    if old and not new and "identifier" in out:
        out["identifier"].setdefault("extension", []).append(OLD)


def _address_type(out: dict[str, Any], pieces: list[bytes], r: Reading) -> None:
    """Say of a mailing address that it is one."""
    word = r.text(pieces[ADDRESS_TYPE - 1]) if len(pieces) >= ADDRESS_TYPE else ""
    if known := tables.forward("0190type").get(word):
        out["type"] = known[0]


def _unnamed_authority(out: dict[str, Any], pieces: list[bytes], r: Reading) -> None:
    """Read a universal id that no namespace stands before."""
    if len(pieces) > 2 and not pieces[1] and any(pieces[2:4]):
        _authority(out, parts_of("EI")[1], pieces, r)


_AFTER = {"XON": _old_number, "XAD": _address_type, "EI": _unnamed_authority}
"""What a datatype needs besides its rows."""


def _authority(out: dict[str, Any], part: Part, pieces: list[bytes], r: Reading) -> None:
    subs = pieces[1:4] if part.kind == "HDX" else pieces[part.component - 1].split(r.sub)
    found: dict[str, Any] = {}
    name_authority(found, subs, r)
    if found and part.path and part.path[-1].kind == "item":
        known = out.setdefault(part.path[-1].name, [{}])
        known[0].update(found)
    elif found and part.path:
        out.setdefault(part.path[-1].name, {}).update(found)
    else:
        out.update(found)


def backward(datatype: str, value: dict[str, Any]) -> dict[str, str]:
    """Give the components again."""
    result: dict[str, str] = {}
    for part in parts_of(datatype):
        if part.kind in {"HD", "HDX"}:
            holder = value
            for step in part.path:
                child = holder.get(step.name) or {}
                holder = (child[0] if child else {}) if isinstance(child, list) else child
            first = part.component
            for i, text in enumerate(authority_back(holder)):
                place = f"{first}.{i + 1}" if part.kind == "HD" else str(first + i)
                result[place] = text
            continue
        for _, json, beside in find(value, part.path):
            place = f"{part.component}.{part.sub}" if part.sub else str(part.component)
            for inner, text in kind_of(part.kind).backward(json, beside).items():
                result[place if inner in {"", "1"} else f"{place}.{inner}"] = text
            break
    if datatype == "XON":
        old = OLD in value.get("identifier", {}).get("extension", ())
        result.pop(str(NEW_NUMBER if old else OLD_NUMBER), None)
    return {place: text for place, text in result.items() if text}


def composite(datatype: str) -> Kind:
    """Make the kind of a datatype that rows describe."""
    return Kind(
        lambda raw, r: (forward(datatype, raw, r) or None, None), lambda value, _: backward(datatype, value)
    )


# --- phone numbers

_ADDRESSES = frozenset(("Internet", "X.400"))
_NUMBER_PARTS = (
    (5, "contactpoint-country"),
    (6, "contactpoint-area"),
    (7, "contactpoint-local"),
    (8, "contactpoint-extension"),
)


def _telecom(raw: bytes, r: Reading) -> tuple[Any, Extensions]:
    pieces = raw.split(r.component)
    parts = ["", *(r.text(part.partition(r.sub)[0]) if part else "" for part in pieces)]
    parts += [""] * (19 - len(parts))
    out: dict[str, Any] = {}
    listed = [
        {"url": tables.extensions()[name], "valueString": parts[n]}
        for n, name in _NUMBER_PARTS
        if string(parts[n])
    ]
    if listed:
        out["extension"] = listed
    _system(out, parts)
    if value := string(_number(parts)):
        out["value"] = value
    if parts[3] == "CP" and not parts[2]:
        out["use"] = "mobile"
    if parts[2]:
        put(out, steps("use"), *codes.kind("map:0201").forward(pieces[1], r))
    for n, path in ((13, "period.start"), (14, "period.end")):
        if parts[n]:
            put(out, steps(path), *time_forward(pieces[n - 1], r))
    if (rank := integer(parts[18])) is not None:
        out["rank"] = rank
    if not any(parts) and not _mapped(pieces, r):
        return None, None
    if _telecom_back(out, None) != _mapped(pieces, r):
        out["extension"] = [*out.get("extension", ()), original(encoded(raw, r))]
    return out, None


def _mapped(pieces: list[bytes], r: Reading) -> dict[str, str]:
    """Give the components of XTN that have a place."""
    return {str(n): text for n, part in enumerate(pieces, 1) if part != NULL and (text := r.text(part))}


def _system(out: dict[str, Any], parts: list[str]) -> None:
    again, others = tables.back("0202"), tables.forward("0202")
    if parts[3].strip():
        known = others.get(parts[3])
        if known:
            out["system"] = known[0]
        if not known or again[known[0]] != parts[3]:
            out["_system"] = {"extension": [codes.alternate({"coding": [{"code": code(parts[3])}]})]}
    elif parts[4]:
        out["system"] = "email"
    else:
        out["_system"] = {"extension": [absent()]}


def _number(parts: list[str]) -> str:
    """Give the value: the number as it is written, else put together."""
    if parts[3] in _ADDRESSES or (not parts[3] and parts[4]):
        return parts[4] or parts[1]
    if parts[12] or not parts[7]:
        return parts[12] or parts[1]
    start = f"+{parts[5]} " if parts[5] else ""
    area = f"{parts[6]} " if parts[6] else ""
    extension = f" X{parts[8]}" if parts[8] else ""
    return f"{start}{area}{parts[7]}{extension}"


def _telecom_back(value: Any, _: Extensions) -> dict[str, str]:
    if text := original_of(value.get("extension")):
        return decoded(text)
    result: dict[str, str] = {}
    known = {extension["url"]: extension.get("valueString", "") for extension in value.get("extension", ())}
    for n, name in _NUMBER_PARTS:
        result[str(n)] = known.get(tables.extensions()[name], "")
    other = codes.alternate_of(value.get("_system", {}).get("extension"))
    if other:
        result["3"] = other["coding"][0]["code"]
    elif "system" in value:
        result["3"] = tables.back("0202").get(value["system"], "")
    if not result["7"]:
        result["4" if value.get("system") == "email" else "1"] = value.get("value", "")
    use = codes.kind("map:0201").backward(value.get("use"), value.get("_use", {}).get("extension"))
    result["2"] = use.get("1", "")
    for n, path in ((13, "period.start"), (14, "period.end")):
        for _item, time, beside in find(value, steps(path)):
            result[str(n)] = KINDS["DTM"].backward(time, beside)[""]
    if "rank" in value:
        result["18"] = KINDS["INT"].backward(value["rank"], None)[""]
    return {place: text for place, text in result.items() if text}


# --- people and places

LEVELS = ((4, "si"), (7, "bu"), (8, "lvl"), (1, "wa"), (2, "ro"), (3, "bd"))
"""Components of PL from the outermost place in, and their location-physical-type."""
PHYSICAL = "http://terminology.hl7.org/CodeSystem/location-physical-type"


def _practitioner(raw: bytes, r: Reading) -> tuple[Any, Extensions]:
    resource = forward("XCN", raw, r)
    if not resource:
        return None, None
    identifier = resource.get("identifier", [{}])[0]
    id_ = id_of("Practitioner", key_of(identifier), r.naming)
    return {"reference": r.add("Practitioner", id_, resource, bare="name" not in resource)}, None


def _location(raw: bytes, r: Reading) -> tuple[Any, Extensions]:
    parts = raw.split(r.component)
    reference, keys = "", ["Location"]
    described = string(r.text(parts[8].partition(r.sub)[0])) if len(parts) > 8 else None
    levels = [(level, found) for n, level in LEVELS if n <= len(parts) and (found := _level(parts[n - 1], r))]
    if not levels and described:
        resource: dict[str, Any] = {"description": described}
        return {"reference": r.add("Location", digest("Location", "", described), resource)}, None
    for i, (level, identifier) in enumerate(levels, 1):
        resource = {
            "identifier": [identifier],
            "mode": "instance",
            "physicalType": {"coding": [{"system": PHYSICAL, "code": level}]},
        }
        if reference:
            resource["partOf"] = {"reference": reference}
        if described and i == len(levels):
            resource["description"] = described
        keys += [level, identifier.get("system", ""), identifier.get("value", "")]
        reference = r.add("Location", digest(*keys), resource, bare="description" not in resource)
    return ({"reference": reference}, None) if reference else (None, None)


def _level(raw: bytes, r: Reading) -> dict[str, Any]:
    """Give the Identifier of one level of a place; empty for none."""
    identifier: dict[str, Any] = {}
    name_authority(identifier, raw.split(r.sub), r)
    if assigner := identifier.pop("assigner", None):
        identifier["value"] = assigner["display"]
    return identifier


def location_back(resource: dict[str, Any], others: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Give a PL again from the innermost Location; ``others``: reference -> resource."""
    places = {level: n for n, level in LEVELS}
    result = {"9": resource.get("description", "")}
    while "physicalType" in resource:
        n = places[resource["physicalType"]["coding"][0]["code"]]
        identifier = resource["identifier"][0]
        _, result[f"{n}.2"], result[f"{n}.3"] = authority_back(identifier)
        result[f"{n}.1"] = identifier.get("value", "")
        resource = others.get(resource.get("partOf", {}).get("reference", ""), {})
    return {place: text for place, text in result.items() if text}


def _days(raw: bytes, r: Reading) -> tuple[Any, Extensions]:
    text = first(raw, r)
    if not text.strip():
        return None, None
    value = number(text)
    if value is None:
        return {"extension": [original(text)]}, None
    found: dict[str, Any] = {"extension": [original(text)]} if value != text else {}
    return {**found, "value": Fragment(value.encode()), "unit": "d", "system": UCUM, "code": "d"}, None


def _days_back(value: Any, _: Extensions) -> dict[str, str]:
    return {"": original_of(value.get("extension")) or str(value["value"])}


def _referred(_value: Any, _beside: Extensions) -> dict[str, str]:
    """Is answered by ``back``, which has the resources."""
    return {}


_OWN: dict[str, Kind] = {
    "XTN": Kind(_telecom, _telecom_back),
    "XCN": Kind(_practitioner, _referred),
    "PL": Kind(_location, _referred),
    "DAYS": Kind(_days, _days_back),
}


@cache
def kind_of(name: str) -> Kind:
    """Give the kind that a row names."""
    if name in KINDS:
        return KINDS[name]
    if name in _OWN:
        return _OWN[name]
    if name.startswith(("CC", "CODING:", "map:")):
        return codes.kind(name)
    if not parts_of(name):
        raise KeyError(name)
    return composite(name)
