"""A far end for HTTP tests: reads requests as they come, answers what a script says, keeps what it took."""

import asyncio
import json

END = "end"  # close the connection
RESET = "reset"
SILENT = "silent"


def answer(status, body=b"", **headers):
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def outcome(*codes, text="Jane Doe was here"):
    issues = [{"severity": "error", "code": c, "diagnostics": text} for c in codes]
    return {"resourceType": "OperationOutcome", "issue": issues}


def responses(*statuses):
    return {
        "resourceType": "Bundle",
        "type": "transaction-response",
        "entry": [{"response": {"status": s}} for s in statuses],
    }


class FarEnd:
    """One server. ``script``: for each request in turn a list of steps: bytes to write, seconds to wait, or a word.

    What a request held is kept when its first step is written as ``2xx``, or when the step before it is ``"take"``.
    """

    def __init__(self, *script, tls=None, otherwise=()):
        self.script, self.tls, self.otherwise = list(script), tls, otherwise or (answer(201),)
        self.requests, self.heads, self.at_s, self.connections = [], [], [], 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        self.tasks = set()
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.sleep(0.01)

    async def _serve(self, reader, writer):
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _one(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line for line in head.split("\r\n") if line.lower().startswith("content-length")]
        length = int(lines[0].split(":")[1]) if lines else 0
        body = await reader.readexactly(length)
        self.heads.append(head)
        self.requests.append((head.split("\r\n")[0], body))
        self.at_s.append(asyncio.get_running_loop().time())
        for step in self.script.pop(0) if self.script else self.otherwise:
            if step == END:
                writer.close()
                await writer.wait_closed()
                return False
            if step == RESET:
                writer.transport.abort()
                return False
            if step == SILENT:
                await asyncio.sleep(3600)
            elif isinstance(step, float):
                await asyncio.sleep(step)
            else:
                writer.write(step)
                await writer.drain()
        return True
