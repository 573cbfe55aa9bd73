"""The health check: whether the web server of this container answers. Ends non-zero if not.

Plain sockets, because a check that runs every second must not import much.
"""

import _socket
import os
import sys

TIMEOUT_SECONDS = 1.5

connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
connection.settimeout(TIMEOUT_SECONDS)
try:
    connection.connect(("127.0.0.1", int(os.environ.get("PORT", "8000"))))
    connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
    answer = connection.recv(64)
except OSError:
    answer = b""
sys.exit(0 if b" 200 " in answer else 1)
