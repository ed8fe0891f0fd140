"""A list that others keep, compared with the inventory and taken into it, in one pass.

Rules:
- Batch by batch: each is compared with what was known before it, then taken; a list of any length needs the memory of a batch.
- A dry run compares, and changes nothing.
- Rows that were refused are told, and keep no other row out; what was taken may be taken again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Engine

from oathward.core.db import read
from oathward.discovery.lists.reading import How, MayDo, Product, Refused, Told
from oathward.discovery.lists.reconciling import Known, Reconciler, Report, Said
from oathward.discovery.model import Statement
from oathward.endpoints import actions, disputing, listed, models
from oathward.endpoints.model import CatalogueRow, ConflictRow
from oathward.endpoints.types import type_of

BATCH_ROWS = 5_000
MODELS_MAX = 1_000
CONFLICTS_MAX = 10_000


@dataclass(slots=True)
class Outcome:
    """What came of a list.

    Args:
        taken: counts of ``endpoints.actions.take``; empty of a dry run. products: rows of the device catalogue. models: what MUD files say.
        conflicts: that were seen while it was taken.
    """

    report: Report
    taken: Counter[str] = field(default_factory=Counter)
    products: int = 0
    models: list[MayDo] = field(default_factory=list)
    conflicts: list[ConflictRow] = field(default_factory=list)


def take(
    engine: Engine,
    site: str,
    found: Iterable[Told | Refused],
    how: How,
    source: str,
    *,
    by: str,
    now_us: int,
    dry: bool,
) -> Outcome:
    """Compare a list with the inventory, and take it in.

    Args:
        found: what its format read. source: of its statements. by: who has it taken. dry: change nothing.
    """
    with read(engine) as db:
        before = listed.told_by(db, site, how.realm, source)
    reconciler = Reconciler(disputing.are_two, disputing.parts_of)
    outcome = Outcome(reconciler.report)
    rows: list[Told] = []
    products: list[CatalogueRow] = []
    for one in found:
        if isinstance(one, Refused):
            reconciler.refuse(one)
        elif isinstance(one.what, Product):
            products.append(_catalogued(one.what, source))
        elif isinstance(one.what, MayDo):
            if len(outcome.models) < MODELS_MAX:
                outcome.models.append(one.what)
        else:
            rows.append(one)
        if len(rows) >= BATCH_ROWS:
            _batch(engine, site, rows, how, reconciler, outcome, by=by, now_us=now_us, dry=dry)
            rows = []
        if len(products) >= BATCH_ROWS:
            outcome.products += len(products) if dry else listed.catalogue(engine, site, products)
            products = []
    if rows:
        _batch(engine, site, rows, how, reconciler, outcome, by=by, now_us=now_us, dry=dry)
    outcome.products += len(products) if dry else listed.catalogue(engine, site, products)
    if outcome.models and not dry:
        models.put(engine, site, outcome.models, now_us, by)
    reconciler.end(before if reconciler.report.counts["rows"] else {})
    return outcome


def _batch(
    engine: Engine,
    site: str,
    rows: list[Told],
    how: How,
    reconciler: Reconciler,
    outcome: Outcome,
    *,
    by: str,
    now_us: int,
    dry: bool,
) -> None:
    statements = [one.what for one in rows if isinstance(one.what, Statement)]
    with read(engine) as db:
        having = listed.having(db, site, how.realm, {mark for one in statements for mark in one.marks})
        said = listed.said_of(db, site, {id_ for ids in having.values() for id_ in ids})
    words = {
        id_: {name: [Said(row.value, row.source) for row in of] for name, of in attributes.items()}
        for id_, attributes in said.items()
    }
    reconciler.compare(rows, Known(having, words, _word))
    if not dry:
        taken = actions.take(engine, site, statements, now_us, by, frozenset(reconciler.disputed))
        outcome.taken.update(taken.counts)
        outcome.conflicts += taken.conflicts[: CONFLICTS_MAX - len(outcome.conflicts)]


def _catalogued(one: Product, source: str) -> CatalogueRow:
    return CatalogueRow(
        udi_di=one.di,
        brand=one.brand,
        model=one.model,
        company=one.company,
        type=one.gmdn_term,
        product_code=one.product_code,
        device_class=one.device_class,
        mri=one.mri,
        source=source,
    )


def _word(attribute: str, value: str) -> str:
    """Give the one word for a type of device: ``CT scanner`` is no other type than ``ct``."""
    return type_of(value) if attribute == "type" else ""
