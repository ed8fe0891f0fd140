"""python-hl7's MLLP server, acknowledging every message with AA and doing nothing else: ``server.py PORT``."""

import asyncio
import json
import signal
import sys
from importlib.metadata import version

from hl7.mllp import start_hl7_server

MESSAGE_BYTES_MAX = 1_048_576


async def serve(reader, writer):
    try:
        while not writer.is_closing():
            message = await reader.readmessage()
            writer.writemessage(message.create_ack())
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(port):
    server = await start_hl7_server(serve, "127.0.0.1", port, encoding="utf-8", limit=MESSAGE_BYTES_MAX)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    taken = server.sockets[0].getsockname()[1]
    print(json.dumps({"peer": "python-hl7", "version": version("hl7"), "port": taken}), flush=True)
    await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
