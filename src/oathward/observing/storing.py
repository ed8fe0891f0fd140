"""One group of what was seen, stored: endpoints, the segment of flows, then totals with the place of its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from oathward.core.db import write
from oathward.discovery.model import Clear, Mark, MarkKind, Statement
from oathward.discovery.totals import HOUR_US, totals
from oathward.discovery.values import names_one
from oathward.network import actions, segments
from oathward.network.model import EXTERNAL, ObservedSource
from oathward.network.plan import Plan
from oathward.observing import versions
from oathward.observing.joining import KEYS_MAX, Tls

if TYPE_CHECKING:
    import polars as pl

    from oathward.vault.opened import Opened

_REMEMBERED_MAX = 500_000


class Endpoints(Protocol):
    """What becomes of who was seen."""

    def take(self, statements: Sequence[Statement]) -> None:
        """Take statements in."""

    def holders(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Give the endpoint that held each address in an hour: columns ``realm``, ``address``, ``hour_us``, and so ``endpoint``; empty where nobody is known."""


@dataclass(slots=True)
class Groups:
    """Where groups go.

    Args:
        plan: says which addresses are the site's own. days: in which there are new segments.
        counted_beside: of the source that is read now: its flows are counted by another log of this run.
    """

    site: Opened
    endpoints: Endpoints
    plan: Plan
    days: set[str] = field(default_factory=set)
    counted_beside: bool = False
    _tls: Tls = field(init=False)
    _met: set[tuple[str, str, str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Have what runs before said of flows looked up where it is kept."""
        data = self.site.settings.data
        self._tls = Tls(lambda day: segments.sessions(data, day, KEYS_MAX))

    def keep(
        self,
        flows: pl.DataFrame | None,
        statements: list[Statement],
        clear: Sequence[Clear],
        before: ObservedSource,
        now: ObservedSource,
    ) -> None:
        """Store one group: endpoints, the segment, then totals with the source's place, in this order."""
        site = self.site
        own = statements + (self._addresses(flows) if flows is not None else [])
        if own:
            self.endpoints.take(own)
        summed = None
        if flows is not None:
            elsewhere = versions.settle(site, self._tls, flows)
            rest = self._tls.told(flows)
            counted = self._tls.put(rest if self.counted_beside else versions.uncounted(flows, elsewhere))
            flows = self._tls.put(flows)
            summed = self._resolved(totals(counted)) if counted.height else None
            self.days.update(segments.put(site.settings.data, now.id, before.parts, flows))
        held = self._held([(c.realm, address, c.at_us) for c in clear for address in (c.client, c.server)])
        rows = actions.prepare(site.site, summed, clear, self.plan, lambda *one: held.get(_hour(*one), ""))
        with write(site.engine) as db:
            actions.store(db, site.site, rows, now, before.parts)

    def _resolved(self, summed: pl.DataFrame) -> pl.DataFrame:
        """Say who held each address in each hour; external ones are nobody's."""
        import polars as pl

        for side in ("client", "server"):
            keys = summed.select("realm", pl.col(side).alias("address"), "hour_us").unique(
                maintain_order=True
            )
            own = [self._is_own(realm, address) for realm, address, _ in keys.iter_rows()]
            known = self.endpoints.holders(keys.filter(pl.Series(own, dtype=pl.Boolean)))
            names = {"address": side, "endpoint": f"{side}_endpoint"}
            summed = summed.join(
                known.rename(names), on=["realm", side, "hour_us"], how="left", maintain_order="left"
            )
        return summed.with_columns(pl.col("client_endpoint", "server_endpoint").fill_null(""))

    def _held(self, wanted: Sequence[tuple[str, str, int]]) -> dict[tuple[str, str, int], str]:
        """Say who held some addresses: (realm, address, hour) -> endpoint."""
        import polars as pl

        keys = {_hour(*one) for one in wanted if self._is_own(one[0], one[1])}
        if not keys:
            return {}
        kinds = {"realm": pl.String, "address": pl.String, "hour_us": pl.Int64}
        found = self.endpoints.holders(pl.DataFrame(sorted(keys), schema=kinds, orient="row"))
        rows = found.select("realm", "address", "hour_us", "endpoint").iter_rows()
        return {(realm, address, hour): endpoint for realm, address, hour, endpoint in rows}

    def _addresses(self, flows: pl.DataFrame) -> list[Statement]:
        """Make statements of the site's own addresses that spoke, one an hour: who is seen by flows alone is there too."""
        import polars as pl

        found = list[Statement]()
        for side in ("client", "server"):
            spoke = flows if side == "client" else flows.filter(pl.col("answered").fill_null(value=True))
            some = spoke.group_by(
                "realm", pl.col(side).alias("address"), pl.col(f"{side}_mac").alias("mac"),
                (pl.col("start_us") // HOUR_US).alias("hour"), maintain_order=True,
            ).agg(pl.col("start_us").min(), pl.col("segment").first(), pl.col("source").first())  # fmt: skip
            for realm, address, mac, hour, at_us, segment, source in some.iter_rows():
                key = (realm, address, mac, hour)
                if key in self._met or not self._is_own(realm, address) or not names_one(address):
                    continue
                if len(self._met) >= _REMEMBERED_MAX:
                    self._met.clear()
                self._met.add(key)
                marks = (
                    (Mark(MarkKind.MAC, mac), Mark(MarkKind.ADDRESS, address))
                    if mac
                    else (Mark(MarkKind.ADDRESS, address),)
                )
                found.append(Statement(at_us, source, realm, marks, (), segment))
        return found

    def _is_own(self, realm: str, address: str) -> bool:
        return bool(address) and self.plan.place(realm, address).zone != EXTERNAL


def _hour(realm: str, address: str, at_us: int) -> tuple[str, str, int]:
    return realm, address, at_us // HOUR_US * HOUR_US
