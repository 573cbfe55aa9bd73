"""Leftovers: what nobody needs any longer and may be forgotten.

Asked when a round decides to forget something, and again when the decision is applied: a deploy in
between may have taken it up again.
"""

from stackctl.model import objects
from stackctl.model.task_state import TaskState
from stackctl.state import contents, history
from stackctl.state.cluster import Draft
from stackctl.state.contents import Content


def is_gone(draft: Draft, task: objects.Task) -> bool:
    """True when nothing of an unwanted task runs where it can be reached. On a node that is DOWN
    something may; its agent ends every container that nobody assigns to it when it returns.
    """
    if task.is_wanted:
        return False
    node = draft.nodes.get(task.node_id)
    is_reachable = node is not None and node.state != objects.NodeState.DOWN
    return task.has_ended or task.status.state < TaskState.ASSIGNED or not is_reachable


def is_network_used(draft: Draft, network: objects.Network) -> bool:
    """True while a service is attached to it in its spec, in the previous one, or in a revision of
    which it still has tasks.
    """
    return any(
        attachment.network == network.name
        for service in draft.services.values()
        for spec in service.task_specs.values()
        for attachment in spec.networks
    )


def is_content_unused(draft: Draft, content: Content) -> bool:
    """True for a content that is neither what its name means now nor in use by any revision."""
    if contents.is_current(draft, content) and not content.removing:
        return False
    return next(contents.users(draft, content), None) is None and not history.is_held(
        draft, content
    )


def is_stack_empty(draft: Draft, name: str) -> bool:
    """True when nothing belongs to the stack any longer. What one entry is to forget together may
    be taken up in part before it is applied: a node that returns keeps its tasks, and so the stack.
    """
    return not (
        any(service.stack_name == name for service in draft.services.values())
        or any(network.stack_name == name for network in draft.networks.values())
        or any(content.stack_name == name for content in contents.every_content(draft))
    )
