"""Errors as people read them: one sentence, and what to do about it."""

from stackctl.errors import StackctlError

PROGRAM = "stackctl"


def render_error(error: StackctlError) -> str:
    """`stackctl: what failed`, then `hint: what to type`; many problems have a line each."""
    first, *others = error.message.splitlines() or [type(error).__name__]
    if others:
        # A list of problems stands as it is: editors and CI read file:line:column at the start.
        lines = [first, *others, f"{PROGRAM}: {len(others) + 1} problems"]
    else:
        lines = [f"{PROGRAM}: {first}"]
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines) + "\n"
