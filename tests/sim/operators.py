"""Random operators: commands that people might give, at random, to a cluster under test.

Names are few, so that stacks collide, services come and go, and updates meet updates.
"""

import random

from msgspec.structs import replace

from stackctl.model import specs
from stackctl.model.objects import Availability
from stackctl.state import commands
from tests.scenarios import mini_spec
from tests.sim.world import World

STACKS = ("blue", "green")
SERVICES = ("web", "db", "job", "agent", "load", "scan")
MODES = {"agent": "global", "load": "replicated-job", "scan": "global-job"}
# Who may wait for whom: only for those before it, so that nobody waits in a circle.
ORDER = ("db", "load", "scan", "job", "web", "agent")
IMAGES = ("app:1", "app:2", "app:3")
PROGRAMS = ("forever",) * 8 + ("exit:1", "exit:1:2", "exit:0:3")
JOB_PROGRAMS = ("exit:0:3", "exit:0:3", "exit:0", "exit:0:15", "exit:1:1", "forever")
CONSTRAINTS = (
    "node.labels.disk==ssd",
    "node.labels.disk!=ssd",
    "node.hostname!=n1",
    "node.role==worker",
    "node.labels.none==there",
)
LABELS = ("ssd", "hdd")


class Operators:
    """Everything that users may do, drawn from a seeded source."""

    def __init__(self, world: World, source: random.Random, *, services_share: float = 0.7) -> None:
        self._world = world
        self._source = source
        self._services_share = services_share

    def act(self) -> None:
        """One random command; it may be refused."""
        choices = (
            (self._deploy, 10),
            (self._scale, 4),
            (self._rollback, 3),
            (self._roll_back_stack, 2),
            (self._update_service, 4),
            (self._set_availability, 4),
            (self._label, 3),
            (self._remove_stack, 1),
            (self._remove_service, 1),
        )
        acts = [act for act, _ in choices]
        self._source.choices(acts, weights=[weight for _, weight in choices])[0]()

    def deploy_something(self) -> None:
        """Two deploys, so that there is something to disturb."""
        for _ in STACKS:
            self._deploy()

    def deploy_well(self) -> list[specs.StackSpec]:
        """Deploys both stacks with programs that work and can run; returns what was asked."""
        asked = []
        for name in STACKS:
            common = "update.monitor=1 update.parallelism=0"
            load = "concurrent=2 run=exit:0:2 after=db:healthy"
            order = "after=load:completed after=scan:completed after=db:started:restart"
            lines = [
                f"db image=app:1 {common}",
                f"load mode=replicated-job replicas={self._source.randint(1, 5)} {load}",
                "scan mode=global-job run=exit:0:1",
                f"web image=app:1 replicas={self._source.randint(1, 6)} {common} {order}",
                f"agent image=app:2 mode=global {common} after=web:healthy",
            ]
            spec = mini_spec.parse_stack(name, ["network front", "network back", *lines])
            result = self._world.put_stack(spec, prune=True)
            assert result.error is None, result.error
            asked.append(spec)
        return asked

    def _deploy(self) -> None:
        source = self._source
        name = source.choice(STACKS)
        lines = ["network front", "network back"]
        lines.append(f"config settings {source.choice(('red', 'yellow'))}")
        lines.append(f"secret password {source.choice(('open', 'sesame'))}")
        chosen = [service for service in SERVICES if source.random() < self._services_share]
        lines.extend(self._service_line(name, service, chosen) for service in chosen)
        spec = mini_spec.parse_stack(name, lines)
        if source.random() < 0.1 and spec.services:
            spec = replace(spec, networks=spec.networks[:1])
        self._world.put_stack(spec, prune=source.random() < 0.4, rerun=source.random() < 0.2)

    def _service_line(self, stack: str, service: str, chosen: list[str]) -> str:
        source = self._source
        # A generator of its own per choice of shape, so that some deploys repeat an earlier one.
        shape = random.Random(f"{stack} {service} {source.randint(0, 4)}")  # noqa: S311 - replays
        words = [
            service,
            f"image={shape.choice((*IMAGES, 'absent:1')) if shape.random() < 0.9 else 'absent:1'}",
        ]
        programs = JOB_PROGRAMS if "job" in MODES.get(service, "") else PROGRAMS
        words.append(f"run={shape.choice(programs)}")
        words.append(f"network={shape.choice(('front', 'back'))}")
        if service in MODES:
            words.append(f"mode={MODES[service]}")
        if service not in ("agent", "scan"):
            words.append(f"replicas={shape.randint(0, 5)}")
        if service == "load":
            words.append(f"concurrent={shape.randint(0, 2)}")
        words.extend(self._order_words(shape, service, chosen))
        if shape.random() < 0.3:
            words.append(f"constraint={shape.choice(CONSTRAINTS)}")
        if shape.random() < 0.3:
            words.append(f"cpu={shape.choice((0.3, 0.5, 1))}")
        if shape.random() < 0.2:
            words.append(f"max-per-node={shape.randint(1, 2)}")
        if shape.random() < 0.3:
            words.append(f"config=settings{shape.choice(('', '!SIGHUP'))}")
        if shape.random() < 0.3:
            words.append(f"secret=password{shape.choice(('', '!SIGUSR1'))}")
        if shape.random() < 0.25:
            words.append(f"port={shape.choice((8080, 8081, 0))}:80{shape.choice(('', '@host'))}")
        if shape.random() < 0.3:
            words.append("spread=node.labels.disk")
        words.extend(self._restart_words(shape))
        for policy in ("update", "rollback"):
            words.extend(self._policy_words(shape, policy))
        return " ".join(words)

    def _order_words(self, shape: random.Random, service: str, chosen: list[str]) -> list[str]:
        words = []
        for other in ORDER[: ORDER.index(service)]:
            if shape.random() < 0.25:
                condition = shape.choice(("started", "healthy", "completed"))
                restart = shape.choice(("", "", ":restart"))
                optional = "" if other in chosen else ":optional"
                words.append(f"after={other}:{condition}{restart}{optional}")
        return words

    def _restart_words(self, shape: random.Random) -> list[str]:
        words = []
        if shape.random() < 0.4:
            words.append(f"restart={shape.choice(('any', 'on-failure', 'none'))}")
        if shape.random() < 0.3:
            words.append(f"restart.attempts={shape.randint(1, 3)}")
        if shape.random() < 0.3:
            words.append(f"restart.delay={shape.choice((0.5, 1, 6))}")
        if shape.random() < 0.2:
            words.append(f"restart.window={shape.choice((1, 10))}")
        if shape.random() < 0.1:
            words.append("restart.lost=wait")
        if shape.random() < 0.2:
            words.append(f"grace={shape.choice((0, 1, 20))}")
        return words

    def _policy_words(self, shape: random.Random, policy: str) -> list[str]:
        words = [
            f"{policy}.parallelism={shape.choice((0, 1, 1, 2))}",
            f"{policy}.monitor={shape.choice((0, 0.5, 3))}",
            f"{policy}.delay={shape.choice((0, 0, 1))}",
            f"{policy}.action={shape.choice(('pause', 'continue', 'rollback'))}",
            f"{policy}.order={shape.choice(('stop-first', 'start-first'))}",
        ]
        if shape.random() < 0.3:
            words.append(f"{policy}.ratio={shape.choice((0.3, 0.6, 1))}")
        return words

    def _any_service(self) -> str:
        known = sorted(self._world.state.services)
        return self._source.choice(known) if known else "none"

    def _scale(self) -> None:
        self._world.submit(
            commands.ScaleService(
                service_id=self._any_service(),
                replicas=self._source.randint(0, 6),
                now=self._world.managers.now(),
            )
        )

    def _rollback(self) -> None:
        self._world.submit(
            commands.RollbackService(service_id=self._any_service(), now=self._world.managers.now())
        )

    def _roll_back_stack(self) -> None:
        self._world.submit(
            commands.RollBackStack(
                name=self._source.choice(STACKS),
                seed=f"rollback {self._source.random()}".encode(),
                revision=self._source.choice((0, 0, 1, 2, 3)),
                now=self._world.managers.now(),
            )
        )

    def _update_service(self) -> None:
        """As somebody does who looked at the service a moment ago, or before the last change."""
        service = self._world.state.services.get(self._any_service())
        if service is None:
            return
        held, task = service.spec, service.spec.task
        changed = self._source.choice(
            (
                replace(held, task=replace(task, force_update=task.force_update + 1)),
                replace(
                    held,
                    task=replace(
                        task,
                        container=replace(task.container, image=self._source.choice(IMAGES)),
                    ),
                ),
                replace(held, update=replace(held.update, parallelism=self._source.randint(0, 3))),
                replace(held, replicas=1 if held.mode.is_global else self._source.randint(0, 5)),
                replace(
                    held,
                    task=replace(
                        task, placement=replace(task.placement, constraints=CONSTRAINTS[:1])
                    ),
                ),
            )
        )
        is_late = self._source.random() < 0.1 and service.previous_spec is not None
        self._world.submit(
            commands.UpdateService(
                service_id=service.id,
                spec=changed,
                previous=service.previous_spec if is_late and service.previous_spec else held,
                now=self._world.managers.now(),
            )
        )

    def _remove_service(self) -> None:
        self._world.submit(
            commands.RemoveService(service_id=self._any_service(), now=self._world.managers.now())
        )

    def _remove_stack(self) -> None:
        self._world.submit(
            commands.RemoveStack(name=self._source.choice(STACKS), now=self._world.managers.now())
        )

    def _set_availability(self) -> None:
        self._world.submit(
            commands.ChangeNode(
                node_id=self._source.choice(sorted(self._world.nodes)),
                availability=self._source.choices(
                    (Availability.ACTIVE, Availability.PAUSE, Availability.DRAIN),
                    weights=(5, 2, 2),
                )[0],
                now=self._world.managers.now(),
            )
        )

    def _label(self) -> None:
        self._world.submit(
            commands.ChangeNode(
                node_id=self._source.choice(sorted(self._world.nodes)),
                label_add={"disk": self._source.choice(LABELS)},
                now=self._world.managers.now(),
            )
        )
