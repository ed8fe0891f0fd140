"""The message of the speed tests: an ORU^R01 with 20 OBX, 2,247 bytes, made up.

Rules:
- Its length is always the same: control id, sender, hospital number and every value have fixed widths.
- Every value changes from message to message, as a monitor's do, within what is usual; the last one never repeats.
- It comes in pieces, so that a generator only joins them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

SIZE_BYTES = 2_247
ID_DIGITS = 12
SENDER_LETTERS = 8
VALUE_LETTERS = 9

BLOCKS = 61
"""Sets of observations that take turns; prime, so that a patient gets each of them."""

_SIGNS = (  # code, lowest and highest value (as many characters in both), unit, reference range
    ("147842^MDC_ECG_HEART_RATE", 58, 99, "264864^MDC_DIM_BEAT_PER_MIN^MDC", "50-120"),
    ("149530^MDC_PULS_OXIM_PULS_RATE", 58, 99, "264864^MDC_DIM_BEAT_PER_MIN^MDC", "50-120"),
    ("150456^MDC_PULS_OXIM_SAT_O2", 91, 99, "262688^MDC_DIM_PERCENT^MDC", "90-100"),
    ("150488^MDC_PULS_OXIM_PERF_REL", 1.1, 9.9, "262656^MDC_DIM_DIMLESS^MDC", ""),
    ("151562^MDC_RESP_RATE", 10, 29, "264928^MDC_DIM_RESP_PER_MIN^MDC", "8-30"),
    ("150037^MDC_PRESS_BLD_ART_ABP_SYS", 100, 158, "266016^MDC_DIM_MMHG^MDC", "90-160"),
    ("150038^MDC_PRESS_BLD_ART_ABP_DIA", 52, 89, "266016^MDC_DIM_MMHG^MDC", "50-90"),
    ("150039^MDC_PRESS_BLD_ART_ABP_MEAN", 62, 99, "266016^MDC_DIM_MMHG^MDC", "60-110"),
    ("150021^MDC_PRESS_BLD_NONINV_SYS", 100, 158, "266016^MDC_DIM_MMHG^MDC", "90-160"),
    ("150022^MDC_PRESS_BLD_NONINV_DIA", 52, 89, "266016^MDC_DIM_MMHG^MDC", "50-90"),
    ("150023^MDC_PRESS_BLD_NONINV_MEAN", 62, 99, "266016^MDC_DIM_MMHG^MDC", "60-110"),
    ("150087^MDC_PRESS_BLD_VEN_CENT_MEAN", 2, 9, "266016^MDC_DIM_MMHG^MDC", "2-12"),
    ("150364^MDC_TEMP_BODY", 36.0, 38.9, "268192^MDC_DIM_DEGC^MDC", "36-38.5"),
    ("151708^MDC_CONC_AWAY_CO2_ET", 30, 46, "266016^MDC_DIM_MMHG^MDC", "30-46"),
    ("131841^MDC_ECG_AMPL_ST_I", 0.1, 0.9, "263442^MDC_DIM_MILLI_M^MDC", ""),
    ("131842^MDC_ECG_AMPL_ST_II", 0.1, 0.9, "263442^MDC_DIM_MILLI_M^MDC", ""),
    ("148066^MDC_ECG_V_P_C_RATE", 0, 6, "264864^MDC_DIM_BEAT_PER_MIN^MDC", "0-6"),
    ("157784^MDC_FLOW_FLUID_PUMP", 10.0, 25.0, "265266^MDC_DIM_MILLI_L_PER_HR^MDC", ""),
    ("157872^MDC_VOL_FLUID_TBI_REMAIN", 100, 480, "263762^MDC_DIM_MILLI_L^MDC", ""),
)
_FAMILIES = (
    "Brockhausen",
    "Fitzgerrold",
    "Ibarguren",
    "Kowalczyk",
    "Rasmusen",
    "Tanahashi",
    "Vandermeul",
    "Xanthopoul",
)


@dataclass(frozen=True, slots=True)
class Template:
    """A message of one sender in pieces: ``begin + id + middle[patient] + block[number] + value + end``."""

    begin: bytes
    middles: tuple[bytes, ...]
    blocks: tuple[bytes, ...]
    end: bytes

    def message(self, number: int, turn: int | None = None) -> bytes:
        """Make the message with this number.

        Args:
            turn: whose turn it is of the sender's patients; by the number when absent.
        """
        middle = self.middles[(number if turn is None else turn) % len(self.middles)]
        block = self.blocks[number % BLOCKS]
        # Begins with 2: no hospital number, birth date or telephone number can stand in it by chance.
        return b"%b%0*d%b%b2%06d.5%b" % (
            self.begin, ID_DIGITS, number, middle, block, number % 1_000_000, self.end
        )  # fmt: skip


def template(sender: str, patients: int, first: int = 0) -> Template:
    """Make the template of a sender.

    Args:
        sender: MSH-3, at most 8 letters and digits; filled up to 8 with dashes.
        patients: how many different patients its messages are about, in turn.
        first: the number of the first of them.
    """
    name = sender.ljust(SENDER_LETTERS, "-")
    if len(name) != SENDER_LETTERS:
        raise ValueError("a sender's name has at most 8 letters")
    begin = f"MSH|^~\\&|{name}|WARD4|OATHWARD|OATHGEN|20260504081500+0000||ORU^R01^ORU_R01|"
    end = "|263762^MDC_DIM_MILLI_L^MDC|||||R\r"
    numbers = range(first, first + patients)
    middles = [_middle(number, 0) for number in numbers]
    blocks = _blocks()
    spare = SIZE_BYTES - len(begin) - ID_DIGITS - len(middles[0]) - len(blocks[0]) - VALUE_LETTERS - len(end)
    if spare < 0:
        raise ValueError(f"{-spare} bytes too many")
    return Template(
        begin.encode(), tuple(_middle(number, spare).encode() for number in numbers), blocks, end.encode()
    )


def _middle(patient: int, spare: int) -> str:
    family = _FAMILIES[patient % len(_FAMILIES)].ljust(11, "a")  # all of one length
    lines = [
        "|P|2.6|||NE|AL||UNICODE UTF-8|||IHE_PCD_ORU_R01^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO",
        (
            f"PID|1||{97_000_000 + patient}^^^HOSP^MR||{family}^Philippa||1961{1 + patient % 12:02d}{1 + patient % 28:02d}|F"
            f"|||{10 + patient % 90} Quillfeather Lane{' ' * spare}^^Eastmarrow||0555{4_000_000 + patient}"
        ),
        f"PV1|1|I|ICU^{100 + patient % 800}^A",
        "OBR|1|||69837^MDC_DEV_METER_PHYSIO_MULTI_PARAM_MDS^MDC|||20260504081500+0000",
    ]
    return "\r".join(lines) + "\r"


@cache
def _blocks() -> tuple[bytes, ...]:
    chance = random.Random(BLOCKS)
    return tuple(_block(chance) for _ in range(BLOCKS))


def _block(chance: random.Random) -> bytes:
    lines = [
        f"OBX|{n}|NM|{code}^MDC|1.1.1.{n}|{_value(chance, low, high)}|{unit}|{reference}||||R"
        for n, (code, low, high, unit, reference) in enumerate(_SIGNS, 1)
    ]
    return ("\r".join(lines) + "\rOBX|20|NM|157864^MDC_VOL_FLUID_DELIV^MDC|1.1.1.20|").encode()


def _value(chance: random.Random, low: float, high: float) -> str:
    return (
        f"{chance.uniform(low, high):.1f}"
        if isinstance(low, float)
        else f"{chance.randint(int(low), int(high))}"
    )
