"""An engine's socket that answers some lists and nothing else, for tests of what is printed.

It answers as a real engine does in what the client depends on: a status line, `Api-Version`, a body
with its length, and 404 with a message for what it does not know.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer


@contextmanager
def serve_lists(path: Path, lists: Mapping[str, object]) -> Iterator[None]:
    """Serve `lists` by their paths at a unix socket."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = lists.get(self.path.partition("?")[0])
            known = found is not None
            body = json.dumps(found if known else {"message": "page not found"}).encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Api-Version", "1.41")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with ThreadingUnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
