"""HL7 v2 for the path."""

from __future__ import annotations

from itertools import count

from sqlalchemy import Engine

from oathward.core.clock import from_micros
from oathward.core.errors import DecodeError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.gateway import labelling
from oathward.gateway.guard.original import Original, of_hl7v2
from oathward.gateway.sent import of_dtm
from oathward.gateway.wires.wire import Condition, Identity, LabelFacts
from oathward.inventory.model import Device
from oathward.patients.card import card_of
from oathward.patients.model import Resolution
from oathward.patients.resolver import Resolver
from oathward.patients.split import split
from oathward.policy import model as policy
from oathward.policy.labels import LabelTable
from oathward.protocols.hl7v2 import ack
from oathward.protocols.hl7v2.batch import FRAME_MESSAGES_MAX, split_batch
from oathward.protocols.hl7v2.catalogue import classes_present
from oathward.protocols.hl7v2.reader import Message, decode
from oathward.protocols.hl7v2.withheld import codes_of, tells, without_codes


class Hl7v2:
    """HL7 v2 over MLLP; see ``wire.Wire``."""

    name: policy.Wire = "hl7v2"
    where_sender = "MSH-3"

    def pieces(self, raw: bytes) -> list[bytes]:
        """Cut a batch."""
        try:
            return split_batch(raw, messages_max=FRAME_MESSAGES_MAX)
        except DecodeError:
            return [raw]

    def decode(self, raw: bytes) -> Message:
        """Read a message."""
        return decode(raw)

    def sender(self, message: Message) -> tuple[bytes, bytes]:
        """Give MSH-3 and MSH-4."""
        return message.sender

    def equipment(self, message: Message) -> tuple[bytes, ...]:
        """List OBX-18."""
        return tuple(sorted({message.field(segment, 18) for segment in message.named(b"OBX")} - {b""}))

    def types(self, message: Message) -> list[tuple[str, str]]:
        """Give MSH-9."""
        return [(message.code, message.trigger)]

    def type_of(self, message: Message) -> str:
        """Give MSH-9 as ``ORU^R01``."""
        return labelling.type_of(message)

    def where_type(self, _message: Message) -> str:
        """MSH-9."""
        return "MSH-9"

    def plain_type(self, message: Message) -> bool:
        """Whether MSH-9 says nothing else."""
        return message.has_plain_type

    def resolve(
        self, resolver: Resolver, engine: Engine, message: Message, device: Device, now_us: int
    ) -> Resolution:
        """By PID, PV1 and MRG."""
        return resolver.resolve(engine, message, device, now_us)

    def split(self, message: Message) -> list[bytes]:
        """By PID groups."""
        return split(message)

    def card(self, message: Message) -> bytes:
        """Of PID."""
        return card_of(message)

    def classes(self, message: Message) -> frozenset[str]:
        """By the catalogue."""
        return classes_present(message)

    def codes(self, message: Message) -> frozenset[str]:
        """Of OBX-3 and its kin, as ``narrowed`` knows them."""
        return codes_of(message)

    def narrowed(self, message: Message, withheld: frozenset[str], only: frozenset[str] | None) -> Message:
        """By OBX-3 and its kin."""
        return without_codes(message, withheld, only)

    def tells(self, message: Message) -> bool:
        """OBX, OBR, RXA and their kin."""
        return tells(message)

    def labelled(self, message: Message, table: LabelTable, device: Device) -> LabelFacts:
        """Codes, PV1-3, PV1-10, MSH-3."""
        return labelling.seen(message, table, device)

    def own_labels(self, message: Message) -> frozenset[str]:
        """MSH-26, since v2.9."""
        return labelling.own(message)

    def original(self, message: Message) -> Original:
        """For the guard."""
        return of_hl7v2(message)

    def identity(self, message: Message) -> Identity:
        """MSH-3, MSH-4 and MSH-10."""
        return Identity(b"|".join((*message.sender, message.control_id)) if message.control_id else b"")

    def sent_us(self, message: Message) -> int:
        """MSH-7."""
        return of_dtm(message.header(7))

    def conditions(self, _message: Message, _whole: Message, _number: int) -> list[Condition]:
        """HL7 v2 knows none."""
        return []

    def retold(self, message: Message, _called: dict[int, str], _there: frozenset[int]) -> Message:
        """Nothing in it was created before."""
        return message

    def answer(self, message: Message | None, undecodable: str, why: Reason | None = None) -> str:  # noqa: ARG002  the settings say it
        """Stored is AA, whatever was decided."""
        return "AA" if message is not None else undecodable

    def replies(self, source: Message | bytes, at_us: int, why: Reason | None, answer: str) -> list[bytes]:
        """Acknowledge as the sender's mode asks (step 12)."""
        now = from_micros(at_us)
        good = answer == "AA"
        reason = None if good else why or Reason.MESSAGE_UNDECODABLE
        if isinstance(source, bytes):
            return [ack.acknowledge(source, answer, now=now, control_id=_control_id(), reason=reason)]
        mode = ack.mode(source)
        codes = [f"C{answer[1]}"] if mode.wants_accept(good=good) else []
        codes += [answer] if mode.wants_application(good=good) else []
        return [
            ack.acknowledge(source, code, now=now, control_id=_control_id(), reason=reason) for code in codes
        ]


HL7V2 = Hl7v2()

_started = uuid7().rpartition("-")[2]
_acknowledgements = count(1)


def _control_id() -> str:
    """An acknowledgement's own MSH-10, 20 characters: a random part of this process, and a number."""
    return f"{_started}{next(_acknowledgements):08x}"
