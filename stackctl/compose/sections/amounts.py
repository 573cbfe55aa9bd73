"""How much a service gets and how often it runs, wherever the file says so.

`deploy` and the service's own keys say the same things in two places: `cpus`, `mem_limit`,
`mem_reservation`, `pids_limit` and `scale`. Both may stand in one file when they agree.
"""

import msgspec

from stackctl.compose.document import Deploy
from stackctl.compose.sections.reading import Fields, Reader, Value
from stackctl.compose.sections.scalars import byte_size, integer, nano_cpus
from stackctl.model.specs import NANO, Resources

REPLICAS_MAX = 100_000
SWAP_UNLIMITED = -1

_CPUS_MINIMUM = NANO // 1000
_MEMORY_MINIMUM = 6 << 20  # the engine refuses a container with less
_PIDS_UNLIMITED = (-1, 0)


def read_cpus(value: Value) -> int:
    """Nano-CPUs; 0 is nothing stated."""
    cpus = nano_cpus(value)
    if 0 < cpus < _CPUS_MINIMUM:
        value.problem("must be at least 0.001")
    return cpus


def read_memory(value: Value) -> int:
    """Bytes of memory; 0 is nothing stated."""
    memory = byte_size(value)
    if 0 < memory < _MEMORY_MINIMUM:
        value.problem("must be at least 6M; a number without a unit counts bytes")
    return memory


def read_pids(value: Value) -> int:
    """A number of processes; 0 is without limit, in the file -1 too."""
    pids = integer(minimum=-1)(value)
    return 0 if pids in _PIDS_UNLIMITED else pids


def read_swap(value: Value) -> int:
    """Bytes of memory and swap together; -1 is without limit, 0 as if nothing were said."""
    if value.written in (SWAP_UNLIMITED, str(SWAP_UNLIMITED)):
        return SWAP_UNLIMITED
    return byte_size(value)


def check_reserved(value: Value, limits: Resources, reserved: Resources) -> None:
    """Report at `value` a reservation above its limit."""
    if 0 < limits.memory_bytes < reserved.memory_bytes:
        value.problem("more memory is reserved than the limit allows")
    if 0 < limits.nano_cpus < reserved.nano_cpus:
        value.problem("more cpus are reserved than the limit allows")


def with_own_amounts(fields: Fields, deploy: Deploy, section: Value | None) -> Deploy:
    """`deploy`, which `section` was read to, with what the service says in keys of its own."""
    resources = _inner(section, "resources")
    limit, reserve = _inner(resources, "limits"), _inner(resources, "reservations")
    limits = msgspec.structs.replace(
        deploy.limits,
        nano_cpus=_agreed(fields.get("cpus"), read_cpus, limit, "cpus", deploy.limits.nano_cpus),
        memory_bytes=_agreed(
            fields.get("mem_limit"), read_memory, limit, "memory", deploy.limits.memory_bytes
        ),
        pids=_agreed(fields.get("pids_limit"), read_pids, limit, "pids", deploy.limits.pids),
    )
    reservations = msgspec.structs.replace(
        deploy.reservations,
        memory_bytes=_agreed(
            fields.get("mem_reservation"),
            read_memory,
            reserve,
            "memory",
            deploy.reservations.memory_bytes,
        ),
    )
    own = [key for key in ("cpus", "mem_limit", "mem_reservation") if key in fields]
    if own:
        last = fields.get(own[-1])
        if last is not None:
            check_reserved(last, limits, reservations)
    return msgspec.structs.replace(
        deploy,
        limits=limits,
        reservations=reservations,
        replicas=_replicas(fields.get("scale"), section, deploy),
    )


def check_swap(fields: Fields, swap_bytes: int, limits: Resources) -> None:
    """Report a limit of memory and swap that the engine would refuse."""
    swap = fields.get("memswap_limit")
    if swap is None or not swap_bytes:
        return
    if not limits.memory_bytes:
        if swap_bytes != SWAP_UNLIMITED:
            swap.problem("has no effect without a limit of memory", "add mem_limit:")
    elif 0 < swap_bytes < limits.memory_bytes:
        swap.problem("counts memory and swap together, and is below the limit of memory")


def check_quota(fields: Fields, limits: Resources) -> None:
    """Report quotas beside `cpus`, which is a quota itself."""
    if not limits.nano_cpus:
        return
    for key in ("cpu_quota", "cpu_period"):
        value = fields.get(key)
        if value is not None:
            value.key_problem("excludes a limit of cpus", "remove one of the two")


def _replicas(scale: Value | None, section: Value | None, deploy: Deploy) -> int:
    if scale is None:
        return deploy.replicas
    if deploy.mode.is_global:
        scale.problem(f"a {deploy.mode.value} service has one task on each node", "remove scale:")
    replicas = integer(maximum=REPLICAS_MAX)(scale)
    if _inner(section, "replicas") is not None and replicas != deploy.replicas:
        scale.problem(f"contradicts deploy.replicas ({deploy.replicas})", "remove one of the two")
    return replicas


def _agreed(
    own: Value | None, reader: Reader[int], section: Value | None, key: str, deployed: int
) -> int:
    """What the service's own key says, which must not be another thing than `deploy` says."""
    if own is None:
        return deployed
    amount = reader(own)
    other = _inner(section, key)
    if other is not None and amount != deployed:
        path = ".".join(map(str, other.path[2:]))
        own.problem(f"contradicts {path}", "remove one of the two")
    return amount


def _inner(value: Value | None, key: str) -> Value | None:
    """The value under `key`, where there is one; what is no mapping has been reported."""
    if value is None or not value.is_mapping():
        return None
    return value.entries().get(key)
