"""BuildKit's reports as lines, and its failures as one message."""

from stackctl.compose.parts.build import Build
from stackctl.compose.problems import Place, Position
from stackctl.local.building.build_failures import build_failure, step_failure
from stackctl.local.building.build_progress import BuildProgress, FailedStep
from stackctl.local.building.build_request import ImageBuild
from stackctl.local.building.protobuf import encode

WANTED = ImageBuild("web", Build(Place(Position("f", 1, 1), ()), "/app"), "shop-web")
Field = tuple[int, int | str | bytes]


def moment(seconds: float) -> bytes:
    return encode((1, int(seconds)), (2, int(seconds % 1 * 1e9)))


def vertex(
    name: str,
    *,
    began: float | None = None,
    ended: float | None = None,
    is_cached: bool = False,
    error: str = "",
) -> Field:
    fields: list[Field] = [(1, f"sha256:{name}"), (3, name), (4, int(is_cached)), (7, error)]
    fields += [(5, moment(began))] if began is not None else []
    fields += [(6, moment(ended))] if ended is not None else []
    return (1, encode(*fields))


def log(name: str, at: float, content: bytes) -> Field:
    return (3, encode((1, f"sha256:{name}"), (2, moment(at)), (4, content)))


def lines_of(*reports: tuple[Field, ...]) -> list[str]:
    progress = BuildProgress()
    return [line for report in reports for line in progress.take(encode(*report))]


def test_steps_are_numbered_as_they_begin_and_end_once() -> None:
    assert lines_of(
        (vertex("FROM x"), vertex("RUN y")),
        (vertex("RUN y", began=10),),
        (vertex("FROM x", began=10), vertex("RUN y", began=10, ended=11.5)),
        (vertex("FROM x", began=10, ended=10, is_cached=True),),
        (vertex("FROM x", began=10, ended=10, is_cached=True),),
    ) == ["#1 RUN y", "#2 FROM x", "#1 DONE 1.5s", "#2 CACHED"]


def test_output_is_lines_however_it_is_cut() -> None:
    assert lines_of(
        (vertex("RUN y", began=10),),
        (log("RUN y", 10.25, b"one\ntw"), log("RUN y", 10.5, "o\nträ".encode()[:-1])),
        (log("RUN y", 10.75, "trä".encode()[-1:] + b"\r\n\n\rend"),),
        (log("unknown", 11, b"never seen\n"),),
        (vertex("RUN y", began=10, ended=11),),
    ) == [
        "#1 RUN y",
        "#1 0.250 one",
        "#1 0.500 two",
        "#1 0.750 trä",
        "#1 end",
        "#1 DONE 1.0s",
    ]


def test_parts_of_a_step_and_warnings_are_told_once() -> None:
    part = (2, encode((1, "exporting layers"), (2, "sha256:export"), (8, moment(3))))
    begun = (2, encode((1, "naming"), (2, "sha256:export")))
    assert lines_of(
        (vertex("export", began=1), begun),
        (part,),
        (part, (4, encode((3, b"old syntax")))),
    ) == ["#1 export", "#1 exporting layers done", "warning: old syntax"]


def test_the_step_that_failed_by_itself_is_the_one_to_show() -> None:
    progress = BuildProgress()
    error = 'process "/bin/sh -c false" did not complete successfully: exit code: 1'
    progress.take(encode(vertex("other", began=1), vertex("RUN false", began=1)))
    progress.take(encode(*(log("RUN false", 1, b"line %d\n" % count) for count in range(12))))
    assert progress.failed_step is None
    lines = progress.take(
        encode(
            vertex("other", began=1, ended=2, error="operation: context canceled"),
            vertex("RUN false", began=1, ended=2, error=error),
        )
    )
    assert lines == ["#1 CANCELED", f"#2 ERROR: {error}"]
    last = tuple(f"line {count}" for count in range(2, 12))
    assert progress.failed_step == FailedStep("RUN false", error, last)


def test_a_failed_step_says_what_ran_how_it_ended_and_its_last_lines() -> None:
    failure = step_failure(WANTED, "[2/3] RUN make", "executor failed: exit code: 2", ["a", "b"])
    assert failure.message == "cannot build service web: [2/3] RUN make: exit code 2\n  a\n  b"
    assert failure.hint is None


def test_who_passed_an_error_on_is_left_out() -> None:
    words = (
        "failed to solve with frontend dockerfile.v0: failed to create LLB definition: "
        "dockerfile parse error line 2: unknown instruction: FORM"
    )
    assert build_failure(WANTED, words).message == (
        "cannot build service web: dockerfile parse error line 2: unknown instruction: FORM"
    )


def test_a_full_disk_and_registries_that_do_not_give_have_their_advice() -> None:
    full = step_failure(WANTED, "RUN x", "exit code: 1", ["dd: /y: No space left on device"])
    assert full.hint is not None
    assert "docker system prune" in full.hint
    denied = build_failure(WANTED, "pull access denied for x").hint
    assert denied is not None
    assert "docker login" in denied
    unknown = build_failure(WANTED, 'Get "https://example.org/v2/": no such host').hint
    assert unknown == "is the name after FROM right, and its registry up?"
