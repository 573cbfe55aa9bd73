"""What one deviation is; `deviations` has them all."""

from typing import NamedTuple

AS_HERE = "as here"


class Deviation(NamedTuple):
    """One matter; `id` is how tests and people refer to it."""

    id: str
    matter: str
    stack: str  # what `docker stack` does
    compose: str  # what `docker compose` does
    ours: str
    why: str
