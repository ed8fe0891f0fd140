"""A mail server for tests, on loopback: speaks SMTP as RFC 5321 says, with STARTTLS and a password, and keeps what it got."""

import base64
import socket
import ssl
import threading
from contextlib import contextmanager
from email import message_from_bytes, policy


class Mailbox:
    """What was delivered; ``refuse``: so many letters are refused first; ``encrypted``: of each, whether it came so."""

    def __init__(self, context=None, password="", refuse=0, wrapped=False):
        self.letters, self.encrypted, self.recipients = [], [], []
        self.refuse, self.password = refuse, password
        self._context, self._wrapped = context, wrapped
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.settimeout(10)
            try:
                if self._wrapped:
                    connection = self._context.wrap_socket(connection, server_side=True)
                self._talk(connection)
            except (OSError, ssl.SSLError):
                pass
            finally:
                connection.close()

    def _talk(self, connection, *, greets=True):
        lines, known, to = connection.makefile("rb"), not self.password, ""

        def say(text):
            connection.sendall(text.encode() + b"\r\n")

        if greets:
            say("220 mail.example ESMTP")
        while line := lines.readline():
            word, _, rest = line.decode().strip().partition(" ")
            secure = isinstance(connection, ssl.SSLSocket)
            match word.upper():
                case "EHLO":
                    more = ["STARTTLS"] if self._context and not secure else []
                    more += ["AUTH PLAIN"] if self.password else []
                    for one in ["mail.example", *more]:
                        say(f"250-{one}")
                    say("250 8BITMIME")
                case "STARTTLS":
                    say("220 go ahead")
                    with self._context.wrap_socket(connection, server_side=True) as safe:
                        self._talk(safe, greets=False)
                    return
                case "AUTH":
                    _, user, secret = base64.b64decode(rest.split(" ")[1]).decode().split("\0")
                    known = (user, secret) == ("portal", self.password)
                    say("235 welcome" if known else "535 no")
                case "MAIL":
                    say("250 ok" if known else "530 who are you")
                case "RCPT":
                    to = rest
                    say("250 ok")
                case "DATA":
                    say("354 go on")
                    data = b""
                    while (one := lines.readline()) != b".\r\n":
                        data += one
                    if self.refuse:
                        self.refuse -= 1
                        say("451 try again")
                        continue
                    self.letters.append(message_from_bytes(data, policy=policy.default))
                    self.encrypted.append(secure)
                    self.recipients.append(to)
                    say("250 taken")
                case "QUIT":
                    say("221 bye")
                    return
                case _:
                    say("250 ok")


@contextmanager
def mailbox(**more):
    """Serve one."""
    box = Mailbox(**more)
    try:
        yield box
    finally:
        box.stop()
