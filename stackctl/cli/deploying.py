"""What `deploy` and `stack deploy` do: read the file, hand it over, follow it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from stackctl.cli.compose_options import FileOptions
from stackctl.cli.compose_reading import refusal, show_notes, show_problems
from stackctl.cli.render.changes import render_changes
from stackctl.cli.session import Session
from stackctl.cli.waiting import Change, WaitOptions, read_stack, wait_for_change
from stackctl.client.convergence import baseline_of

if TYPE_CHECKING:
    from stackctl.compose.request import LoadRequest
    from stackctl.model.specs import StackSpec


class DeployOptions(NamedTuple):
    """The flags of a deploy."""

    files: FileOptions
    is_lenient: bool = False
    is_detached: bool = False
    prunes: bool = False
    reruns: bool = False
    builds: bool = False
    wait: WaitOptions = WaitOptions()


def deploy(session: Session, stack_name: str, options: DeployOptions) -> int:
    """Deploy a stack from its Compose file. Raises InputError, NotConverged and what managers
    refuse.
    """
    # msgspec is needed here and by no other command.
    from stackctl.wire import codec

    spec = (built_stack if options.builds else read_stack_files)(session, stack_name, options)
    read = read_stack(stack_name)
    before = read(session.client)
    result = session.client.put_stack(
        stack_name, codec.to_json(spec), prune=options.prunes, rerun=options.reruns
    )
    if not options.wait.is_quiet:
        session.terminal.write(render_changes(result["changes"]))
    if options.is_detached:
        return 0
    change = Change(
        service_names=tuple(service.name for service in spec.services),
        read=read,
        baseline=baseline_of(before),
        show_command=f"stackctl stack ps {stack_name}",
        after_index=result["index"],
    )
    wait_for_change(session, change, options.wait)
    return 0


def read_stack_files(
    session: Session,
    stack_name: str,
    options: DeployOptions,
    *,
    images: Mapping[str, str] | None = None,
) -> "StackSpec":
    """The stack that the files describe, with its notes shown; `images` (by service) stand for
    those that are built. Raises InputError.
    """
    from stackctl.compose.load import load_request_stack

    request = _request(session, stack_name, options)._replace(images=images or {})
    with _problems_shown(session):
        loaded = load_request_stack(request)
    show_notes(session, loaded.notes)
    return loaded.spec


def built_stack(session: Session, stack_name: str, options: DeployOptions) -> "StackSpec":
    """As `read_stack_files`, with the images of services that have `build:` built and handed over.

    Raises what building and handing over do, too.
    """
    from stackctl.cli import cluster_builds
    from stackctl.compose.load import load_document

    with _problems_shown(session):
        document = load_document(_request(session, stack_name, options), None).document
        builds = cluster_builds.builds_of(document, stack_name)
        spec = read_stack_files(session, stack_name, options, images=builds.stand_ins)
        images = cluster_builds.build_and_hand_over(session, builds, is_quiet=options.wait.is_quiet)
    spec = cluster_builds.with_images(spec, images)
    if images:
        cluster_builds.bring_to_nodes(session, stack_name, spec, is_quiet=options.wait.is_quiet)
    return spec


def _request(session: Session, stack_name: str, options: DeployOptions) -> "LoadRequest":
    return options.files.request(session, stack_name)._replace(lenient=options.is_lenient)


@contextmanager
def _problems_shown(session: Session) -> Iterator[None]:
    from stackctl.compose.problems import ComposeProblems

    try:
        yield
    except ComposeProblems as error:
        show_problems(session, error.problems)
        raise refusal(len(error.problems), consequence="; nothing was changed") from error
