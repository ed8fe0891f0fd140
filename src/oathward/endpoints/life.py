"""When the support of an operating system ends: a small table of dates that their makers published. Pure.

A name that is not in the table has no known end; nobody guesses. A date is that of the last security updates for everybody; what a maker sells
longer to single customers is not counted.

Source: the makers' own pages of life cycles (Microsoft Lifecycle, Red Hat, Canonical, Debian, Apple, Google), as of 2025-06.
"""

from __future__ import annotations

import re
from typing import NamedTuple

AS_OF = "2025-06"


class End(NamedTuple):
    """One system. ``ends``: the day of its last security updates for everybody, ISO 8601."""

    system: str
    pattern: re.Pattern[str]
    ends: str
    source: str


def _row(system: str, pattern: str, ends: str, source: str) -> End:
    return End(system, re.compile(pattern), ends, source)


ENDS = (
    _row("Windows 2000", r"windows (?:2000|nt 5\.0)", "2010-07-13", "Microsoft Lifecycle"),
    _row("Windows XP", r"windows (?:xp|nt 5\.1)", "2014-04-08", "Microsoft Lifecycle"),
    _row("Windows Embedded Standard 7", r"windows embedded standard 7", "2020-10-13", "Microsoft Lifecycle"),
    _row("Windows Server 2003", r"windows (?:server 2003|nt 5\.2)", "2015-07-14", "Microsoft Lifecycle"),
    _row("Windows Vista", r"windows (?:vista|nt 6\.0)", "2017-04-11", "Microsoft Lifecycle"),
    _row("Windows Server 2008 R2", r"windows server 2008 ?r2", "2020-01-14", "Microsoft Lifecycle"),
    _row("Windows Server 2008", r"windows server 2008", "2020-01-14", "Microsoft Lifecycle"),
    _row("Windows 7", r"windows (?:7|nt 6\.1)\b", "2020-01-14", "Microsoft Lifecycle"),
    _row("Windows Server 2012", r"windows server 2012", "2023-10-10", "Microsoft Lifecycle"),
    _row("Windows 8.1", r"windows (?:8\.1|nt 6\.3)", "2023-01-10", "Microsoft Lifecycle"),
    _row("Windows 8", r"windows (?:8|nt 6\.2)\b", "2016-01-12", "Microsoft Lifecycle"),
    _row("Windows Server 2016", r"windows server 2016", "2027-01-12", "Microsoft Lifecycle"),
    _row("Windows Server 2019", r"windows server 2019", "2029-01-09", "Microsoft Lifecycle"),
    _row("Windows Server 2022", r"windows server 2022", "2031-10-14", "Microsoft Lifecycle"),
    _row("Windows 10 IoT Enterprise LTSC 2021", r"windows 10 iot enterprise ltsc 2021", "2032-01-13", "Microsoft Lifecycle"),
    _row("Windows 10 Enterprise LTSC 2019", r"windows 10 (?:iot )?enterprise (?:ltsc )?2019", "2029-01-09", "Microsoft Lifecycle"),
    _row("Windows 10", r"windows 10\b(?!.*(?:ltsc|iot))", "2025-10-14", "Microsoft Lifecycle"),
    _row("Windows CE 6.0", r"windows ce 6", "2018-04-10", "Microsoft Lifecycle"),
    _row("Windows Embedded Compact 7", r"windows embedded compact 7", "2021-04-13", "Microsoft Lifecycle"),
    _row("Red Hat Enterprise Linux 6", r"(?:red hat enterprise linux|rhel)(?: server)?(?: release)? 6\b", "2020-11-30", "Red Hat"),
    _row("Red Hat Enterprise Linux 7", r"(?:red hat enterprise linux|rhel)(?: server)?(?: release)? 7\b", "2024-06-30", "Red Hat"),
    _row("Red Hat Enterprise Linux 8", r"(?:red hat enterprise linux|rhel)(?: server)?(?: release)? 8\b", "2029-05-31", "Red Hat"),
    _row("CentOS 7", r"centos(?: linux)?(?: release)? 7\b", "2024-06-30", "CentOS"),
    _row("CentOS 8", r"centos(?: linux)?(?: release)? 8\b", "2021-12-31", "CentOS"),
    _row("Ubuntu 16.04", r"ubuntu 16\.04", "2021-04-30", "Canonical"),
    _row("Ubuntu 18.04", r"ubuntu 18\.04", "2023-05-31", "Canonical"),
    _row("Ubuntu 20.04", r"ubuntu 20\.04", "2025-05-31", "Canonical"),
    _row("Ubuntu 22.04", r"ubuntu 22\.04", "2027-04-30", "Canonical"),
    _row("Debian 9", r"debian(?: gnu/linux)? 9\b", "2022-06-30", "Debian LTS"),
    _row("Debian 10", r"debian(?: gnu/linux)? 10\b", "2024-06-30", "Debian LTS"),
    _row("Debian 11", r"debian(?: gnu/linux)? 11\b", "2026-08-31", "Debian LTS"),
    _row("Debian 12", r"debian(?: gnu/linux)? 12\b", "2028-06-30", "Debian LTS"),
)  # fmt: skip


def end_of(system: str) -> End | None:
    """Find when the support of an operating system ended or ends; None where nobody here knows."""
    folded = " ".join(system.casefold().replace("microsoft ", "").split())
    return next((one for one in ENDS if one.pattern.match(folded)), None)
