"""Errors as people read them: one sentence, and what to do about it."""

from stackctl.errors import StackctlError

PROGRAM = "stackctl"


def render_error(error: StackctlError) -> str:
    """`stackctl: what failed`, then `hint: what to type`."""
    lines = [f"{PROGRAM}: {error.message or type(error).__name__}"]
    if error.hint:
        lines.append(f"hint: {error.hint}")
    return "\n".join(lines) + "\n"


def render_json_error(error: StackctlError) -> str:
    """The same as one object, for who reads progress in JSON."""
    import json

    found = {"error": True, "message": error.message or type(error).__name__}
    if error.hint:
        found["hint"] = error.hint
    return json.dumps(found) + "\n"
