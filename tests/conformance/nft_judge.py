"""What nftables itself does with packets: runs alone in a network namespace of its own (`unshare -n`), asked line by line.

A question is {"rules": text of a ruleset whose base chain hooks output, "packets": [[source, destination, protocol, source port, port], …]}.
The answer is {"text": listing, "json": listing as JSON, "accepted": indexes of the packets that came out behind the rules, "hits": packets per handle}.
Each packet bears its index as a mark; a chain behind the rules keeps the marks that it meets.
"""

import ipaddress
import json
import re
import socket
import struct
import subprocess
import sys

SEEN = """
table inet judge {
	set seen { type mark; flags dynamic; size 65535; }
	chain behind { type filter hook output priority 1000; policy accept; meta mark != 0 add @seen { meta mark }; }
}
"""


def run(*command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr[:800]}\n{text or ''}")
    return done.stdout


def packet(source, destination, protocol, source_port, port):
    ends = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if protocol == 6:
        body = struct.pack(">HHIIBBHHH", source_port, port, 1, 0, 0x50, 0x02, 1024, 0, 0)
    elif protocol == 17:
        body = struct.pack(">HHHH", source_port, port, 8, 0)
    else:
        body = struct.pack(">BBHHH", 128 if protocol == 58 else 8, 0, 0, source_port, 1)
    if ends[0].version == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0)
    else:
        head = struct.pack(">IHBB", 6 << 28, len(body), protocol, 64)
    return head + ends[0].packed + ends[1].packed + body


def send(number, row):
    data, address = packet(*row), ipaddress.ip_address(row[1])
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as out:
        if family == socket.AF_INET6:
            out.setsockopt(socket.IPPROTO_IPV6, 36, 1)  # IPV6_HDRINCL
        out.setsockopt(socket.SOL_SOCKET, 36, number + 1)  # SO_MARK
        try:
            out.sendto(data, (row[1], 0))
        except PermissionError:
            return  # an output chain that drops says so to the sender


def load(rules):
    """Load rules, without those that nft itself refuses (two matches of one rule may ask for different protocols)."""
    lines = rules.splitlines()
    while True:
        run("nft", "flush", "ruleset")
        done = subprocess.run(
            ["nft", "-f", "-"], input="\n".join(lines), capture_output=True, text=True, check=False
        )
        if not done.returncode:
            return
        wrong = {int(number) for number in re.findall(r"/dev/stdin:(\d+):", done.stderr)}
        if not wrong:
            raise SystemExit(done.stderr)
        lines = ["" if number in wrong else line for number, line in enumerate(lines, 1)]


def judged(question):
    load(question["rules"])
    text, tree = run("nft", "-a", "list", "ruleset"), run("nft", "-j", "list", "ruleset")
    run("nft", "-f", "-", text=SEEN)
    for number, row in enumerate(question["packets"]):
        send(number, row)
    rows = json.loads(run("nft", "-j", "list", "set", "inet", "judge", "seen"))["nftables"]
    marks = next((row["set"].get("elem", []) for row in rows if "set" in row), [])
    hits = {}
    for row in json.loads(run("nft", "-j", "list", "ruleset"))["nftables"]:
        for one in row.get("rule", {}).get("expr", ()):
            if isinstance(one.get("counter"), dict):
                hits[f"{row['rule']['chain']} {row['rule']['handle']}"] = one["counter"]["packets"]
    return {"text": text, "json": tree, "accepted": sorted(mark - 1 for mark in marks), "hits": hits}


def main():
    run("ip", "link", "set", "lo", "up")
    run("ip", "route", "add", "local", "10.0.0.0/8", "dev", "lo")
    run("ip", "-6", "route", "add", "local", "2001:db8::/32", "dev", "lo")
    for line in sys.stdin:
        print(json.dumps(judged(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
