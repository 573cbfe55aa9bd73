"""The one rule outside our own table: the engine's firewall must let published connections through.

The engine drops what it did not publish itself. Its chain `DOCKER-USER` is the place where others
may have a say; ours says: accept connections that bear the ingress mark. It stands before the
chain's final RETURN and after everything that somebody else has put there, so that refusals which
the user wrote keep their force over published ports, as they do with the engine's own.
"""

import subprocess

from agent.core.nft_rules import INGRESS_MARK
from stackctl.errors import TemporaryFailure

_CHAIN = "DOCKER-USER"
_MARK = f"{INGRESS_MARK:#x}/{INGRESS_MARK:#x}"
_RULE = ["-m", "connmark", "--mark", _MARK, "-j", "ACCEPT"]
_LISTED = f"-A {_CHAIN} {' '.join(_RULE)}"
_RETURN = f"-A {_CHAIN} -j RETURN"
_RETRY_SECONDS = 1.0
_TIMEOUT_SECONDS = 15


def ensure_accepted() -> bool:
    """The rule is there exactly once, and in force; False when the engine has no such chain (it
    keeps no firewall, or has not started yet). Raises `TemporaryFailure`."""
    rules = _read_rules()
    if rules is None:
        return False
    before_return = rules.index(_RETURN) if _RETURN in rules else len(rules)
    if rules.count(_LISTED) == 1 and rules.index(_LISTED) < before_return:
        return True
    for _ in range(rules.count(_LISTED)):
        _run("-D", _CHAIN, *_RULE)
    kept = [rule for rule in rules if rule != _LISTED]
    position = kept.index(_RETURN) + 1 if _RETURN in kept else len(kept) + 1
    _run("-I", _CHAIN, str(position), *_RULE)
    return True


def remove_accepted() -> None:
    """No rule of ours is there. Raises `TemporaryFailure`."""
    for _ in range((_read_rules() or []).count(_LISTED)):
        _run("-D", _CHAIN, *_RULE)


def _read_rules() -> list[str] | None:
    """The rules of the chain in order, or None where there is none."""
    try:
        ended = _start("-S", _CHAIN)
    except FileNotFoundError:
        return None
    if ended.returncode != 0:
        return None
    return [line for line in ended.stdout.splitlines() if line.startswith("-A ")]


def _run(*words: str) -> None:
    ended = _start(*words)
    if ended.returncode != 0:
        raise TemporaryFailure(
            f"iptables {' '.join(words)}: {ended.stderr.strip()}",
            retry_after_seconds=_RETRY_SECONDS,
        )


def _start(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["iptables", "-w", "5", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise TemporaryFailure(
            f"iptables did not end within {_TIMEOUT_SECONDS} s",
            retry_after_seconds=_RETRY_SECONDS,
        ) from error
