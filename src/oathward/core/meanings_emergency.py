"""What each reason about the emergency copy means; part of ``meanings``."""

from __future__ import annotations

from oathward.core.meaning import Meaning
from oathward.core.reasons import Reason

EMERGENCY: dict[Reason, Meaning] = {
    Reason.EMERGENCY_PASSPHRASE: Meaning(
        "the passphrase does not open the key file, or the file was changed",
        "type it again; take the second copy of the file from the safe",
    ),
    Reason.BREAKGLASS_MISSES: Meaning(
        "somebody asked for numbers of nobody, too many in an hour, as if in an emergency",
        "ask that person; their tries are records `breakglass.missed`",
    ),
    Reason.EMERGENCY_COPY_BROKEN: Meaning(
        "the copy is not what the keeper signed, or not of this site and key",
        "use the copy before it, in the same folder; do not trust this one",
    ),
    Reason.EMERGENCY_LOG_BROKEN: Meaning(
        "the log of readings beside the copy was changed or cut",
        "keep it as it is, and ask who had the machine",
    ),
    Reason.EMERGENCY_NOT_PROVED: Meaning(
        "what is kept of a patient is not what the ledger says; the copy keeps what was proved before",
        "`oathward ledger verify`; compare disk and database with a backup",
    ),
}
