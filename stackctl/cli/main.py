"""The program's entry: the fast path, then typer; and the one place where errors become exit codes.

Exit codes: 0 done · 1 error · 2 the user's file or flags · 3 no manager · 4 not converged · 5 unfit
machine · 130 interrupted.
"""

import errno
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from stackctl.cli import fast_path
from stackctl.cli.render.errors import PROGRAM, render_error, render_json_error
from stackctl.cli.render.terminal import Terminal
from stackctl.cli.session import Session
from stackctl.errors import StackctlError

if TYPE_CHECKING:
    from stackctl.client.convergence import Limits

INTERRUPTED = 130
_BROKEN_PIPE = 141  # what a shell says of a program that SIGPIPE ended


def run() -> None:
    """Entry point of the console script."""
    # The interpreter has no object for a stream that the caller closed (`2>&-`).
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if sys.stdout is None:
        sys.exit(_refuse_closed_output())
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)
    code = main(sys.argv[1:], os.environ)
    _silence_lost_output()
    sys.exit(code)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM as Ctrl-C: what is half done is finished or undone."""
    raise KeyboardInterrupt


def _refuse_closed_output() -> int:
    """A result that nobody can read is none, and the next file would take the stream's place."""
    sys.stderr.write(f"{PROGRAM}: cannot write the output: it is closed\n")
    return 1


def main(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    limits: "Limits | None" = None,
) -> int:
    """Run one command line and say what went wrong, if anything did; returns the exit code."""
    terminal = Terminal(sys.stdout, sys.stderr, environment)
    session = Session(environment=environment, terminal=terminal, limits=limits)
    try:
        code = fast_path.run_if_plain(session, arguments)
        if code is None:
            code = _run_program(session, arguments)
        terminal.flush()
    except StackctlError as error:
        if session.is_debugging:
            raise
        render = render_json_error if session.tells_in_json else render_error
        terminal.note(render(error))
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _BROKEN_PIPE
    except Exception as error:
        if session.is_debugging:
            raise
        terminal.note(_render_full_disk(error) or _render_bug(error))
        return 1
    return code


def _run_program(session: Session, arguments: Sequence[str]) -> int:
    from stackctl.cli.program import run_program

    return run_program(session, arguments)


def _render_full_disk(error: Exception) -> str | None:
    """What typer writes itself (help), and files that a command writes."""
    if not isinstance(error, OSError) or error.errno != errno.ENOSPC:
        return None
    return f"{PROGRAM}: cannot write {error.filename or 'the output'}: {error.strerror}"


def _render_bug(error: Exception) -> str:
    return (
        f"{PROGRAM}: this is a fault of {PROGRAM} itself: {type(error).__name__}: {error}\n"
        "hint: run it again with --debug before the command, and report what it prints"
    )


def _silence_lost_output() -> None:
    """The interpreter flushes stdout once more at its end, and would complain once more."""
    if sys.stdout.closed:
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
