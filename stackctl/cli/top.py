"""`stackctl top`."""

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import options
from stackctl.cli.render.tables import render_grid

app = typer.Typer(name="top", rich_markup_mode=None, add_completion=False)


@app.command(name="top", epilog="\b\nExamples:\n  stackctl top\n  stackctl top web db")
def top(context: typer.Context, services: shared.Services = None) -> int:
    """Show the processes of each running container."""
    session = options.session_of(context)
    stack = shared.local_stack_of(context)
    running = [it for it in stack.containers_of(services or ()) if it.is_running]
    lines: list[list[str]] = []
    for container in running:
        found = stack.engine.get(f"/containers/{container.id}/top")
        titles = list(found["Titles"])
        # The command stands last: it is the only one of any length.
        last = titles.index("CMD") if "CMD" in titles else len(titles) - 1
        order = [place for place in range(len(titles)) if place != last] + [last]
        if not lines:
            lines.append(["SERVICE", "#", *(titles[place] for place in order)])
        for process in found["Processes"] or ():
            row = [container.service, str(container.number)]
            lines.append(row + [process[place] for place in order])
    if lines:
        session.terminal.write(render_grid(lines))
    return 0
