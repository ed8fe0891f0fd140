"""What a text of a browser or server gives away of its operating system: our own table, each row a hint and no more."""

from __future__ import annotations

_SYSTEMS: tuple[tuple[str, str], ...] = (
    ("windows nt 10.0", "Windows 10 or later"),
    ("windows nt 6.3", "Windows 8.1"),
    ("windows nt 6.2", "Windows 8"),
    ("windows nt 6.1", "Windows 7"),
    ("windows nt 6.0", "Windows Vista"),
    ("windows nt 5.2", "Windows Server 2003"),
    ("windows nt 5.1", "Windows XP"),
    ("windows nt 5.0", "Windows 2000"),
    ("windows ce", "Windows CE"),
    ("microsoft-iis/5", "Windows 2000"),
    ("microsoft-iis/6", "Windows Server 2003"),
    ("microsoft-iis/7.0", "Windows Server 2008"),
    ("microsoft-iis/7.5", "Windows Server 2008 R2"),
    ("microsoft-iis/8.0", "Windows Server 2012"),
    ("microsoft-iis/8.5", "Windows Server 2012 R2"),
    ("msft 5.0", "Windows"),
    ("iphone", "iOS"),
    ("ipad", "iOS"),
    ("android", "Android"),
    ("cros ", "ChromeOS"),
    ("mac os x", "macOS"),
    ("vxworks", "VxWorks"),
    ("qnx", "QNX"),
    ("(debian)", "Debian"),
    ("(ubuntu)", "Ubuntu"),
    ("ubuntu", "Ubuntu"),
    ("(centos)", "CentOS"),
    ("(red hat", "Red Hat Enterprise Linux"),
    ("freebsd", "FreeBSD"),
    ("linux", "Linux"),
    ("windows", "Windows"),
)
"""Part of a text in lower case -> system; the first that fits."""


def system_of(text: str) -> str:
    """Name the operating system that a user agent, a server's banner or a DHCP vendor class hints at; empty where none."""
    lower = text.lower()
    return next((system for part, system in _SYSTEMS if part in lower), "")
