"""The flags of `service update`: one table, from which the command's signature is made.

A flag changes one field of the spec, or adds to a list in it or removes from it. The words are
Docker's; what each does to the spec is in `spec_edits`, under the same name.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple

import typer

ADD, REMOVE = "-add", "-rm"


class Flag(NamedTuple):
    """One flag; with `is_many` it may be given several times."""

    name: str  # without dashes in front
    metavar: str
    help: str
    is_many: bool = False

    @property
    def parameter(self) -> str:
        """Its name in Python."""
        return self.name.replace("-", "_")


def _pair(name: str, metavar: str, what: str, *, removed_by: str) -> tuple[Flag, Flag]:
    return (
        Flag(f"{name}{ADD}", metavar, f"Add or change {what}.", is_many=True),
        Flag(f"{name}{REMOVE}", removed_by, f"Remove {what}.", is_many=True),
    )


def _policy(word: str) -> Iterator[Flag]:
    yield Flag(f"{word}-parallelism", "N", f"Tasks in one step of {_of(word)}; 0 is all.")
    yield Flag(f"{word}-delay", "DURATION", f"Between steps of {_of(word)}.")
    yield Flag(f"{word}-monitor", "DURATION", f"How long a task must last in {_of(word)}.")
    actions = "pause|continue|rollback" if word == "update" else "pause|continue"
    yield Flag(f"{word}-failure-action", actions, f"When {_of(word)} fails.")
    yield Flag(f"{word}-max-failure-ratio", "RATIO", f"Failures that {_of(word)} bears, 0 to 1.")
    yield Flag(f"{word}-order", "stop-first|start-first", f"Order in {_of(word)}.")


def _of(word: str) -> str:
    return "an update" if word == "update" else "a rollback"


FLAGS: tuple[Flag, ...] = (
    Flag("image", "IMAGE", "Image of the tasks."),
    Flag("args", "COMMAND", "Command of the container, as one text."),
    Flag("entrypoint", "COMMAND", "Entrypoint of the container, as one text."),
    Flag("replicas", "N", "Number of tasks."),
    Flag("max-concurrent", "N", "Tasks of a job that run at a time."),
    *_pair("env", "KEY=VALUE", "an environment variable", removed_by="KEY"),
    *_pair("label", "KEY=VALUE", "a label of the service", removed_by="KEY"),
    *_pair("container-label", "KEY=VALUE", "a label of the containers", removed_by="KEY"),
    *_pair("constraint", "EXPRESSION", "a placement constraint", removed_by="EXPRESSION"),
    *_pair("placement-pref", "spread=KEY", "a spread preference", removed_by="spread=KEY"),
    Flag("replicas-max-per-node", "N", "Tasks on one node at most; 0 is no limit."),
    *_pair("publish", "[PUBLISHED:]TARGET[/PROTOCOL]", "a port", removed_by="TARGET[/PROTOCOL]"),
    *_pair("network", "NETWORK", "a network", removed_by="NETWORK"),
    *_pair("mount", "type=…,source=…,target=…", "a mount", removed_by="TARGET"),
    *_pair("config", "NAME[:TARGET]", "a config of the stack", removed_by="NAME"),
    *_pair("secret", "NAME[:TARGET]", "a secret of the stack", removed_by="NAME"),
    *_pair("host", "NAME:ADDRESS", "a line of /etc/hosts", removed_by="NAME:ADDRESS"),
    *_pair("dns", "ADDRESS", "a name server", removed_by="ADDRESS"),
    *_pair("dns-search", "DOMAIN", "a search domain", removed_by="DOMAIN"),
    *_pair("dns-option", "OPTION", "an option of the resolver", removed_by="OPTION"),
    *_pair("group", "GROUP", "a supplementary group", removed_by="GROUP"),
    *_pair("ulimit", "NAME=SOFT[:HARD]", "a ulimit", removed_by="NAME"),
    *_pair("sysctl", "KEY=VALUE", "a kernel parameter", removed_by="KEY"),
    *_pair("generic-resource", "KIND=N", "a reservation", removed_by="KIND"),
    Flag("cap-add", "CAPABILITY", "Give a capability.", is_many=True),
    Flag("cap-drop", "CAPABILITY", "Take a capability away.", is_many=True),
    Flag("limit-cpu", "CPUS", "CPUs that a task may use; 0 is no limit."),
    Flag("limit-memory", "BYTES", "Memory that a task may use; 0 is no limit."),
    Flag("limit-pids", "N", "Processes that a task may have; 0 is no limit."),
    Flag("reserve-cpu", "CPUS", "CPUs that must be free for a task."),
    Flag("reserve-memory", "BYTES", "Memory that must be free for a task."),
    Flag("restart-condition", "none|on-failure|any", "When ended tasks are restarted."),
    Flag("restart-delay", "DURATION", "Before a restart; `auto` backs off."),
    Flag("restart-max-attempts", "N", "Restarts at most; 0 is no limit."),
    Flag("restart-window", "DURATION", "The time in which attempts are counted."),
    *_policy("update"),
    *_policy("rollback"),
    Flag("health-cmd", "COMMAND", "Command that checks the container, run by a shell."),
    Flag("health-interval", "DURATION", "Between checks."),
    Flag("health-timeout", "DURATION", "That a check may take."),
    Flag("health-retries", "N", "Failures until a container is unhealthy."),
    Flag("health-start-period", "DURATION", "In which failures do not count."),
    Flag("user", "USER[:GROUP]", "User of the container's process."),
    Flag("workdir", "FOLDER", "Working folder of the container's process."),
    Flag("hostname", "NAME", "Host name of the containers."),
    Flag("stop-grace-period", "DURATION", "Between the stop signal and the kill."),
    Flag("stop-signal", "SIGNAL", "The signal that asks to stop."),
    Flag("log-driver", "DRIVER", "Log driver of the containers."),
    Flag("log-opt", "KEY=VALUE", "Options of the log driver, in place of those now.", is_many=True),
    Flag("endpoint-mode", "vip|dnsrr", "What the service's name resolves to."),
    Flag("init", "true|false", "An init process in the containers."),
    Flag("read-only", "true|false", "Containers with a read-only file system."),
    Flag("tty", "true|false", "A terminal for the container's process."),
    Flag("no-healthcheck", "true|false", "No check of the container's health at all."),
)


def with_flags(function: Callable[..., int]) -> Callable[..., int]:
    """The function with a keyword parameter for each flag, in place of its `**edits`."""
    signature = inspect.signature(function, eval_str=True)
    kept = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    added = [_parameter(flag) for flag in FLAGS]
    parameters = [*kept, *added]
    function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # where inspect looks first
    function.__annotations__ = {each.name: each.annotation for each in parameters}
    return function


def _parameter(flag: Flag) -> inspect.Parameter:
    kind: Any = list[str] | None if flag.is_many else str | None
    option = typer.Option(
        f"--{flag.name}", metavar=flag.metavar, help=flag.help, show_default=False
    )
    return inspect.Parameter(
        flag.parameter,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind, option],
    )
