"""Deliveries that have not happened yet, for tests of what becomes of them."""

from oathward.messages.model import OutboxRow
from oathward.vault.bodies import BodyRef


def waiting(id_: str, **facts) -> OutboxRow:
    """Give a row of the outbox that says nothing but its id, the message's the same; ``facts``: fields that say more."""
    row = OutboxRow(id_, "s", id_, "link", "d", "", "", BodyRef("s", 1, 0, 0, b""), False, "", 0, b"", b"", 0, 0)  # fmt: skip
    return row._replace(**facts)
