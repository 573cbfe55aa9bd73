"""What only makes sense across sections: names that must exist, ports and paths that clash."""

from stackctl.compose.checking.addresses import check_addresses
from stackctl.compose.checking.cluster import check_for_cluster
from stackctl.compose.checking.cycles import check_order
from stackctl.compose.checking.links import check_links
from stackctl.compose.checking.mounts import check_mounts
from stackctl.compose.checking.names import check_names, check_object_names
from stackctl.compose.checking.placing import check_placing
from stackctl.compose.checking.ports import check_ports
from stackctl.compose.checking.services import check_services
from stackctl.compose.checking.start_steps import check_start_steps
from stackctl.compose.document import Document
from stackctl.compose.problems import ProblemLog
from stackctl.compose.verdicts.rules import Target


def check_document(
    document: Document, log: ProblemLog, target: Target | None, *, stack_name: str
) -> None:
    """Report everything in the document that contradicts itself, or that `target` cannot do."""
    check_names(document, log)
    check_object_names(document, log)
    check_order(document, log)
    check_services(document, log)
    check_mounts(document, log, target)
    check_ports(document, log, target)
    check_addresses(document, log, target)
    if target is Target.CLUSTER:
        check_for_cluster(document, log, stack_name)
        check_links(document, log)
        check_placing(document, log)
        check_start_steps(document, log, stack_name)
