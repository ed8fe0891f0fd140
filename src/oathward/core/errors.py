"""The one tree of errors.

Rules:
- An error names a place (``where``) and a reason, never a value from a message.
- Bad input raises one of these; a broken world is wrapped once with ``raise … from``.
- Nothing here is caught and dropped: the data path has one boundary (``gateway/path.py``).
"""

from __future__ import annotations

from oathward.core.reasons import Reason


class OathwardError(Exception):
    """Bad input or a refused operation, with its reason code.

    Args:
        reason: from ``core.reasons``; decides the answer on every wire.
        where: a place such as ``PID-7``, ``links/ehr.toml:12`` or a file name; never a value.
        why: what was expected, in words for the person who must mend it; never a value.
    """

    default_reason = Reason.INTERNAL

    def __init__(self, where: str = "", why: str = "", *, reason: Reason | None = None) -> None:
        self.reason = reason or self.default_reason
        self.where = where
        self.why = why
        super().__init__(f"{self.reason.code}{f' at {where}' if where else ''}{f': {why}' if why else ''}")


class DecodeError(OathwardError):
    """Bytes that are not a message of this protocol."""

    default_reason = Reason.MESSAGE_UNDECODABLE


class DeidentificationError(OathwardError):
    """A value could not be shaped as its profile asks; nothing of the message may leave on that link."""

    default_reason = Reason.DEID_FAILED


class PolicyError(OathwardError):
    """A bundle or a rule that cannot be used; names file, line and what to write instead."""

    default_reason = Reason.BUNDLE_INVALID


class SettingsError(OathwardError):
    """A setting that is unknown, missing or out of range."""

    default_reason = Reason.SETTINGS_INVALID


class VaultError(OathwardError):
    """A key is not available, was destroyed, or a seal does not open."""

    default_reason = Reason.KEY_UNAVAILABLE


class AuthorityError(OathwardError):
    """A signed document that does not verify, or is older than one already seen."""

    default_reason = Reason.SIGNATURE_INVALID


class KeeperError(OathwardError):
    """The keeper refused, or could not be reached."""

    default_reason = Reason.KEEPER_REFUSED


class LedgerError(OathwardError):
    """The ledger does not verify."""

    default_reason = Reason.LEDGER_BROKEN


class StorageError(OathwardError):
    """The disk or the database failed; what was asked did not happen."""

    default_reason = Reason.STORAGE_FAILED


class InputError(OathwardError):
    """A person's input (a file, an option, a row) that cannot be used."""

    default_reason = Reason.INPUT_INVALID
