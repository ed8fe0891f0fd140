"""What logs of TLS say of flows that the log of connections counts, held until that flow comes.

Rules:
- In a stream of both (Zeek's logs over a socket), a flow takes the TLS version, name and certificate of its ``uid``: Zeek writes them first.
- What no flow took, in the stream or among the last ``WAITING_MAX``, is a row of its own without counts: totals take it as more of a flow that
  another row counts (``discovery.totals``). So logs that lie in files of their own lose nothing, and nothing is counted twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oathward.discovery.logs.frames import flow_type, flows_of
from oathward.discovery.logs.gathering import Gathered

if TYPE_CHECKING:
    import polars as pl

WAITING_MAX = 20_000
_BATCH = 2_000
_TAKEN = ("tls", "server_name", "certificate")


class Session(NamedTuple):
    """What is known of a flow beside its counts; columns as in ``FLOW_COLUMNS``."""

    start_us: int
    client: str
    server: str
    transport: str
    port: int
    service: str
    tls: str
    server_name: str
    certificate: str
    answered: bool | None


class Sessions:
    """Sessions that wait for their flow, the oldest first."""

    def __init__(self, gathered: Gathered, source: str) -> None:
        self._gathered = gathered
        self._source = source
        self._waiting: dict[str, Session] = {}

    def add(self, uid: str, session: Session) -> None:
        """Hold a session until the flow with its ``uid`` comes, or others crowd it out."""
        self._waiting[uid or f"#{len(self._waiting)}"] = session
        if len(self._waiting) >= WAITING_MAX + _BATCH:
            self._let_go(_BATCH)

    def given_to(self, raw: pl.DataFrame) -> pl.DataFrame:
        """Add what is known of flows to their rows, which have ``uid``; it waits no longer."""
        import polars as pl

        if not self._waiting:
            return raw
        found = [uid for uid in raw["uid"].unique().to_list() if uid in self._waiting]
        if not found:
            return raw
        known = {uid: self._waiting.pop(uid) for uid in found}
        frame = pl.DataFrame(
            {"uid": list(known)} | {name: [getattr(one, name) for one in known.values()] for name in _TAKEN},
            schema=dict.fromkeys(("uid", *_TAKEN), pl.String()),
        )
        return raw.join(frame, on="uid", how="left", maintain_order="left")

    def end(self) -> None:
        """Let go what still waits: nothing more comes."""
        self._let_go(len(self._waiting))

    def _let_go(self, count: int) -> None:
        import polars as pl

        gone = [self._waiting.pop(uid) for uid in list(self._waiting)[:count]]
        if gone:
            schema = {name: pl.Int64() if name == "port" else flow_type(name) for name in Session._fields}
            rows = pl.DataFrame(gone, schema=schema, orient="row")
            self._gathered.flows(flows_of(rows, self._gathered, self._source))
