"""An emergency copy of a small site, for tests: a key, inpatients with values, copies made by the keeper."""

import re
from datetime import timedelta
from types import SimpleNamespace

from tests.care import adt
from tests.wire import oru

from oathward.core.ids import uuid7
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import HL7V2
from oathward.inventory.model import Peer
from oathward.vault.emergency import keys
from oathward.vault.keeper import checkpoints
from oathward.vault.keeper.copying import making

HERE = Peer("127.0.0.1", None, ())
PASSPHRASE = "a lamp in every corridor"


def give_key(keeper, folder, witness=None):
    """Make the copy's key as `oathward emergency key` does; gives it opened."""
    who = keys.Trust(keeper.site, bytes(32), keeper.authority, keeper.ledger_key, witness)
    keys.create(folder / "emergency.key", keeper.settings.data / "emergency.pub", PASSPHRASE, who)
    return keys.unlock(folder / "emergency.key", PASSPHRASE)


def take(gate, raw):
    prepared = handle(gate, Arrival(uuid7(), raw, HERE, gate.now_us(), HL7V2))
    commit_group(gate, [prepared])
    assert gate.trouble == "", gate.trouble
    gate.refresh()
    return prepared.message


def now(gate, minutes_ago=0):
    return f"{gate.clock.now() - timedelta(minutes=minutes_ago):%Y%m%d%H%M%S}+0000"


def measured(gate, mrn, value, minutes_ago=1, name="Zebulonova^Quixotella"):
    raw = oru(f"{mrn}-{value}-{minutes_ago}", mrn=mrn, value=str(value), name=name).decode()
    return take(gate, re.sub(r"20260504\d{6}\+0000", now(gate, minutes_ago), raw).encode())


def admitted(gate, *, place="ICU^101^A^HOSP", values=(61, 62), name="Zebulonova^Quixotella"):
    """Somebody in the house with values."""
    mrn = f"7{uuid7().replace('-', '')[-9:]}".upper()
    visit = f"V{mrn}^^^HOSP^VN"
    subject = take(gate, adt("A01", said=now(gate, 70), mrn=mrn, place=place, visit=visit, name=name)).subject
    ids = [measured(gate, mrn, value, 10 - at, name=name).id for at, value in enumerate(values)]
    return SimpleNamespace(subject=subject, mrn=mrn, visit=visit, messages=ids)


def discharged(gate, patient):
    take(gate, adt("A03", said=now(gate), mrn=patient.mrn, visit=patient.visit))


def make(keeper, folder, by="test"):
    """Sign a checkpoint as the keeper's house does, and make a copy."""
    checkpoints.sign_next(keeper)
    return making.make(keeper, folder, by)
