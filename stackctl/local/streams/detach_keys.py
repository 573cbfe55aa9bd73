"""The keys that leave a container without stopping it: `ctrl-p,ctrl-q` unless said otherwise.

Pure. Keys typed so far are held back while they may still become the whole sequence, and let
through when they do not.
"""

from typing import NamedTuple

from stackctl.errors import InputError

USUAL = "ctrl-p,ctrl-q"

_CONTROL_SIGNS = "@[\\]^_"


class Typed(NamedTuple):
    """What becomes of typed bytes: those to pass on, and whether to detach after them."""

    passed_on: bytes
    detaches: bool


class DetachKeys:
    """Watches what is typed for one sequence of keys; an empty one is never typed."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._matched = 0

    def feed(self, typed: bytes) -> Typed:
        """Look at further bytes; nothing counts after those that detach."""
        if not self._keys:
            return Typed(typed, detaches=False)
        passed_on = bytearray()
        for byte in typed:
            if byte != self._keys[self._matched]:
                passed_on += self._keys[: self._matched]
                self._matched = 0
            if byte != self._keys[self._matched]:
                passed_on.append(byte)
                continue
            self._matched += 1
            if self._matched == len(self._keys):
                return Typed(bytes(passed_on), detaches=True)
        return Typed(bytes(passed_on), detaches=False)


def parse_detach_keys(text: str) -> DetachKeys:
    """The sequence in `ctrl-p,ctrl-q` or `a,b`; "" is none. Raises InputError."""
    keys = bytearray()
    for word in text.split(",") if text else ():
        keys.append(_key(word, text))
    return DetachKeys(bytes(keys))


def _key(word: str, text: str) -> int:
    if len(word) == 1 and word.isascii():
        return ord(word)
    control = word.lower().removeprefix("ctrl-")
    if word.lower().startswith("ctrl-") and len(control) == 1:
        if "a" <= control <= "z":
            return ord(control) - ord("a") + 1
        if control in _CONTROL_SIGNS:
            return ord(control) - ord("@")
    raise InputError(
        f"{text!r} are no keys to detach with",
        hint="write keys with commas between: ctrl-p,ctrl-q; ctrl- with a letter or one of @[\\]^_",
    )
