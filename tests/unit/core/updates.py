"""What tests of updates share: a service under way from one revision to another."""

from stackctl.model import objects
from stackctl.model.specs import UpdatePolicy
from tests.unit.core.bench import Bench, service_spec

QUICK = UpdatePolicy(monitor_seconds=0)


def deployed(replicas: int, policy: UpdatePolicy) -> Bench:
    """A bench on which the service runs in its first revision."""
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=replicas, update=policy))
    bench.obey()
    return bench


def update(bench: Bench, policy: UpdatePolicy, *, image: str = "app:2") -> None:
    """Deploys another image."""
    replicas = bench.service().spec.replicas
    bench.deploy(service_spec(image=image, replicas=replicas, update=policy))


def update_status(bench: Bench) -> objects.UpdateStatus:
    """Where the update stands."""
    status = bench.service().update_status
    assert status is not None
    return status


def touched(bench: Bench) -> list[int]:
    """Slots that have a task of the current revision."""
    revision = bench.service().revision
    return sorted({task.slot for task in bench.tasks() if task.revision == revision})
