"""The cluster state: one immutable value, and the draft in which the next one is made.

Readers hold a `ClusterState` without locks; a change is a new state that shares everything
unchanged (persistent maps: copying 100,000 tasks for each status report is what a plain dict would
cost). A `Draft` is a state being changed: `put_…` and `drop_…` keep the indexes and collect events;
it is thrown away when a command is rejected.

Indexes: tasks by service, tasks by node, tasks without a node, and ids by name.
"""

from collections.abc import Iterator
from typing import TypeVar

import msgspec
from immutables import Map, MapMutation

from stackctl.model import objects
from stackctl.model.structs import Model
from stackctl.model.task_state import TaskState
from stackctl.state.events import Event, Kind

T = TypeVar("T", bound=Model)

NO_TASKS: Map[str, objects.Task] = Map()


class ClusterState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the managers agree on, after the entry at `index`."""

    index: int = 0
    term: int = 0
    cluster: objects.Cluster | None = None
    nodes: Map[str, objects.Node] = Map()
    stacks: Map[str, objects.Stack] = Map()  # by name
    services: Map[str, objects.Service] = Map()
    networks: Map[str, objects.Network] = Map()
    configs: Map[str, objects.Config] = Map()
    secrets: Map[str, objects.Secret] = Map()
    tasks: Map[str, objects.Task] = Map()
    service_ids: Map[str, str] = Map()  # full name -> id
    network_ids: Map[str, str] = Map()
    config_ids: Map[str, str] = Map()  # full name -> id of its current content
    secret_ids: Map[str, str] = Map()  # full name -> id of its current content
    tasks_by_service: Map[str, Map[str, objects.Task]] = Map()
    tasks_by_node: Map[str, Map[str, objects.Task]] = Map()
    unplaced: Map[str, None] = Map()  # ids of wanted tasks that no node was chosen for

    def tasks_of(self, service_id: str) -> Map[str, objects.Task]:
        """The tasks of a service, history included."""
        return self.tasks_by_service.get(service_id, NO_TASKS)

    def tasks_on(self, node_id: str) -> Map[str, objects.Task]:
        """The tasks of a node, history included."""
        return self.tasks_by_node.get(node_id, NO_TASKS)


class _Index:
    """Tasks by service or by node, being changed.

    A part that is written is open until somebody reads it: while nobody does, thousands of tasks
    change in it without a new map for each.
    """

    def __init__(self, parts: Map[str, Map[str, objects.Task]]) -> None:
        self._parts = parts.mutate()
        self._single: dict[str, objects.Task] = {}  # parts in which one task has changed so far
        self._open: dict[str, MapMutation[str, objects.Task]] = {}

    def read(self, key: str) -> Map[str, objects.Task]:
        """The tasks under a key; the same value until they change."""
        if key in self._single or key in self._open:
            self._close(key)
        return self._parts.get(key, NO_TASKS)

    def put(self, key: str, task: objects.Task) -> None:
        """Adds a task or replaces it."""
        part = self._open.get(key)
        if part is None:
            if key not in self._single:  # most nodes get one task in an entry of a large round
                self._single[key] = task
                return
            part = self._opened(key)
        part[task.id] = task

    def drop(self, key: str, task_id: str) -> None:
        """Takes a task out."""
        del self._opened(key)[task_id]

    def finish(self) -> Map[str, Map[str, objects.Task]]:
        """All parts; the index must not be used afterwards."""
        for key in (*self._single, *self._open):
            self._close(key)
        return self._parts.finish()

    def _opened(self, key: str) -> "MapMutation[str, objects.Task]":
        part = self._open.get(key)
        if part is None:
            part = self._open[key] = self._parts.get(key, NO_TASKS).mutate()
            single = self._single.pop(key, None)
            if single is not None:
                part[single.id] = single
        return part

    def _close(self, key: str) -> None:
        single = self._single.pop(key, None)
        if single is not None:
            self._parts[key] = self._parts.get(key, NO_TASKS).set(single.id, single)
            return
        part = self._open.pop(key).finish()
        if part:
            self._parts[key] = part
        else:
            self._parts.pop(key, None)


class Draft:
    """A cluster state being changed. `index` is the version that changed objects get."""

    def __init__(self, state: ClusterState, *, index: int, term: int) -> None:
        self.index = index
        self.term = term
        self.cluster = state.cluster
        self.events: list[Event] = []
        self._base = state
        self._nodes = state.nodes
        self._stacks = state.stacks
        self._services = state.services
        self._networks = state.networks
        self._configs = state.configs
        self._secrets = state.secrets
        self._service_ids = state.service_ids
        self._network_ids = state.network_ids
        self._config_ids = state.config_ids
        self._secret_ids = state.secret_ids
        self._tasks = state.tasks.mutate()
        self._by_service = _Index(state.tasks_by_service)
        self._by_node = _Index(state.tasks_by_node)
        self._unplaced: dict[str, bool] = {}  # what changed of the base's: task id -> is one now

    @property
    def nodes(self) -> Map[str, objects.Node]:
        """Nodes by id."""
        return self._nodes

    @property
    def stacks(self) -> Map[str, objects.Stack]:
        """Stacks by name."""
        return self._stacks

    @property
    def services(self) -> Map[str, objects.Service]:
        """Services by id."""
        return self._services

    @property
    def networks(self) -> Map[str, objects.Network]:
        """Networks by id."""
        return self._networks

    @property
    def configs(self) -> Map[str, objects.Config]:
        """Configs by id."""
        return self._configs

    @property
    def secrets(self) -> Map[str, objects.Secret]:
        """Secrets by id."""
        return self._secrets

    @property
    def service_ids(self) -> Map[str, str]:
        """Service ids by full name."""
        return self._service_ids

    @property
    def network_ids(self) -> Map[str, str]:
        """Network ids by full name."""
        return self._network_ids

    @property
    def config_ids(self) -> Map[str, str]:
        """Ids of the current contents of configs, by full name."""
        return self._config_ids

    @property
    def secret_ids(self) -> Map[str, str]:
        """Ids of the current contents of secrets, by full name."""
        return self._secret_ids

    def unplaced(self) -> list[str]:
        """Ids of wanted tasks without a node."""
        known = [key for key in self._base.unplaced if self._unplaced.get(key, True)]
        return known + [key for key, is_new in self._unplaced.items() if is_new]

    def task(self, task_id: str) -> objects.Task | None:
        """The task, or None."""
        return self._tasks.get(task_id)

    def tasks_of(self, service_id: str) -> Map[str, objects.Task]:
        """The tasks of a service, history included."""
        return self._by_service.read(service_id)

    def tasks_on(self, node_id: str) -> Map[str, objects.Task]:
        """The tasks of a node, history included."""
        return self._by_node.read(node_id)

    def every_task(self) -> Iterator[objects.Task]:
        """All tasks, in no particular order."""
        for service_id in self._services:
            yield from self.tasks_of(service_id).values()

    def put_cluster(self, cluster: objects.Cluster) -> None:
        """Stores the cluster object."""
        self.cluster = self._versioned(cluster)
        self.events.append(Event(Kind.CLUSTER, cluster.id))

    def put_node(self, node: objects.Node) -> None:
        """Stores a node."""
        self._nodes = self._nodes.set(node.id, self._versioned(node))
        self.events.append(Event(Kind.NODE, node.id, node_id=node.id))

    def drop_node(self, node_id: str) -> None:
        """Forgets a node."""
        self._nodes = self._nodes.delete(node_id)
        self.events.append(Event(Kind.NODE, node_id, node_id=node_id))

    def put_stack(self, stack: objects.Stack) -> None:
        """Stores a stack."""
        self._stacks = self._stacks.set(stack.name, self._versioned(stack))
        self.events.append(Event(Kind.STACK, stack.name))

    def drop_stack(self, name: str) -> None:
        """Forgets a stack."""
        self._stacks = self._stacks.delete(name)
        self.events.append(Event(Kind.STACK, name))

    def put_service(self, service: objects.Service) -> None:
        """Stores a service under its id and name."""
        self._services = self._services.set(service.id, self._versioned(service))
        self._service_ids = self._service_ids.set(service.name, service.id)
        self.events.append(Event(Kind.SERVICE, service.id, service_id=service.id))

    def drop_service(self, service_id: str) -> None:
        """Forgets a service and whatever tasks it has left."""
        for task_id in list(self.tasks_of(service_id)):
            self.drop_task(task_id)
        service = self._services[service_id]
        self._services = self._services.delete(service_id)
        self._service_ids = self._service_ids.delete(service.name)
        self.events.append(Event(Kind.SERVICE, service_id, service_id=service_id))

    def put_network(self, network: objects.Network, *, is_quiet: bool = False) -> None:
        """Stores a network under its id and name; quietly when nobody needs to look again."""
        self._networks = self._networks.set(network.id, self._versioned(network))
        self._network_ids = self._network_ids.set(network.name, network.id)
        if not is_quiet:
            self.events.append(Event(Kind.NETWORK, network.id))

    def drop_network(self, network_id: str) -> None:
        """Forgets a network."""
        network = self._networks[network_id]
        self._networks = self._networks.delete(network_id)
        self._network_ids = self._network_ids.delete(network.name)
        self.events.append(Event(Kind.NETWORK, network_id))

    def put_config(self, config: objects.Config, *, is_current: bool) -> None:
        """Stores one content of a config; the current one is what its name means from now on."""
        self._configs = self._configs.set(config.id, self._versioned(config))
        if is_current:
            self._config_ids = self._config_ids.set(config.name, config.id)
        self.events.append(Event(Kind.CONFIG, config.id))

    def drop_config(self, config_id: str) -> None:
        """Forgets one content of a config, and its name when that was the current one."""
        config = self._configs[config_id]
        self._configs = self._configs.delete(config_id)
        if self._config_ids.get(config.name) == config_id:
            self._config_ids = self._config_ids.delete(config.name)
        self.events.append(Event(Kind.CONFIG, config_id))

    def put_secret(self, secret: objects.Secret, *, is_current: bool) -> None:
        """Stores one content of a secret, as `put_config` does."""
        self._secrets = self._secrets.set(secret.id, self._versioned(secret))
        if is_current:
            self._secret_ids = self._secret_ids.set(secret.name, secret.id)
        self.events.append(Event(Kind.SECRET, secret.id))

    def drop_secret(self, secret_id: str) -> None:
        """Forgets one content of a secret, as `drop_config` does."""
        secret = self._secrets[secret_id]
        self._secrets = self._secrets.delete(secret_id)
        if self._secret_ids.get(secret.name) == secret_id:
            self._secret_ids = self._secret_ids.delete(secret.name)
        self.events.append(Event(Kind.SECRET, secret_id))

    def put_task(self, task: objects.Task) -> None:
        """Stores a task and keeps the indexes. Rounds are made of this: 100,000 calls in one."""
        if task.version != self.index:
            task = msgspec.structs.replace(task, version=self.index)
        task_id = task.id
        self._tasks[task_id] = task
        self._by_service.put(task.service_id, task)
        if task.node_id:
            self._by_node.put(task.node_id, task)
        self._note_unplaced(task_id, is_now=_is_unplaced(task))
        self.events.append(Event(Kind.TASK, task_id, task.service_id, task.node_id))

    def drop_task(self, task_id: str) -> None:
        """Forgets a task."""
        task = self._tasks[task_id]
        del self._tasks[task_id]
        self._by_service.drop(task.service_id, task_id)
        if task.node_id:
            self._by_node.drop(task.node_id, task_id)
        self._note_unplaced(task_id, is_now=False)
        self._task_event(task)

    def finish(self) -> ClusterState:
        """The new state; the draft must not be used afterwards."""
        return ClusterState(
            index=self.index,
            term=max(self.term, self._base.term),
            cluster=self.cluster,
            nodes=self._nodes,
            stacks=self._stacks,
            services=self._services,
            networks=self._networks,
            configs=self._configs,
            secrets=self._secrets,
            tasks=self._tasks.finish(),
            service_ids=self._service_ids,
            network_ids=self._network_ids,
            config_ids=self._config_ids,
            secret_ids=self._secret_ids,
            tasks_by_service=self._by_service.finish(),
            tasks_by_node=self._by_node.finish(),
            unplaced=self._finish_unplaced(),
        )

    def _note_unplaced(self, task_id: str, *, is_now: bool) -> None:
        if is_now != (task_id in self._base.unplaced):
            self._unplaced[task_id] = is_now
        else:
            self._unplaced.pop(task_id, None)

    def _finish_unplaced(self) -> Map[str, None]:
        if not self._unplaced:
            return self._base.unplaced
        changed = self._base.unplaced.mutate()
        for task_id, is_now in self._unplaced.items():
            if is_now:
                changed[task_id] = None
            else:
                del changed[task_id]
        return changed.finish()

    def _versioned(self, value: T) -> T:
        return msgspec.structs.replace(value, version=self.index)

    def _task_event(self, task: objects.Task) -> None:
        self.events.append(
            Event(Kind.TASK, task.id, service_id=task.service_id, node_id=task.node_id)
        )


def _is_unplaced(task: objects.Task) -> bool:
    return task.status.state < TaskState.ASSIGNED and task.is_wanted
