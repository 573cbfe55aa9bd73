"""The commands of scenario scripts, on a simulated cluster with fixed times.

nodes NAME…                     machines join; `NAME:manager`, `NAME:cpu=4` say what they are
deploy STACK [prune] [rerun]    with the stack below, in the words of `mini_spec`
scale SERVICE N                 rollback SERVICE      remove STACK      remove-service SERVICE
drain|pause|activate NODE       label NODE K=V        unlabel NODE K    remove-node NODE [force]
fail-node NODE                  loses power           cut-node NODE     loses its link
return-node NODE                restart-agent NODE    restart-engine NODE    change-leader
rejoin-node NODE                is set up anew and joins again              node-list
kill TASK exit=CODE             its container ends    image NODE NAME   the node has it now
    forget-image NODE NAME          the node has it no longer
advance 5s                      prints what happened meanwhile
ps [SERVICE|STACK]  services  containers  networks  configs  secrets  stacks  backends SERVICE
explain TASK                    rebalance [plan] [stateful]
"""

from collections.abc import Callable

from stackctl.core.assignments import assignment_for
from stackctl.core.scheduling import rebalance
from stackctl.core.scheduling.explain import explain
from stackctl.model.objects import Availability, NodeRole
from stackctl.state import commands, queries
from stackctl.state.results import Result
from stackctl.wire import api
from tests.scenarios import mini_spec
from tests.scenarios.trace import Trace
from tests.sim.node import SimulatedNode
from tests.sim.world import NANO, World
from tests.vaults import VAULT

IMAGES = ("app:1", "app:2", "app:3")


class Stage:
    """One scenario's cluster."""

    def __init__(self) -> None:
        self.trace = Trace()
        self.world = World(on_applied=self.trace.note)
        self.trace.clock = self.world.timeline
        self._commands: dict[str, Callable[[list[str]], list[str]]] = {
            "nodes": self._nodes,
            "scale": self._scale,
            "rollback": self._rollback,
            "remove": self._remove,
            "remove-service": self._remove_service,
            "drain": lambda words: self._set_availability(words[0], Availability.DRAIN),
            "pause": lambda words: self._set_availability(words[0], Availability.PAUSE),
            "activate": lambda words: self._set_availability(words[0], Availability.ACTIVE),
            "label": self._label,
            "unlabel": self._unlabel,
            "remove-node": self._remove_node,
            "fail-node": lambda words: self._fault(self.world.fail, words),
            "cut-node": lambda words: self._fault(self.world.cut, words),
            "rejoin-node": self._rejoin_node,
            "node-list": self._node_list,
            "return-node": lambda words: self._fault(self.world.restore, words),
            "stop-agent": lambda words: self._fault(self.world.stop_agent, words),
            "restart-agent": lambda words: self._fault(self.world.restart_agent, words),
            "restart-engine": lambda words: self._fault(SimulatedNode.restart_engine, words),
            "change-leader": self._change_leader,
            "kill": self._kill,
            "image": self._image,
            "forget-image": self._forget_image,
            "advance": self._advance,
            "ps": self._ps,
            "services": self._services,
            "containers": self._containers,
            "networks": self._networks,
            "configs": self._configs,
            "secrets": self._secrets,
            "stacks": self._stacks,
            "backends": self._backends,
            "explain": self._explain,
            "rebalance": self._rebalance,
        }

    def _now(self) -> float:
        return self.world.timeline.now

    def perform(self, command: str, lines: list[str]) -> list[str]:
        """Performs one command; returns what it prints."""
        verb, *words = command.split()
        if verb == "deploy":
            return self._deploy(words, lines)
        if verb not in self._commands:
            raise ValueError(f"no command {verb}")
        return self._commands[verb](words)

    # -- changes -----------------------------------------------------------------------------

    def _nodes(self, words: list[str]) -> list[str]:
        for word in words:
            hostname, *facts = word.split(":")
            cpus = [fact.removeprefix("cpu=") for fact in facts if fact.startswith("cpu=")]
            self.world.add_node(
                hostname,
                role=NodeRole.MANAGER if "manager" in facts else NodeRole.WORKER,
                nano_cpus=int(float(cpus[0]) * NANO) if cpus else 2 * NANO,
                images=IMAGES,
            )
        return []

    def _deploy(self, words: list[str], lines: list[str]) -> list[str]:
        spec = mini_spec.parse_stack(words[0], lines)
        result = self.world.put_stack(spec, prune="prune" in words, rerun="rerun" in words)
        refusal = _refusal(result)
        return refusal or [_change(change) for change in result.changes]

    def _scale(self, words: list[str]) -> list[str]:
        return self._submit(
            commands.ScaleService(
                service_id=self._service(words[0]), replicas=int(words[1]), now=self._now()
            )
        )

    def _rebalance(self, words: list[str]) -> list[str]:
        """`rebalance plan` shows the moves, `rebalance` or `rebalance stateful` begins them."""
        is_stateful = "stateful" in words
        if "plan" not in words:
            return self._submit(
                commands.Rebalance(moves_max=99, allows_stateful=is_stateful, now=self._now())
            )
        wish = rebalance.Wish(allows_stateful=is_stateful)
        plan = rebalance.plan_for(self.world.state, wish, now=self._now())
        moves = [
            " -> ".join(rebalance.describe(self.world.state, choice)) + f": {choice.reason}"
            for choice in plan.choices
        ]
        stays = [f"{name} stays: {why}" for name, why in sorted(plan.staying.items())]
        return [*moves, *stays] or ["nothing to move"]

    def _explain(self, words: list[str]) -> list[str]:
        task = queries.find_task(self.world.state, words[0])
        found = explain(self.world.state, task, now=self._now())
        rows = [[node.hostname, node.verdict, node.reason] for node in found.nodes]
        return [found.error, *_table(rows)] if found.error else _table(rows)

    def _rollback(self, words: list[str]) -> list[str]:
        return self._submit(
            commands.RollbackService(service_id=self._service(words[0]), now=self._now())
        )

    def _remove(self, words: list[str]) -> list[str]:
        return self._submit(commands.RemoveStack(name=words[0], now=self._now()))

    def _remove_service(self, words: list[str]) -> list[str]:
        return self._submit(
            commands.RemoveService(service_id=self._service(words[0]), now=self._now())
        )

    def _set_availability(self, hostname: str, availability: Availability) -> list[str]:
        node_id = self._node(hostname).id
        return self._submit(
            commands.ChangeNode(node_id=node_id, availability=availability, now=self._now())
        )

    def _label(self, words: list[str]) -> list[str]:
        key, _, value = words[1].partition("=")
        node_id = self._node(words[0]).id
        return self._submit(
            commands.ChangeNode(node_id=node_id, label_add={key: value}, now=self._now())
        )

    def _unlabel(self, words: list[str]) -> list[str]:
        node_id = self._node(words[0]).id
        return self._submit(
            commands.ChangeNode(node_id=node_id, label_remove=(words[1],), now=self._now())
        )

    def _remove_node(self, words: list[str]) -> list[str]:
        node_id = self._node(words[0]).id
        return self._submit(
            commands.RemoveNode(node_id=node_id, force="force" in words, now=self._now())
        )

    def _fault(self, fault: Callable[[SimulatedNode], None], words: list[str]) -> list[str]:
        fault(self._node(words[0]))
        return []

    def _rejoin_node(self, words: list[str]) -> list[str]:
        self.world.rejoin(self._node(words[0]))
        return []

    def _change_leader(self, _words: list[str]) -> list[str]:
        self.world.managers.change_leader()
        return []

    def _kill(self, words: list[str]) -> list[str]:
        for node in self.world.nodes.values():
            for name in node.running():
                if name.rpartition(".")[0] == words[0]:
                    node.engine.end(name, int(words[1].removeprefix("exit=")))
                    node.look()
                    return []
        return [f"no container of {words[0]} runs"]

    def _image(self, words: list[str]) -> list[str]:
        self._node(words[0]).engine.images.add(words[1])
        return []

    def _forget_image(self, words: list[str]) -> list[str]:
        self._node(words[0]).engine.images.discard(words[1])
        return []

    def _advance(self, words: list[str]) -> list[str]:
        self.world.advance(float(words[0].removesuffix("s")))
        return self.trace.take()

    def _submit(self, command: commands.Command) -> list[str]:
        return _refusal(self.world.submit(command))

    # -- what is seen ------------------------------------------------------------------------

    def _ps(self, words: list[str]) -> list[str]:
        state = self.world.state
        name = words[0] if words else ""
        is_stack = name in state.stacks
        views = queries.list_tasks(
            state, stack=name if is_stack else "", service="" if is_stack else name
        )
        rows = []
        for number, view in enumerate(views):
            is_history = number and views[number - 1].name == view.name
            title = f"\\_ {view.name}" if is_history else view.name
            error = "" if view.error in view.end_cause else view.error
            words = [view.cause, f"ends: {view.end_cause}" if view.end_cause else "", error]
            node = view.node or "-"
            if view.node_state == "down":
                node += " (down)"
            rows.append(
                [
                    title,
                    view.id,
                    node,
                    view.desired_state,
                    view.state,
                    "; ".join(word for word in words if word),
                ]
            )
        return _table(rows)

    def _services(self, _words: list[str]) -> list[str]:
        rows = []
        for view in sorted(queries.list_services(self.world.state), key=lambda view: view.name):
            ports = " ".join(f"{port.published}->{port.target}" for port in view.ports)
            update = f"{view.update.state}: {view.update.message}" if view.update else ""
            removing = "removing" if view.removing else ""
            rows.append(
                [
                    view.name,
                    view.mode,
                    _replicas(view),
                    view.image,
                    " ".join(word for word in (ports, update, removing) if word),
                ]
            )
        return _table(rows)

    def _containers(self, _words: list[str]) -> list[str]:
        return _table(
            [
                [node.hostname, " ".join(name for name in node.running()) or "-"]
                for node in self.world.nodes.values()
            ]
        )

    def _networks(self, _words: list[str]) -> list[str]:
        state = self.world.state
        return _table(
            [
                [
                    network.name,
                    network.subnet or "-",
                    str(network.vni),
                    " ".join(
                        f"{state.nodes[key].hostname}={address}"
                        for key, address in sorted(network.gateways.items())
                    ),
                ]
                for network in sorted(state.networks.values(), key=lambda item: item.name)
            ]
        )

    def _node_list(self, _words: list[str]) -> list[str]:
        nodes = self.world.state.nodes.values()
        return _table(
            [
                [
                    node.hostname,
                    node.state.value,
                    node.availability.value,
                    " ".join(f"{key}={value}" for key, value in sorted(node.labels.items())) or "-",
                    f"was {' '.join(node.former_ids)}" if node.former_ids else "",
                ]
                for node in sorted(nodes, key=lambda node: (node.hostname, node.created_at))
            ]
        )

    def _configs(self, _words: list[str]) -> list[str]:
        return sorted(
            f"{config.name}: {config.spec.content.decode()}"
            for config in self.world.state.configs.values()
        )

    def _secrets(self, _words: list[str]) -> list[str]:
        return sorted(
            f"{secret.name} {secret.number}: {VAULT.open(secret).decode()}"
            for secret in self.world.state.secrets.values()
        )

    def _stacks(self, _words: list[str]) -> list[str]:
        return [
            f"{view.name}: {view.services} services, revision {view.revision}"
            + (", removing" if view.removing else "")
            for view in queries.list_stacks(self.world.state)
        ]

    def _backends(self, words: list[str]) -> list[str]:
        """What a node balances to, for the service."""
        state = self.world.state
        for node in self.world.nodes.values():
            assignment = assignment_for(state, node.id, term=state.term)
            for endpoint in assignment.endpoints:
                if endpoint.service_name == words[0]:
                    names = [backend.task_name for backend in endpoint.backends]
                    return [f"{endpoint.vip or 'no vip'}: {' '.join(names) or 'refused'}"]
        return ["unknown to every node"]

    def _service(self, name: str) -> str:
        return queries.find_service(self.world.state, name).id

    def _node(self, hostname: str) -> SimulatedNode:
        named = [node for node in self.world.nodes.values() if node.hostname == hostname]
        return named[-1]


def _replicas(view: api.ServiceView) -> str:
    count = f"{view.running}/{view.desired}"
    is_job = view.mode.endswith("job")
    return f"{count} ({view.completed}/{view.completions} completed)" if is_job else count


def _refusal(result: Result) -> list[str]:
    if result.error is None:
        return []
    hint = f" ({result.error.hint})" if result.error.hint else ""
    return [f"refused: {result.error.message}{hint}"]


def _change(change: api.Change) -> str:
    cause = f": {change.cause}" if change.cause else ""
    return f"{change.action} {change.kind} {change.name}{cause}"


def _table(rows: list[list[str]]) -> list[str]:
    if not rows:
        return ["nothing"]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
