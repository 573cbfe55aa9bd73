"""Steps of `pre_start`, which a cluster runs as services of their own: names and number."""

from stackctl.compose.document import Document, Service
from stackctl.compose.grammar.names import service_name_complaint
from stackctl.compose.problems import ProblemLog, shown
from stackctl.compose.start_steps import STEPS_MAX, step_key


def check_start_steps(document: Document, log: ProblemLog, stack_name: str) -> None:
    """Report steps whose jobs could not have their names."""
    keys = {service.key for service in document.services}
    for service in document.services:
        _check(service, keys, log, stack_name)


def _check(service: Service, keys: set[str], log: ProblemLog, stack_name: str) -> None:
    if len(service.pre_start) > STEPS_MAX:
        place = service.pre_start[STEPS_MAX].place
        log.add(place, f"a service has at most {STEPS_MAX} steps in a cluster")
        return
    for number, hook in enumerate(service.pre_start, start=1):
        key = step_key(service.key, number)
        if key in keys:
            log.add(
                hook.place,
                f"the job of this step is called {shown(key)}, as another service is",
                "give that service another name",
            )
        complaint = service_name_complaint(key, stack_name)
        if complaint:
            log.add(hook.place, f"its job has no name: {complaint}", "shorten the service's name")
            return
