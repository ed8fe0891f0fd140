"""Settings of the patient portal and of the mail it sends: sections ``[portal]`` and ``[mail]`` of ``core.settings``.

Deliberately absent: reading the file (``core.settings``), whether numbers can be meant (``core.settings_check``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Portal:
    """The patient portal, and who may sign in to it."""

    host: str = "127.0.0.1"  # without a certificate a loopback address, and nothing else
    port: int = -1  # 0 = a free port, -1 = off: nothing of the portal runs
    certificate: str = ""  # PEM, for HTTPS; a relative path is one in the data folder
    key: str = ""  # its private key, PEM
    leave_url: str = (
        ""  # where *Leave now* goes, `https://weather.example`; empty: a page that only says goodbye
    )
    url: str = ""  # how patients reach it, `https://patients.hospital.example`; needed to invite somebody, and for passkeys
    zone: str = "UTC"  # whose times pages tell: a name of the IANA time zone database, `Europe/Berlin`
    staff_names: bool = True  # patients read the names of who opened their data; else their roles alone
    adult_years: int = 18  # from this age on a parent's access has ended
    code_minutes_max: float = 10.0  # how long a one-time code, and what it finishes, is good
    idle_minutes_max: float = 10.0  # a session nobody uses ends
    session_hours_max: float = 8.0  # and every session ends after so long
    openings_per_hour_max: int = 120  # so often may one holder look at values in an hour
    invitation_days_max: float = 14.0  # how long an invitation waits to be used
    copy_hours: float = 24.0  # how long the link to a copy that a patient asked for is good
    report_hours: float = (
        72.0  # a privacy officer settles what a patient reported within so long; then it is overdue
    )


@dataclass(frozen=True, slots=True)
class Mail:
    """How letters to patients are sent: one-time codes, invitations, notices."""

    sender: str = ""  # `smtp`, or `file` (one file a letter, for a site's own dispatch); empty: none are sent
    host: str = "127.0.0.1"
    port: int = 587
    tls: str = "starttls"  # `starttls`, `tls` from the first byte on, or `none` (this machine alone)
    user: str = ""  # empty: without signing in to the mail server
    password_file: str = ""  # a relative path is one in the data folder
    ca_file: str = ""  # PEM, who vouches for the mail server; empty: whom this machine trusts
    sent_from: str = ""  # the address letters come from
    folder: str = "letters"  # of the sender `file`; a relative path is one in the data folder
    timeout_s: float = 20.0
