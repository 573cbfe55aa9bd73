"""How one step of a plan is done: one call to the engine, or a few that belong together.

What the engine refuses is said with the name of the object, the last lines of a container that
failed, and what to type next.
"""

import threading
from collections.abc import Callable
from functools import singledispatchmethod
from typing import Any

from stackctl.compose.parts.lifecycle import Hook
from stackctl.local import waiting
from stackctl.local.container_body import ContainerPlan
from stackctl.local.container_files import archive_of
from stackctl.local.engine.client import Engine
from stackctl.local.exec_session import ExecOptions, run_quietly
from stackctl.local.failures import EngineRefusal, StepFailed
from stackctl.local.observing import last_lines
from stackctl.local.plan import (
    Await,
    CreateContainer,
    CreateNetwork,
    CreateVolume,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    RenameContainer,
    RunHook,
    StartContainer,
    Step,
    StopContainer,
)
from stackctl.local.refusal_hints import hint_for

_LINES_SHOWN = 10


class Skipped(Exception):
    """What could not be done, and need not be; `reason` is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Actions:
    """Does steps on one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._interrupted = threading.Event()

    def interrupt(self) -> None:
        """End what only waits."""
        self._interrupted.set()

    def do(self, step: Step) -> None:
        """Do one step. Raises StackctlError, Skipped."""
        self._do(step.action)

    @singledispatchmethod
    def _do(self, action: object) -> None:
        raise TypeError(f"no such action: {type(action).__name__}")

    @_do.register
    def _(self, action: CreateNetwork) -> None:
        name = action.body["Name"]
        self._said(lambda: self._engine.post("/networks/create", action.body), f"network {name}")

    @_do.register
    def _(self, action: RemoveNetwork) -> None:
        for container in action.disconnects:
            try:
                body = {"Container": container, "Force": True}
                self._engine.post(f"/networks/{action.name}/disconnect", body)
            except EngineRefusal as refusal:
                if not refusal.is_not_found and "is not connected" not in str(refusal):
                    raise
        self._removed(f"/networks/{action.name}", f"network {action.name}")

    @_do.register
    def _(self, action: CreateVolume) -> None:
        name = action.body["Name"]
        self._said(lambda: self._engine.post("/volumes/create", action.body), f"volume {name}")

    @_do.register
    def _(self, action: RemoveVolume) -> None:
        self._removed(f"/volumes/{action.name}", f"volume {action.name}")

    @_do.register
    def _(self, action: RemoveImage) -> None:
        self._removed(f"/images/{action.name}", f"image {action.name}")

    @_do.register
    def _(self, action: CreateContainer) -> None:
        self._create(action.container, action.temporary_name, action.platform)

    @_do.register
    def _(self, action: RenameContainer) -> None:
        self._engine.post(f"/containers/{action.name}/rename", query={"name": action.new_name})

    @_do.register
    def _(self, action: StartContainer) -> None:
        self._start(action.name, f"service {action.service}")
        for hook in action.hooks:
            self._hook(action.name, hook, "post_start")

    @_do.register
    def _(self, action: StopContainer) -> None:
        for hook in action.hooks:
            self._hook(action.name, hook, "pre_stop")
        query = {"t": action.timeout_seconds}
        try:
            self._engine.post(f"/containers/{action.name}/stop", query=query, timeout_seconds=None)
        except EngineRefusal as refusal:
            if not refusal.is_not_found:
                raise

    @_do.register
    def _(self, action: RemoveContainer) -> None:
        query = {"v": action.volumes, "force": action.forces}
        try:
            self._engine.delete(f"/containers/{action.name}", query)
        except EngineRefusal as refusal:
            if not refusal.is_not_found and "already in progress" not in str(refusal):
                raise

    @_do.register
    def _(self, action: Await) -> None:
        waiting.wait_for(self._engine, action, self._interrupted)

    @_do.register
    def _(self, action: RunHook) -> None:
        container = action.container
        query = {"v": True, "force": True}
        self._create(container, "", "")
        try:
            self._start(container.name, container.name)
            path = f"/containers/{container.name}/wait"
            code = self._engine.post(path, timeout_seconds=None)["StatusCode"]
            if code:
                raise StepFailed(
                    f"{container.name} ended with exit code {code}",
                    details=last_lines(self._engine, container.name),
                )
        finally:
            self._engine.delete(f"/containers/{container.name}", query)

    def _create(self, container: ContainerPlan, temporary_name: str, platform: str) -> None:
        name = temporary_name or container.name
        query = {"name": name, "platform": platform or None}
        what = f"container {container.name}"
        self._said(lambda: self._engine.post("/containers/create", container.body, query), what)
        try:
            for attachment in container.later_networks:
                body = {"Container": name, "EndpointConfig": attachment.body}
                path = f"/networks/{attachment.network}/connect"
                self._said(lambda path=path, body=body: self._engine.post(path, body), what)  # type: ignore[misc]  # the defaults bind the loop's values
            if container.files:
                archive = archive_of(container.files)
                self._said(lambda: self._engine.put_archive(name, "/", archive), what)
        except BaseException:
            # A container without its networks and files must not be started by the next `up`.
            self._engine.delete(f"/containers/{name}", {"force": True, "v": True})
            raise

    def _start(self, name: str, what: str) -> None:
        try:
            self._engine.post(f"/containers/{name}/start", timeout_seconds=None)
        except EngineRefusal as refusal:
            raise StepFailed(
                f"{what} does not start: {refusal.message}",
                hint=hint_for(str(refusal)),
                details=last_lines(self._engine, name),
            ) from refusal

    def _hook(self, name: str, hook: Hook, kind: str) -> None:
        options = ExecOptions(
            hook.command,
            environment=hook.environment,
            user=hook.user,
            working_directory=hook.working_dir,
            is_privileged=hook.privileged,
        )
        code, output = run_quietly(self._engine, name, options)
        if code:
            raise StepFailed(
                f"{kind} of {name} ended with exit code {code}: {' '.join(hook.command)}",
                details="\n".join(output.splitlines()[-_LINES_SHOWN:]),
            )

    def _removed(self, path: str, what: str) -> None:
        try:
            self._engine.delete(path)
        except EngineRefusal as refusal:
            if refusal.is_not_found:
                return
            if refusal.is_conflict or "has active endpoints" in str(refusal):
                raise Skipped(f"{what} is still in use, and stays") from refusal
            raise

    def _said(self, call: Callable[[], Any], what: str) -> None:
        """The call, with the name of the object in what the engine refuses."""
        try:
            call()
        except EngineRefusal as refusal:
            message = f"{what}: {refusal.message}"
            raise StepFailed(message, hint=hint_for(str(refusal))) from refusal
