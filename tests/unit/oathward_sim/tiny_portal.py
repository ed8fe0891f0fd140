"""A patient portal of sixty lines, for the simulator's own tests: it does what the real one should, and fails on request."""

import threading
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

CODE, ADDRESS = "123456", "you@patients.example"
FORM = '<form method="post" action="{to}"><input type="hidden" name="token" value="t">{more}<button>Go</button></form>'
PAGES = {
    "/sign-in": FORM.format(to="/sign-in", more='<input name="address">'),
    "/sign-in/code": FORM.format(to="/sign-in/code", more='<input name="code">'),
    "/enrol": FORM.format(to="/enrol", more=""),
    "/choices": '<p>Choices</p><a href="/choices/HRESCH.research-registry">Research registry</a>',
    "/choices/HRESCH.research-registry": '<form class="a" method="post" action="/choices/HRESCH.research-registry">'
    '<input type="hidden" name="seen" value="s"><button name="answer" value="allowed">Yes</button>'
    '<button name="answer" value="not-allowed">No</button></form>',
    "/": "<h1>Home &amp; more</h1><script>never()</script>",
}


class TinyPortal:
    """``tries_max``: wrong codes it takes; ``ended``: nobody may choose any more."""

    def __init__(self, folder, tries_max=5):
        self.folder, self.tries_max, self.wrong = folder, tries_max, 0
        self.ended, self.answers, self.cookies = False, [], []
        portal = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                portal.cookies.append(self.headers.get("Cookie", ""))
                path = urlsplit(self.path).path
                portal.say(self, 200 if path in PAGES else 404, PAGES.get(path, "nothing"))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                portal.post(self, urlsplit(self.path).path, {k: v[0] for k, v in parse_qs(body).items()})

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def post(self, handler, path, form):
        if path in {"/sign-in", "/enrol"}:
            self.letter(f"Your code is {CODE}\n")
            return self.say(handler, 303, to="/sign-in/code", cookie="before=1")
        if path == "/sign-in/code":
            if form["code"] != CODE or self.wrong >= self.tries_max:
                self.wrong += 1
                return self.say(handler, 200, PAGES[path])
            return self.say(handler, 303, to="/", cookie="session=secret")
        if self.ended or form.get("seen") != "s":
            return self.say(handler, 409, "look again")
        self.answers.append(form["answer"])
        return self.say(handler, 303, to="/")

    def say(self, handler, status, text="", to="", cookie=""):
        handler.send_response(status)
        handler.send_header("Content-Type", "text/html; charset=utf-8")
        handler.send_header("Content-Length", str(len(text.encode())))
        if to:
            handler.send_header("Location", to)
        if cookie:
            handler.send_header("Set-Cookie", f"{cookie}; HttpOnly; Path=/; SameSite=strict")
        handler.end_headers()
        handler.wfile.write(text.encode())

    def letter(self, text, to=ADDRESS):
        message = EmailMessage()
        message["To"], message["Subject"] = to, "a letter"
        message.set_content(text, cte="quoted-printable")
        number = len(list(self.folder.glob("*.eml")))
        (self.folder / f".{number}").write_bytes(message.as_bytes())
        (self.folder / f".{number}").rename(self.folder / f"{number}.eml")

    def close(self):
        self.server.shutdown()
        self.server.server_close()
