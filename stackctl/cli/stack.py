"""`stackctl stack`: deploy, list and remove stacks."""

from typing import Annotated

import typer

from stackctl.cli import changing, config, deploy, options, removing
from stackctl.cli.listings import content_lists, service_lists, stack_lists, task_lists
from stackctl.cli.waiting import WaitOptions

app = typer.Typer(
    name="stack",
    help="Stacks: what was deployed from one Compose file.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

StackName = Annotated[str, typer.Argument(metavar="STACK", help="Name of the stack.")]

app.command(name="deploy", epilog=deploy.EPILOG)(deploy.deploy)
app.command(name="up", epilog=deploy.EPILOG, hidden=True)(deploy.deploy)
app.command(name="config", epilog=config.EPILOG)(config.config)


@app.command(
    name="ls",
    epilog="\b\nExamples:\n  stackctl stack ls\n  stackctl stack ls --format '{{.Name}}'",
)
@app.command(name="list", hidden=True)
def list_stacks(
    context: typer.Context, quiet: options.Quiet = False, layout: options.Layout = ""
) -> int:
    """List stacks."""
    chosen = options.list_options(layout=layout, is_quiet=quiet)
    return stack_lists.list_stacks(options.session_of(context), (), chosen)


@app.command(
    name="ps",
    epilog="\b\nExamples:\n  stackctl stack ps shop\n  stackctl stack ps --filter node=n2 shop",
)
def list_tasks(
    context: typer.Context,
    *,
    stack: StackName,
    filters: options.Filters = None,
    layout: options.Layout = "",
    quiet: options.Quiet = False,
    no_trunc: options.NoTrunc = False,
    no_resolve: options.NoResolve = False,
    why: options.Why = False,
) -> int:
    """List the tasks of a stack, with their history."""
    chosen = options.list_options(
        filters=filters,
        layout=layout,
        is_quiet=quiet,
        no_trunc=no_trunc,
        no_resolve=no_resolve,
        why=why,
    )
    return task_lists.list_tasks_of_stack(options.session_of(context), (stack,), chosen)


@app.command(
    name="services",
    epilog="\b\nExamples:\n  stackctl stack services shop\n"
    "  stackctl stack services --format json shop",
)
def list_services(
    context: typer.Context,
    *,
    stack: StackName,
    filters: options.Filters = None,
    layout: options.Layout = "",
    quiet: options.Quiet = False,
) -> int:
    """List the services of a stack."""
    chosen = options.list_options(filters=filters, layout=layout, is_quiet=quiet)
    return service_lists.list_services_of_stack(options.session_of(context), (stack,), chosen)


@app.command(
    name="configs",
    epilog="\b\nExamples:\n  stackctl stack configs shop\n"
    "  stackctl stack configs --filter service=shop_web shop",
)
def list_configs(
    context: typer.Context,
    *,
    stack: StackName,
    filters: options.Filters = None,
    layout: options.Layout = "",
    quiet: options.Quiet = False,
) -> int:
    """List the configs of a stack, a line for each content that a service has or may return to."""
    chosen = options.list_options(filters=filters, layout=layout, is_quiet=quiet)
    return content_lists.list_configs_of_stack(options.session_of(context), (stack,), chosen)


@app.command(
    name="secrets",
    epilog="\b\nExamples:\n  stackctl stack secrets shop\n"
    "  stackctl stack secrets --format json shop",
)
def list_secrets(
    context: typer.Context,
    *,
    stack: StackName,
    filters: options.Filters = None,
    layout: options.Layout = "",
    quiet: options.Quiet = False,
) -> int:
    """List the secrets of a stack, a line for each content that a service has or may return to."""
    chosen = options.list_options(filters=filters, layout=layout, is_quiet=quiet)
    return content_lists.list_secrets_of_stack(options.session_of(context), (stack,), chosen)


@app.command(
    name="revisions",
    epilog="\b\nExamples:\n  stackctl stack revisions shop\n"
    "  stackctl stack revisions --format json shop",
)
def list_revisions(
    context: typer.Context,
    *,
    stack: StackName,
    layout: options.Layout = "",
    quiet: options.Quiet = False,
) -> int:
    """List what a stack was after its last deploys, and can be again."""
    chosen = options.list_options(layout=layout, is_quiet=quiet)
    return stack_lists.list_revisions(options.session_of(context), (stack,), chosen)


@app.command(
    name="rollback",
    epilog="\b\nExamples:\n  stackctl stack rollback shop\n  stackctl stack rollback shop 4",
)
def rollback(
    context: typer.Context,
    *,
    stack: StackName,
    revision: Annotated[
        int,
        typer.Argument(
            metavar="[REVISION]",
            min=0,
            help="Number of the revision.  [default: the one before the present one]",
            show_default=False,
        ),
    ] = 0,
    detach: options.Detach = False,
    quiet: options.WaitQuietly = False,
    timeout: options.Timeout = None,
) -> int:
    """Make a stack what it was at a revision, configs and secrets too, and wait until it runs."""
    return changing.roll_back_stack(
        options.session_of(context),
        stack,
        revision,
        is_detached=detach,
        wait=WaitOptions(is_quiet=quiet, timeout_seconds=timeout),
    )


@app.command(
    name="rm", epilog="\b\nExamples:\n  stackctl stack rm shop\n  stackctl stack rm -d shop blog"
)
@app.command(name="remove", hidden=True)
@app.command(name="down", hidden=True)
def remove(
    context: typer.Context,
    *,
    stacks: Annotated[list[str], typer.Argument(metavar="STACK...", help="Names of stacks.")],
    detach: options.Detach = False,
) -> int:
    """Remove stacks, and wait until their last task has ended."""
    return removing.remove_stacks(options.session_of(context), stacks, is_detached=detach)
