"""What `rebalance` does: show the moves, begin, and say what moved until it is over."""

from typing import Any, NamedTuple

from stackctl.cli.render.tables import render_grid
from stackctl.cli.session import Session
from stackctl.client.placement_views import RebalanceView

NOT_CONVERGED = 4

_POLL_SECONDS = 5.0


class Wish(NamedTuple):
    """The flags."""

    services: tuple[str, ...]
    allows_stateful: bool
    moves_max: int

    def as_request(self) -> dict[str, Any]:
        """The body of a request."""
        return {
            "services": list(self.services),
            "allows_stateful": self.allows_stateful,
            "moves_max": self.moves_max,
        }


def show_plan(session: Session, wish: Wish) -> int:
    """What would move, and what would not."""
    found = session.client.plan_rebalance(wish.as_request())
    if found["moves"]:
        lines = [("TASK", "FROM", "TO", "REASON")]
        lines += [
            (move["name"], move["source"], move["target"], move["reason"])
            for move in found["moves"]
        ]
        session.terminal.write(render_grid(lines))
    else:
        session.terminal.write("nothing to move\n")
    for service, reason in sorted(found["staying"].items()):
        session.terminal.note(f"{service} stays: {reason}")
    return 0


def rebalance(session: Session, wish: Wish, *, is_detached: bool, is_quiet: bool) -> int:
    """Begins, and waits until the last move has ended; exit code 4 when a task did not come up.
    Raises Conflict while another run goes on.
    """
    seen = session.client.rebalance(wish.as_request())
    if is_detached:
        return 0
    moving = ""
    while seen["is_running"]:
        if seen["moving"] not in ("", moving) and not is_quiet:
            session.terminal.note(f"{seen['moving']} moves")
        moving = seen["moving"]
        session.client.changes(after=seen["index"], timeout_seconds=_POLL_SECONDS)
        seen = session.client.rebalancing()
    session.terminal.write(_summary(seen["moved"]))
    if seen["failure"]:
        session.terminal.note(seen["failure"])
    return NOT_CONVERGED if seen["failure"] else 0


def stop(session: Session) -> int:
    """Lets no further task move."""
    seen = session.client.stop_rebalancing()
    session.terminal.write(_ending(seen))
    return 0


def _summary(moved: int) -> str:
    return f"moved {moved} task{'' if moved == 1 else 's'}\n"


def _ending(seen: RebalanceView) -> str:
    return f"stopped; {seen['moving']} arrives\n" if seen["moving"] else "stopped\n"
