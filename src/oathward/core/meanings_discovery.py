"""What reasons mean where sensors' files, logs and lists are read."""

from __future__ import annotations

from oathward.core.meaning import Meaning
from oathward.core.reasons import Reason

DISCOVERY: dict[Reason, Meaning] = {
    Reason.OBSERVED_TIME: Meaning(
        "a time before or after what can be: the sensor's clock was wrong, or jumped",
        "set the sensor's clock by NTP; what it saw before is not used",
    ),
    Reason.OBSERVED_COLUMNS: Meaning(
        "a log or list whose columns are not those that its format has, or that its header does not name",
        "have it written anew with its header; for lists, say which column is what",
    ),
    Reason.OBSERVED_BROKEN: Meaning(
        "a line, record or packet that is not what its format says, or a value in it that cannot be",
        "look at the sensor when there are many; what stands around it was read",
    ),
    Reason.OBSERVED_CUT: Meaning(
        "a file that ends in the middle of a line or record, or a packet or message whose end was not captured",
        "nothing while it is being written: the rest is read next time; else fetch it again, or capture whole packets",
    ),
    Reason.OBSERVED_SIZE: Meaning(
        "a line or record longer than any that its format has",
        "look at what writes it; it was passed over",
    ),
    Reason.OBSERVED_UNKNOWN: Meaning(
        "a kind of log or record that nothing here reads",
        "nothing, or do not collect it",
    ),
    Reason.OBSERVED_TEMPLATE: Meaning(
        "flow records whose template the exporter never sent, or took back",
        "have the exporter send its templates more often, every minute or so",
    ),
    Reason.OBSERVED_FULL: Meaning(
        "more things at once than are kept in memory: the oldest were let go unfinished",
        "look at what sends so many; split the source by sensor or by hour",
    ),
    Reason.OBSERVED_READER: Meaning(
        "the process that reads a source ended, was silent, or said what cannot be; what it gave before is kept",
        "try it again: it goes on where it was; where it ends at the same place, take that file out and report it",
    ),
    Reason.OBSERVED_FRAGMENT: Meaning(
        "a later fragment of an IP packet: it names no ports, and packets are not put together from fragments",
        "nothing, where they are few; many of them are a tunnel with too large packets, or somebody who hides",
    ),
    Reason.PROBE_OFF: Meaning(
        "a probe was ordered where settings permit none; nothing was sent",
        "if the site wants ordered probes at all: `[network] probes = true`",
    ),
    Reason.PROBE_OUTSIDE: Meaning(
        "a probe was ordered of what is not on the hospital's own network; nothing was sent",
        "ask its vendor, or whoever answers for it; import the plan of addresses if it is the site's own",
    ),
    Reason.PROBE_ADDRESS_UNKNOWN: Meaning(
        "a probe was ordered of an endpoint whose address nobody saw; nothing was sent",
        "read a capture, a flow log or a DHCP log in which it speaks: `oathward observe`",
    ),
    Reason.PROBE_ADDRESS_STALE: Meaning(
        "a probe was ordered, but the endpoint was not heard at its address of late: another may have it by now",
        "read newer logs or captures (`oathward observe`), then order it again",
    ),
    Reason.PROBE_ADDRESS_SHARED: Meaning(
        "a probe was ordered, but who would be asked at that address is not sure; nothing was sent",
        "settle whose the address is on the endpoint's page: conflicts, cards that speak for others, its gateway",
    ),
    Reason.PROBE_REALM: Meaning(
        "a probe was ordered at an address that means something else, or the same, in another realm; nothing was sent",
        "order it from the machine that stands in that realm; make addresses of plans unique where you can",
    ),
    Reason.PROBE_AT_RISK: Meaning(
        "a probe was ordered of what may be at a patient, or must not fail; nothing was sent",
        "ask the unit; then order it again and name each risk that is said: `--although RISK`",
    ),
    Reason.PROBE_TOO_SOON: Meaning(
        "a device is probed once in ten minutes at most; nothing was sent",
        "wait; what the last one told stands on the endpoint's page",
    ),
}
