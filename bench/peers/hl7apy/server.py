"""hl7apy's MLLPServer, acknowledging every message with AA and doing nothing else: ``server.py PORT``."""

import json
import signal
import sys
from importlib.metadata import version

from hl7apy.mllp import AbstractHandler, MLLPServer


class Acknowledge(AbstractHandler):
    """Answer AA with the message's control id; the library leaves the text of an answer to its user."""

    def reply(self):
        header = self.incoming_message.split("\r", 1)[0].split("|")
        body = f"MSH|^~\\&|PEER||||20260101000000||ACK|{header[9]}|P|2.6\rMSA|AA|{header[9]}\r"
        return f"\x0b{body}\x1c\r"


class EveryType(dict):
    """The library wants a handler for each message type by name."""

    def __missing__(self, _key):
        return (Acknowledge,)


class Server(MLLPServer):
    daemon_threads = True
    request_queue_size = 512


def main(port):
    server = Server("127.0.0.1", port, EveryType())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    print(
        json.dumps({"peer": "hl7apy", "version": version("hl7apy"), "port": server.server_address[1]}),
        flush=True,
    )
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
