"""Rebalancing behind the fake API: planned moves happen one a step."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from stackctl.errors import Conflict
from stackctl.wire import api


@dataclass
class FakeRebalancing:
    """Tests set `moves`, `staying` and, for a move that does not come, `failure`."""

    moves: list[api.TaskMove] = field(default_factory=list)
    staying: dict[str, str] = field(default_factory=dict)
    failure: str = ""
    view: api.RebalanceView = field(default_factory=api.RebalanceView)
    left: int = 0

    def plan(self, request: api.RebalanceRequest) -> api.RebalanceView:
        """What would move."""
        chosen = [
            move
            for move in self.moves
            if not request.services or move.name.rpartition(".")[0] in request.services
        ]
        return api.RebalanceView(
            moves=tuple(chosen[: request.moves_max or None]), staying=self.staying
        )

    def begin(self, request: api.RebalanceRequest) -> api.RebalanceView:
        """Begins."""
        if self.view.is_running:
            raise Conflict("a rebalancing is under way")
        self.left = len(self.plan(request).moves)
        moving = self.moves[0].name if self.left else ""
        self.view = api.RebalanceView(is_running=self.left > 0, moving=moving)
        return self.view

    def stop(self) -> api.RebalanceView:
        """Ends it."""
        self.view = replace(self.view, is_running=False)
        return self.view

    def step(self) -> bool:
        """One task arrives, or does not come up; False when none is on its way."""
        if not self.view.is_running:
            return False
        self.moves.pop(0)
        self.left -= 1
        if self.failure:
            self.view = replace(self.view, is_running=False, moving="", failure=self.failure)
            return True
        self.view = replace(
            self.view,
            moved=self.view.moved + 1,
            is_running=self.left > 0,
            moving=self.moves[0].name if self.left else "",
        )
        return True
