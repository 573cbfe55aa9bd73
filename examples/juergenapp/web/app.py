"""The web part of juergenapp: a page that says which task made it and how often it was visited."""

import os
import signal
import socket
import sys

import flask
import redis
import waitress

REDIS_HOST = os.environ.get("REDIS_HOST", "backenddb")
PORT = int(os.environ.get("PORT", "8000"))

# The node fills in the task's name; on its own the page falls back on the container's host name.
TASK = os.environ.get("TASK_NAME", "") or socket.gethostname()

app = flask.Flask(__name__)
# Half a second to connect and half a second to answer: a visitor waits one second at most. Kept
# connections are tested before use when they are older than a second, because the redis behind them
# may have been away.
counter = redis.Redis(
    host=REDIS_HOST, socket_connect_timeout=0.5, socket_timeout=0.5, health_check_interval=1
)


@app.get("/home")
def home() -> tuple[str, int, dict[str, str]]:
    """The page, or one sentence when the counter cannot be reached."""
    headers = {"Content-Type": "text/html; charset=utf-8", "X-Web-Task": TASK}
    try:
        visits = counter.incr("visits")
    except redis.RedisError:
        headers["Content-Type"] = "text/plain; charset=utf-8"
        return f"web task {TASK} cannot reach {REDIS_HOST}.\n", 503, headers
    page = (
        "<!doctype html>\n<title>juergenapp</title>\n<h1>juergenapp</h1>\n"
        f"<p>Answered by web task <b>{TASK}</b>.</p>\n"
        f"<p>Visit number <b>{visits}</b>.</p>\n"
    )
    return page, 200, headers


@app.get("/healthz")
def healthz() -> tuple[str, int]:
    """Whether this task serves; says nothing about the counter."""
    return "ok\n", 200


def main() -> None:
    """Serve until SIGTERM, which the first process of a container would otherwise not notice."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    waitress.serve(app, host="0.0.0.0", port=PORT, threads=8, ident="juergenapp")  # noqa: S104 -- a container serves on all its addresses


if __name__ == "__main__":
    main()
