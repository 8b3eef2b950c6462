"""A real HTTP server on a free port of this machine whose answers a test writes by hand."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    routes: dict[tuple[str, str], list[Answer]]
    seen: list[tuple[str, str, dict[str, str], bytes]]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        answers = self.routes.get((self.command, self.path), [])
        if not answers:
            self.json({"id": "not_found", "message": f"no route {self.command} {self.path}"}, 404)
            return
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

    def json(self, document: Any, status: int = 200) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin(self, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def end(self) -> None:
        self.chunk(b"")

    def cut(self) -> None:
        """Break off without an end."""
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Wire:
    def __init__(self) -> None:
        self.routes: dict[tuple[str, str], list[Answer]] = {}
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        handler = type("Handler", (Request,), {"routes": self.routes, "seen": self.seen})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://localhost:{self.server.server_address[1]}"

    def on(self, method: str, path: str, *answers: Answer | dict[str, Any] | list[Any]) -> None:
        """Answers in turn, the last of them again and again."""
        made = [each if callable(each) else (lambda request, each=each: request.json(each)) for each in answers]
        self.routes[method, path] = made  # type: ignore[assignment]

    def requests_to(self, path: str) -> list[dict[str, str]]:
        """The headers of each request to a path."""
        return [headers for _, seen, headers, _ in self.seen if seen == path]


@contextmanager
def serving() -> Iterator[Wire]:
    wire = Wire()
    thread = Thread(target=wire.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield wire
    finally:
        wire.server.shutdown()
        thread.join()
        wire.server.server_close()
