"""Packets of a capture into flows with their application, by nfstream: ``flows.py FILE``; prints packets, flows and CPU seconds as JSON.

It reads in processes of its own beside this one: the CPU time of all of them counts, imports included, as they are of each start.
"""

import json
import resource
import sys

from nfstream import NFStreamer


def main() -> None:
    packets = flows = 0
    for flow in NFStreamer(source=sys.argv[1], n_meters=1, statistical_analysis=False, n_dissections=20):
        flows += 1
        packets += flow.bidirectional_packets
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(one.ru_utime + one.ru_stime for one in used)
    print(json.dumps({"packets": packets, "flows": flows, "seconds": seconds}))


if __name__ == "__main__":
    main()
