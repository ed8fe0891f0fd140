"""Packets of a capture into a table of flows, as dpkt's own examples do: ``flows.py FILE``; prints packets, flows and CPU seconds as JSON."""

import json
import sys
import time

import dpkt

begin = time.process_time()
flows: dict[tuple[object, ...], list[int]] = {}
packets = 0
with open(sys.argv[1], "rb") as file:
    for _time, data in dpkt.pcap.Reader(file):
        packets += 1
        ip = dpkt.ethernet.Ethernet(data).data
        if isinstance(ip, dpkt.ip.IP) and isinstance(ip.data, dpkt.tcp.TCP | dpkt.udp.UDP):
            row = flows.setdefault((ip.src, ip.dst, ip.p, ip.data.sport, ip.data.dport), [0, 0])
            row[0] += 1
            row[1] += len(ip.data.data)
print(json.dumps({"packets": packets, "flows": len(flows), "seconds": time.process_time() - begin}))
