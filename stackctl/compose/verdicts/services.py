"""Verdicts for what a service is besides its container: its place among others, and `deploy`."""

from stackctl.compose.verdicts.rules import (
    HONOURED,
    emulated,
    honoured,
    refused,
    rule,
    rules,
    text_when,
    true_when,
)

_SERVICE = "services.*"
_DEPLOY = "services.*.deploy"

_IN_A_CLUSTER = honoured("used in a cluster; one host has nothing to choose")
_OF_UPDATES = honoured("used in a cluster")
_TOLD_BY_SIGNAL = honoured(
    "our own: a signal that tells the process of a changed content, instead of a new task"
)
_OF_RESTARTS = emulated("the engine restarts by itself, and backs off in its own way")
_HOOK = "command user privileged working_dir environment"
_OWN_ADDRESS = refused(
    "the manager chooses the address of every task", "remove it, and use the service's name"
)

NETWORKS = (
    *rules(f"{_SERVICE}.networks.*", "aliases"),
    *rules(f"{_SERVICE}.networks.*", "ipv4_address ipv6_address", _OWN_ADDRESS, HONOURED),
    *rules(f"{_SERVICE}.networks.*", "link_local_ips mac_address", _OWN_ADDRESS, HONOURED),
    *rules(
        f"{_SERVICE}.networks.*",
        "driver_opts priority gw_priority interface_name",
        refused("the agent connects tasks to their networks in its own way", "remove it"),
        HONOURED,
    ),
)

OBJECTS = (
    rule(f"{_SERVICE}.configs[]", parts="source target uid gid mode"),
    rule(
        f"{_SERVICE}.secrets[]",
        honoured("a file in memory, which leaves the node with the task"),
        HONOURED,
        parts="source target uid gid mode",
    ),
    *rules(f"{_SERVICE}.configs[]", "x-on-change", _TOLD_BY_SIGNAL, _OF_UPDATES),
    *rules(f"{_SERVICE}.secrets[]", "x-on-change", _TOLD_BY_SIGNAL, _OF_UPDATES),
)

TOGETHER = (
    rule(
        f"{_SERVICE}.depends_on",
        honoured("also across nodes; the tasks of a later update wait, too"),
        HONOURED,
        parts="*.condition *.required *.restart",
    ),
    rule(
        f"{_SERVICE}.links",
        emulated("the alias is a name of the other service on every network that both are on"),
        honoured("the service is started after the other one"),
    ),
    rule(
        f"{_SERVICE}.external_links",
        refused(
            "a container outside of the stack is on one node only",
            "make it a service of a stack, and share a network that is external to one of them",
        ),
        HONOURED,
    ),
    rule(
        f"{_SERVICE}.extends",
        honoured("the keys of the other service are put in before anything else"),
        parts="service file",
    ),
    rule(
        f"{_SERVICE}.profiles",
        honoured("a service with profiles is left out unless one of them is chosen"),
    ),
    rule(
        f"{_SERVICE}.container_name",
        refused("a task is named STACK_SERVICE.SLOT", "remove it, and use the service's name"),
        HONOURED,
    ),
    rule(f"{_SERVICE}.attach", honoured("used by commands that show output; a deploy shows none")),
    rule(
        f"{_SERVICE}.develop",
        honoured("used by commands that watch files; has no part in a deploy"),
        parts=f"""watch watch[].path watch[].action watch[].target watch[].ignore watch[].include
        watch[].initial_sync watch[].exec {" ".join(f"watch[].exec.{key}" for key in _HOOK.split())}
        """,
    ),
    rule(f"{_SERVICE}.scale", honoured("the same as deploy.replicas")),
    rule(f"{_SERVICE}.restart"),
    rule(
        f"{_SERVICE}.pre_start[].per_replica",
        refused(
            "a step runs once for all tasks of a service, and on one node",
            "leave it out, or let the container's own command do the step",
        ),
        HONOURED,
        when=true_when(),
    ),
    rule(
        f"{_SERVICE}.pre_start",
        emulated(
            "each step is a job STACK_SERVICE-pre-start-N of the service's container with the "
            "image's own entrypoint; it runs before a deploy replaces tasks, on one node, and up "
            "to four times if it fails"
        ),
        HONOURED,
        parts=f"[].image [].per_replica {' '.join(f'[].{key}' for key in _HOOK.split())}",
    ),
    *(
        rule(
            f"{_SERVICE}.{key}",
            refused("a task runs the command of its container and no other", fix),
            HONOURED,
            parts=" ".join(f"[].{inner}" for inner in _HOOK.split()),
        )
        for key, fix in (
            ("post_start", "run it from the container's own command"),
            ("pre_stop", "let the program do it when it gets the stop signal"),
        )
    ),
    rule(
        f"{_SERVICE}.provider",
        refused(
            "the program that provides the service runs on one machine only",
            "give the service an image",
        ),
        parts="type options",
    ),
    rule(
        f"{_SERVICE}.models",
        refused(
            "models are run by Docker Desktop, beside one engine",
            "run the model as a service of its own",
        ),
        parts="*.endpoint_var *.model_var",
    ),
)

_JOB = text_when(
    "set to replicated-job or global-job", lambda text: text in ("replicated-job", "global-job")
)
_UPDATE = "parallelism delay failure_action monitor max_failure_ratio order"

DEPLOY = (
    rule(
        f"{_DEPLOY}.mode",
        honoured("a job runs once for each change of its tasks, and on `deploy --rerun`"),
        HONOURED,
        when=_JOB,
    ),
    rule(f"{_DEPLOY}.mode", local=emulated("global is one container: one host is all nodes")),
    rule(f"{_DEPLOY}.replicas"),
    rule(
        f"{_DEPLOY}.labels",
        honoured("labels of the service; labels: gives the containers'"),
        honoured("used in a cluster; one host has containers only, and labels: gives theirs"),
    ),
    rule(f"{_DEPLOY}.endpoint_mode", local=_IN_A_CLUSTER),
    *rules(f"{_DEPLOY}.resources.limits", "cpus memory pids"),
    rule(
        f"{_DEPLOY}.resources.reservations.cpus",
        HONOURED,
        honoured("used in a cluster; one engine does not keep cores free"),
    ),
    rule(
        f"{_DEPLOY}.resources.reservations.memory",
        honoured("counted where tasks are placed; the engine of a node is not told of it"),
        HONOURED,
    ),
    rule(
        f"{_DEPLOY}.resources.reservations.generic_resources",
        HONOURED,
        _IN_A_CLUSTER,
        parts="[].discrete_resource_spec [].discrete_resource_spec.kind "
        "[].discrete_resource_spec.value",
    ),
    rule(
        f"{_DEPLOY}.resources.reservations.devices",
        honoured("each node that runs a task must have it; a constraint can see to that"),
        HONOURED,
        parts="[].capabilities [].count [].device_ids [].driver [].options",
    ),
    rule(f"{_DEPLOY}.restart_policy.condition"),
    rule(
        f"{_DEPLOY}.restart_policy.max_attempts",
        HONOURED,
        honoured("counts with condition: on-failure only, as engines do"),
    ),
    rule(f"{_DEPLOY}.restart_policy.window", HONOURED, _OF_RESTARTS),
    rule(
        f"{_DEPLOY}.restart_policy.x-replace-lost",
        honoured("our own: false lets a task whose node is lost wait for it and never run twice"),
        _IN_A_CLUSTER,
    ),
    rule(
        f"{_DEPLOY}.restart_policy.delay",
        honoured("without it, restarts back off from nothing, where Swarm waits five seconds"),
        _OF_RESTARTS,
    ),
    *rules(f"{_DEPLOY}.placement", "constraints max_replicas_per_node", local=_IN_A_CLUSTER),
    rule(f"{_DEPLOY}.placement.preferences", local=_IN_A_CLUSTER, parts="[].spread"),
    rule(
        f"{_DEPLOY}.placement.x-prefer",
        honoured("our own: constraints that a node had better meet"),
        _IN_A_CLUSTER,
    ),
    rule(
        f"{_DEPLOY}.placement.x-anti-affinity",
        honoured(
            "our own: services whose tasks share no node with these, as a list, or as required and "
            "preferred"
        ),
        _IN_A_CLUSTER,
        parts="required preferred",
    ),
    rule(
        f"{_DEPLOY}.placement.x-rebalance",
        honoured("our own: whether tasks move by themselves, never or auto"),
        _IN_A_CLUSTER,
    ),
    rule(
        f"{_DEPLOY}.placement.x-stay-with-volumes",
        honoured(
            "our own: false lets a task whose volume is on one node be placed on another later"
        ),
        _IN_A_CLUSTER,
    ),
    *rules(f"{_DEPLOY}.update_config", _UPDATE, local=_OF_UPDATES),
    *rules(f"{_DEPLOY}.rollback_config", _UPDATE, local=_OF_UPDATES),
)
