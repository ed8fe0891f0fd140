"""Names of protocols, services, priorities and actions as rules write them. Facts of IANA's registries and nft(8)."""

from __future__ import annotations

PROTOCOL: dict[str, int] = {
    "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "ipv6-icmp": 58,
    "ospf": 89, "ospfigp": 89, "pim": 103, "comp": 108, "vrrp": 112, "l2tp": 115, "sctp": 132, "udplite": 136,
}  # fmt: skip
"""Source: IANA, Assigned Internet Protocol Numbers."""

WITH_PORTS = frozenset({6, 17, 33, 132, 136})

SERVICE: dict[str, int] = {
    "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "http": 80,
    "www": 80, "kerberos": 88, "acr-nema": 104, "pop3": 110, "sunrpc": 111, "ntp": 123, "netbios-ns": 137, "netbios-dgm": 138,
    "netbios-ssn": 139, "imap": 143, "imap2": 143, "snmp": 161, "snmptrap": 162, "snmp-trap": 162, "ldap": 389, "https": 443,
    "microsoft-ds": 445, "syslog": 514, "ldaps": 636, "imaps": 993, "pop3s": 995, "ms-sql-s": 1433, "ms-sql-m": 1434, "mqtt": 1883,
    "nfs": 2049, "hl7": 2575, "dicom-iscl": 2761, "dicom-tls": 2762, "mysql": 3306, "ms-wbt-server": 3389, "postgresql": 5432,
    "secure-mqtt": 8883, "dicom": 11112,
}  # fmt: skip
"""Source: IANA, Service Name and Transport Protocol Port Number Registry, and the names Debian gives a few of them."""

PRIORITY: dict[str, int] = {
    "raw": -300,
    "mangle": -150,
    "dstnat": -100,
    "filter": 0,
    "security": 50,
    "srcnat": 100,
}
"""Source: nft(8), standard priority names."""

PERMITS = frozenset({"permit", "allow", "accept", "pass"})
DROPS = frozenset({"deny", "drop", "block", "discard"})
REJECTS = frozenset({"reject", "refuse"})
