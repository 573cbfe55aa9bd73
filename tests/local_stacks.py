"""What tests of stacks on one engine share: documents, what is there, and the command line."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from stackctl.compose.document import Document
from stackctl.compose.load import LoadRequest, load_document
from stackctl.compose.printing.hashing import service_hash
from stackctl.compose.verdicts.rules import Target
from stackctl.local import labels, names
from stackctl.local.labels import Origin
from stackctl.local.observed import (
    Container,
    Observed,
    ObservedImage,
    ObservedNetwork,
    ObservedVolume,
)
from stackctl.local.plan import Plan
from stackctl.local.reconcile import PlanOptions, Situation, plan_up
from stackctl.local.resources import networks_of, volumes_of

STACK = "shop"
ORIGIN = Origin(STACK, "/src/shop", ("/src/shop/compose.yaml",))
IMAGE_ID = "sha256:1"
API = (1, 41)


def document(folder: Path, text: str) -> Document:
    """What a file says, for one engine."""
    file = folder / "compose.yaml"
    file.write_text(text)
    request = LoadRequest(environment={}, paths=(str(file),), stack_name=STACK)
    return load_document(request, Target.LOCAL).document


def up_and_running(
    found: Document,
    *,
    states: Mapping[str, str] | None = None,
    counts: Mapping[str, int] | None = None,
    left_out: Iterable[str] = (),
) -> Observed:
    """A stack as it is after `up`; `states` are statuses by container name."""
    containers = []
    for service in found.services:
        if service.key in left_out:
            continue
        for number in range(1, (counts or {}).get(service.key, service.deploy.replicas) + 1):
            name = names.container_name(STACK, service, number)
            status = (states or {}).get(name, "Up 5 minutes")
            containers.append(
                container(
                    service.key,
                    number,
                    name=name,
                    status=status,
                    config_hash=service_hash(service),
                    networks=tuple(f"{STACK}_{use.key}" for use in service.networks),
                )
            )
    return Observed(
        tuple(containers),
        {
            it.name: ObservedNetwork("n1", it.name, it.driver, it.key, STACK, it.digest)
            for it in networks_of(found, STACK)
        },
        {
            it.name: ObservedVolume(it.name, it.driver, it.key, STACK, it.digest)
            for it in volumes_of(found, STACK)
        },
        {names.image_of(STACK, it): ObservedImage(IMAGE_ID) for it in found.services},
    )


def container(
    service: str,
    number: int = 1,
    *,
    name: str = "",
    status: str = "Up 5 minutes",
    config_hash: str = "",
    networks: tuple[str, ...] = (f"{STACK}_default",),
    depends_on: str = "",
) -> Container:
    """A container of the stack, as the engine lists it."""
    health = ""
    if "healthy" in status:
        health = "unhealthy" if "unhealthy" in status else "healthy"
    name = name or f"{STACK}-{service}-{number}"
    return Container(
        id=f"{abs(hash(name)):x}".ljust(64, "0")[:12].ljust(64, "0"),
        name=name,
        service=service,
        number=number,
        state="running" if status.startswith("Up") else "exited",
        status=status,
        image="busybox",
        image_id=IMAGE_ID,
        command="sleep",
        created=1_700_000_000,
        health=health,
        exit_code=int(status.partition("(")[2].partition(")")[0] or 0)
        if status.startswith("Exited")
        else 0,
        networks=tuple((it, "n1") for it in networks),
        labels={
            labels.STACK: STACK,
            labels.SERVICE: service,
            labels.CONFIG_HASH: config_hash,
            labels.IMAGE: IMAGE_ID,
            labels.DEPENDS_ON: depends_on,
        },
    )


def plan(found: Document, observed: Observed, options: PlanOptions | None = None) -> Plan:
    """The plan of `up`."""
    return plan_up(Situation(found, ORIGIN, observed, API), options or PlanOptions())


def plan_text(made: Plan) -> str:
    """Steps one a line, with what they wait for: `start shop-web-1 < create shop-web-1`."""
    lines = [
        f"{step.key} < {', '.join(sorted(step.needs))}" if step.needs else step.key
        for step in made.steps
    ]
    return "\n".join(lines)


def compare_with_golden(text: str, golden: Path) -> None:
    """STACKCTL_REWRITE=1 writes the file anew; review the difference."""
    if os.environ.get("STACKCTL_REWRITE"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()
