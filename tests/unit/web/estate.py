"""Two vendors' devices and two patients' messages in one site: for what one may see and another may not."""

from dataclasses import replace

from oathward.core.clock import micros
from oathward.core.db import write
from oathward.inventory.model import Device
from oathward.messages import sql
from oathward.messages.model import HeldRow, MessageRow

OURS, OTHERS = "acme-1", "bolt-1"
SUBJECTS = ("subject-one", "subject-two")


def devices() -> tuple[Device, ...]:
    one = Device(id=OURS, kind="pump", make="Acme", model="Vista 3", addresses=frozenset({"10.0.0.1"}))
    return (
        one,
        replace(one, id="acme-2", model="Vista 4", addresses=frozenset({"10.0.0.2"})),
        replace(one, id=OTHERS, make="Bolt", model="B1", name='"make":"Acme"', addresses=frozenset({"10.0.0.3"})),
    )  # fmt: skip


def message_id(n: int) -> str:
    return f"01a20122-0600-7704-bc29-{n:012x}"


def fill(site) -> None:
    """Put them in: two messages of each device, one of each patient, and one held of each."""
    site.add(*devices())
    with site.admin() as opened:
        now_us = micros(opened.clock.now())
        rows, held = [], []
        for n, device in enumerate((OURS, OTHERS, OURS, OTHERS)):
            id_ = message_id(n)
            state = "held" if n >= 2 else "accepted"
            reason = "patient.ambiguous" if n >= 2 else ""
            rows.append(
                MessageRow(
                    *(id_, opened.site, b"%016d" % n, bytes(16), "AA", now_us, device),
                    *(SUBJECTS[n // 2], "ORU^R01", 100 + n, state, reason),
                )
            )
            if n >= 2:
                held.append(HeldRow(id_, opened.site, now_us, device, "10.0.0.1 -", reason, "PID-3", ""))
        with write(opened.engine) as db:
            sql.insert_messages(db, rows)
            sql.insert_held(db, held)
