"""A patient's values, sealed as the gateway seals them, for pages of the portal over a real keeper."""

from contextlib import contextmanager

from tests.unit.vault.keeper.people import Direct
from tests.unit.vault.sites import gateway

from oathward.core.ids import uuid7
from oathward.messages.tables import message
from oathward.vault.authority import trust_anchor
from oathward.vault.keeper.client import Client

RATE = "147842^MDC_ECG_HEART_RATE^MDC"


def oru(value, at, *, flag="", code=RATE, unit="/min", name="Quintana^Rosa"):
    """One value of a monitor, ``at`` as HL7 v2 writes a time."""
    return (
        f"MSH|^~\\&|MON|ICU|||{at}||ORU^R01^ORU_R01|m{at}|P|2.6\r"
        f"PID|||77001^^^H^MR||{name}||19800203|F\r"
        f"OBR|1||||||{at}\r"
        f"OBX|1|NM|{code}|1.1.1.1|{value}|{unit}^{unit}^UCUM|60-100|{flag}|||F|||{at}\r"
    ).encode()


def sent_by(house, id_, device):
    """Note which device a message came from, as the gateway does."""
    row = {"id": id_, "device": device, "subject": house.subject, "site": house.keeper.site}
    row |= {"duplicate_key": id_.encode(), "digest": b"", "answer": "", "received_us": 0}
    row |= {"type": "ORU^R01", "size_bytes": 1, "state": "decided", "reason": ""}
    with house.keeper.engine.begin() as db:
        db.execute(message.insert().values(row))


@contextmanager
def sealing(house):
    """Give a function that keeps an original of the patient so many minutes ago."""
    client = Client(Direct(house.keeper, "gateway"), "gateway", trust_anchor(house.settings))
    with gateway(house.settings, client) as found:

        def keep(data, minutes_ago=0.0, subject="", device=""):
            at_ms = int(house.time.wall_s * 1_000 - minutes_ago * 60_000)
            id_ = uuid7(at_ms)
            if device:
                sent_by(house, id_, device)
            return found.keep(subject or house.subject, data, message=id_)

        yield keep
