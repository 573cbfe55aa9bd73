"""Natural order: `web.2` comes before `web.10`."""

import re

_NUMBER = re.compile(r"(\d+)")


def natural_key(text: str) -> tuple[str | int, ...]:
    """A sort key; text and numbers alternate, so keys always compare like with like."""
    return tuple(int(part) if index % 2 else part for index, part in enumerate(_NUMBER.split(text)))
