"""Permits and what becomes of them, written as gateway, courier and people write them."""

from dataclasses import dataclass

from sqlalchemy import Engine

import oathward.ledger.tables
import oathward.messages.missing
import oathward.messages.sql  # noqa: F401  these declare their tables
from oathward import ledger
from oathward.core.db import create_tables, read, write
from oathward.core.reasons import Reason
from oathward.courier.model import Delivered, Failed, Item
from oathward.courier.record import record_group
from oathward.ledger import Query, Record, prepare
from oathward.messages import actions, sql
from oathward.messages.model import Delivery, OutboxRow
from oathward.vault.bodies import BodyRef

SITE = "north"
MINUTE_US = 60_000_000
START_US = 1_800_000_000_000_000
REF = BodyRef("outbox", 1, 0, 4, bytes(32))


@dataclass
class Book:
    """One site's ledger and outbox."""

    engine: Engine
    now_us: int = START_US

    def __post_init__(self):
        create_tables(self.engine)

    def accept(self, message, *links, release="", denied=(), rows=True):
        """Permit a message on some links; gives the outgoing ids."""
        ids = {link: f"{message}-{link}".encode().hex().upper() for link in links}
        answers = [["keep", "permit"]]
        answers += [[link, "permit", id_, {"patient.name": 2}] for link, id_ in ids.items()]
        answers += [[link, "deny", "decision.no-consent"] for link in denied]
        body = {"answers": answers, "device": "mon-1", "facts": ["ab"], "type": "ORU^R01"}
        record = Record(
            "message.accepted",
            body | ({"release": release} if release else {}),
            self.now_us,
            "s",
            links,
            message,
        )
        with write(self.engine) as db:
            if rows:
                sql.insert_outbox(db, [self._row(message, link, id_) for link, id_ in ids.items()])
            ledger.append(db, SITE, [prepare(record)])
        return list(ids.values())

    def _row(self, message, link, id_):
        return OutboxRow(
            id_, SITE, message, link, "mon-1", "s", "k", REF, False, "b", 0, b"", b"", 0, self.now_us
        )  # fmt: skip

    def _item(self, id_):
        with read(self.engine) as db:
            return Item(sql.outbox_by_id(db, id_), b"")

    def deliver(self, *ids):
        group = [(self._item(id_), Delivered("AA"), Delivery.DEAD) for id_ in ids]
        record_group(self.engine, SITE, group, at_us=self.now_us)

    def fail(self, id_, state=Delivery.DEAD):
        record_group(
            self.engine, SITE, [(self._item(id_), Failed(Reason.RECIPIENT_REFUSED), state)], at_us=self.now_us
        )

    def retry(self, id_):
        with write(self.engine) as db:
            actions.retry(db, id_, by="t", reason="r", now_us=self.now_us)

    def discard(self, id_):
        with write(self.engine) as db:
            actions.discard(db, id_, by="t", reason="r", now_us=self.now_us)

    def tamper(self, statement):
        """Change the database as its administrator could."""
        with write(self.engine) as db:
            return db.exec_driver_sql(statement).rowcount

    def findings(self):
        with read(self.engine) as db:
            found = ledger.search(db, SITE, Query(kind="finding.raised"), limit=1_000)
        return [
            (f.body["finding"], f.message, f.links[0])
            for f in reversed(found)
            if f.body["finding"] in {"delivery.missing", "delivery.changed"}
        ]
