"""Lines of Zeek's logs in JSON, for tests."""

from __future__ import annotations

import json
from typing import Any

T = 1_790_000_000
"""The second a line's number counts from."""


def conn(n: int, client: str = "10.1.0.1", server: str = "10.2.0.9", **more: Any) -> str:
    """Write a line of conn.log: a TCP flow at second ``n``, of 5 octets to the server and 1 back, with other fields as said."""
    said = {
        "ts": T + n,
        "uid": f"C{n}",
        "id.orig_h": client,
        "id.orig_p": 1_024,
        "id.resp_h": server,
        "id.resp_p": 2_575,
        "proto": "tcp",
        "duration": 0.5,
        "orig_bytes": 5,
        "resp_bytes": 1,
        "conn_state": "SF",
    }
    return json.dumps(said | more) + "\n"
