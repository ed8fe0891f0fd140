"""GUDID's release files (XML): the FDA's catalogue of devices by UDI-DI. Rows of a catalogue, no device of anybody.

Rules:
- A device whose primary identifier's check digit does not hold is refused: it would give another device its name.
- Of several terms or product codes all are kept, in their order, with ``;`` between.

Source: AccessGUDID full release, gudid.xsd; FDA product classification (21 CFR 860).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.lists.nodes import Node, Nodes
from oathward.discovery.lists.opening import Source
from oathward.discovery.lists.reading import How, ListFormat, Product, Refused, Told, refusals
from oathward.discovery.udi import gtin
from oathward.discovery.values import printable

_WANTED = frozenset(("device",))
_PACKAGES_MAX = 50


def read(sources: Iterable[Source], how: How) -> Iterator[Told | Refused]:
    """Read release files, device by device."""
    _ = how  # a catalogue has no realm
    for one in sources:
        nodes = Nodes(one, _WANTED)
        yield from refusals(one.name, lambda nodes=nodes: nodes.line, _read(one.name, nodes))  # type: ignore[misc]  # bound at once


def _read(file: str, nodes: Nodes) -> Iterator[Told | Refused]:
    for node in nodes:
        if isinstance(node, InputError):
            yield Refused(file, nodes.line, node.where, node.reason, node.why)
            continue
        try:
            yield Told(file, node.line, product(node))
        except InputError as error:
            yield Refused(file, node.line, error.where, error.reason, error.why)


def product(node: Node) -> Product:
    """Read one ``device`` element.

    Raises:
        InputError: no primary identifier, or its check digit does not hold.
    """
    primary, packages = "", []
    for one in node.all("identifiers", "identifier"):
        di = printable(one.value("deviceId"))
        if one.value("deviceIdIssuingAgency") == "GS1" and gtin(di) is None:
            raise InputError("deviceId", "its check digit does not hold", reason=Reason.VALUE_INVALID)
        if one.value("deviceIdType") == "Primary":
            primary = gtin(di) or di
        else:
            packages.append(gtin(di) or di)
    if not primary:
        raise InputError("identifiers", "no primary identifier", reason=Reason.ELEMENT_MISSING)
    terms = list(node.all("gmdnTerms", "gmdn"))
    codes = list(node.all("productCodes", "fdaProductCode"))
    return Product(
        di=primary,
        brand=printable(node.value("brandName")),
        model=printable(node.value("versionModelNumber")),
        catalogue=printable(node.value("catalogNumber")),
        company=printable(node.value("companyName")),
        gmdn_code=_joined(terms, "gmdnCode"),
        gmdn_term=_joined(terms, "gmdnPTName"),
        product_code=_joined(codes, "productCode"),
        product_name=_joined(codes, "productCodeName"),
        device_class=_joined(codes, "deviceClass"),
        mri=printable(node.value("MRISafetyStatus")),
        implantable=any(one.value("implantable") == "true" for one in terms),
        packages=tuple(packages[:_PACKAGES_MAX]),
    )


def _joined(nodes: Iterable[Node], name: str) -> str:
    return printable(";".join(dict.fromkeys(text for node in nodes if (text := node.value(name)))))


def _knows(head: bytes, _name: str) -> bool:
    return b"http://www.fda.gov/cdrh/gudid" in head.replace(b"\0", b"")


LIST = ListFormat(words="GUDID release file (XML)", source="gudid", knows=_knows, read=read, order=10)
