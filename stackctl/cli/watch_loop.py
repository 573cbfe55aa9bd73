"""What `watch` does: looks, reacts, and says what it did, until it is interrupted."""

import threading
from collections.abc import Sequence

from stackctl.cli.bringing_up import UpFlags, bring_up
from stackctl.cli.local_stack import LocalStack
from stackctl.cli.render.step_progress import ProgressMode
from stackctl.cli.session import Session
from stackctl.compose.document import Service
from stackctl.errors import InputError, StackctlError
from stackctl.local import watching
from stackctl.local.building.build_image import build_image
from stackctl.local.building.build_request import BuildFlags, image_builds
from stackctl.local.failures import EngineRefusal
from stackctl.local.names import image_of
from stackctl.local.observing import find_image
from stackctl.local.reconcile import PlanOptions
from stackctl.local.stack_files import Stack
from stackctl.local.up import UpOptions
from stackctl.local.watch_actions import react
from stackctl.local.watching import Reaction, Snapshot, WatchedPath

PERIOD_SECONDS = 0.5


class Watch:
    """The watched services of a stack."""

    def __init__(
        self,
        session: Session,
        local: LocalStack,
        stack: Stack,
        *,
        services: Sequence[str] = (),
        prunes: bool = True,
        is_quiet: bool = False,
        progress: ProgressMode | None = None,
    ) -> None:
        """Raises InputError when no service is watched. `progress` is that of rebuilds."""
        self._session = session
        self._local = local
        self._stack = stack
        self._prunes = prunes
        self._is_quiet = is_quiet
        self._progress = ProgressMode.QUIET if is_quiet else progress
        # Services whose containers are being replaced or restarted now.
        self.changing: frozenset[str] = frozenset()
        self._ended = threading.Event()
        self._changes = threading.Lock()
        chosen = stack.chosen(services)
        self._paths = {
            service.key: [WatchedPath(service, rule) for rule in service.develop.watch]
            for service in chosen
            if service.develop is not None and service.develop.watch
        }
        if not self._paths:
            raise InputError(
                "no service is watched", hint="`develop.watch` of a service says what is watched"
            )
        self._seen = {key: [path.look() for path in paths] for key, paths in self._paths.items()}

    def end(self) -> None:
        """No container is changed any more once this returns; a build may go on."""
        self._ended.set()
        with self._changes:
            pass

    def run(self) -> None:
        """Look and react until the end, or until an interrupt comes."""
        self._say(f"watching {', '.join(self._paths)}")
        self._sync_at_first()
        while not self._ended.wait(PERIOD_SECONDS):
            for key in self._paths:
                self._carry_out(key, self._reaction(key))

    def _sync_at_first(self) -> None:
        for key, paths in self._paths.items():
            found = [
                (path.rule, watching.everything(seen))
                for path, seen in zip(paths, self._seen[key], strict=True)
                if path.rule.initial_sync
            ]
            self._carry_out(key, watching.reaction(found))

    def _reaction(self, key: str) -> Reaction:
        now: list[Snapshot] = [path.look() for path in self._paths[key]]
        found = [
            (path.rule, watching.compare(before, after))
            for path, before, after in zip(self._paths[key], self._seen[key], now, strict=True)
        ]
        self._seen[key] = now
        return watching.reaction(found)

    def _carry_out(self, key: str, wanted: Reaction) -> None:
        if not wanted:
            return
        service = self._stack.services[key]
        self.changing = frozenset((key,))
        try:
            if wanted.rebuilds:
                self._rebuild(service)
            else:
                self._react(key, wanted)
        except StackctlError as error:
            # A mistake in a file that is being worked on must not end the watch.
            self._session.terminal.note(f"watch: {key}: {error.message}")
            return
        finally:
            self.changing = frozenset()
        self._say(f"{key}: {describe(wanted)}")

    def _react(self, key: str, wanted: Reaction) -> None:
        with self._changes:
            if not self._ended.is_set():
                running = [it for it in self._local.containers_of([key]) if it.is_running]
                react(self._local.engine, running, wanted)

    def _rebuild(self, service: Service) -> None:
        self._say(f"{service.key}: rebuilding")
        engine = self._local.engine
        before = find_image(engine, image_of(self._stack.name, service))
        secrets = self._stack.document.secrets
        environment = self._session.environment
        for wanted in image_builds(self._stack.name, [service], secrets):
            build_image(
                engine, wanted, BuildFlags(), environment=environment, on_line=self._show_line
            )
        plan = PlanOptions(services=(service.key,), with_dependencies=False)
        flags = UpFlags((service.key,), UpOptions(plan=plan), self._progress)
        with self._changes:
            if self._ended.is_set():
                return
            bring_up(self._session, flags, local=self._local, stack=self._stack)
        if before and self._prunes:
            self._remove_dangling(before.id)

    def _remove_dangling(self, image_id: str) -> None:
        engine = self._local.engine
        try:
            if not engine.get(f"/images/{image_id}/json").get("RepoTags"):
                engine.delete(f"/images/{image_id}")
        except EngineRefusal as refusal:
            # Another container may run it, or another image stand on it.
            if not (refusal.is_conflict or refusal.is_not_found):
                raise

    def _show_line(self, line: str) -> None:
        if not self._is_quiet:
            self._session.terminal.note(line)

    def _say(self, text: str) -> None:
        if not self._is_quiet:
            self._session.terminal.note(f"watch: {text}")


def describe(wanted: Reaction) -> str:
    """What was done, in words."""
    if wanted.rebuilds:
        return "rebuilt"
    words = []
    if wanted.copied:
        words.append(f"{len(wanted.copied)} copied")
    if wanted.removed:
        words.append(f"{len(wanted.removed)} removed")
    if wanted.hooks:
        words.append(f"{len(wanted.hooks)} run")
    if wanted.restarts:
        words.append("restarted")
    return ", ".join(words)
