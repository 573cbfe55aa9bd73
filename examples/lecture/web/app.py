"""A page that says which web server made it and how often all of them were asked."""

import os

import flask
import redis
import waitress

NAME = os.environ["NAME"]

app = flask.Flask(__name__)
counter = redis.Redis(host="db", socket_connect_timeout=1, socket_timeout=1)


@app.get("/")
def page() -> tuple[str, int]:
    """One line: the server's name, and the count that all servers share."""
    try:
        return f"{NAME}: visit number {counter.incr('visits')}\n", 200
    except redis.RedisError:
        return f"{NAME} cannot reach db\n", 503


if __name__ == "__main__":
    waitress.serve(app, listen="*:8000")
