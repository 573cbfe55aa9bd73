"""`volumes` in both forms, and `tmpfs`."""

import msgspec
import pytest

from stackctl.compose.document import MountUse
from stackctl.compose.load import examine
from stackctl.compose.problems import Place, Position
from stackctl.compose.request import LoadRequest
from stackctl.compose.verdicts.rules import Target
from stackctl.model.specs import Mount, MountKind
from tests.unit.compose.document_reading import read_service, service_problems
from tests.unit.compose.stack_folder import StackFolder

PLACE = Place(Position("stack.yml", 1, 1), ())

NAMESPACE = {"com.docker.stack.namespace": "shop"}
VOLUMES = (
    "volumes: {data: , d: , opts: {driver: local, driver_opts: {type: nfs, o: 7}, labels: [a=b]}}"
)


LABELLED = MountUse(
    Mount(kind=MountKind.VOLUME, target="/x", read_only=True, selinux="Z"), PLACE, "data"
)


def bind(source: str, target: str, **more: object) -> Mount:
    mount = Mount(kind=MountKind.BIND, source=source, target=target)
    return msgspec.structs.replace(mount, **more)


def volume(source: str, target: str, **more: object) -> Mount:
    mount = Mount(kind=MountKind.VOLUME, source=source, target=target, volume_labels=NAMESPACE)
    return msgspec.structs.replace(mount, **more)


def tmpfs(target: str, **more: object) -> Mount:
    return msgspec.structs.replace(Mount(kind=MountKind.TMPFS, target=target), **more)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("/data", volume("", "/data")),
        ("data:/data", volume("shop_data", "/data")),
        ("d:/data", volume("shop_d", "/data")),
        ("data:/data:ro", volume("shop_data", "/data", read_only=True)),
        ("data:/data:rw,nocopy", volume("shop_data", "/data", no_copy=True)),
        ("data:/a//b/../c/", volume("shop_data", "/a/c")),
        ("/etc/x:/x", bind("/etc/x", "/x")),
        ("/etc/../x:/x:ro", bind("/x", "/x", read_only=True)),
        ("~/x:/x", bind("/home/me/x", "/x")),
        ("~:/x", bind("/home/me", "/x")),
        ("/x:/x:ro,rslave", bind("/x", "/x", read_only=True, propagation="rslave")),
        ("/x:/x:cached", bind("/x", "/x")),
        ("data:/data:delegated,consistent", volume("shop_data", "/data")),
        ("{type: bind, source: /x, target: /y}", bind("/x", "/y")),
        (
            (
                "{type: bind, source: /x, target: /y, read_only: true, consistency: cached, "
                "bind: {propagation: shared, create_host_path: true}}"
            ),
            bind("/x", "/y", read_only=True, propagation="shared", create_source=True),
        ),
        ("{type: volume, target: /y}", volume("", "/y")),
        (
            "{type: volume, source: data, target: /y, volume: {nocopy: true, subpath: a/b}}",
            volume("shop_data", "/y", no_copy=True, subpath="a/b"),
        ),
        ("{type: tmpfs, target: /y}", tmpfs("/y")),
        (
            "{type: tmpfs, target: /y, tmpfs: {size: 10m, mode: 0o1777}}",
            tmpfs("/y", tmpfs_size_bytes=10 << 20, tmpfs_mode=0o1777),
        ),
        (
            '{type: tmpfs, target: /y, tmpfs: {size: 4096, mode: "700"}}',
            tmpfs("/y", tmpfs_size_bytes=4096, tmpfs_mode=0o700),
        ),
    ],
)
def test_forms(stack: StackFolder, written: str, expected: Mount) -> None:
    stack.environment["HOME"] = "/home/me"
    service = stack.service(f"volumes:\n  - {written}", rest=VOLUMES)
    assert service.task.container.mounts == (expected,)


@pytest.mark.parametrize("written", ["./conf:/x", "{type: bind, source: conf, target: /x}"])
def test_a_relative_folder_starts_at_the_file(stack: StackFolder, written: str) -> None:
    service = stack.service(f"volumes:\n  - {written}")
    assert service.task.container.mounts == (bind(str(stack.folder / "conf"), "/x"),)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("/a:/x:z", MountUse(bind("/a", "/x", selinux="z"), PLACE)),
        ("/a:/x:ro,Z", MountUse(bind("/a", "/x", selinux="Z", read_only=True), PLACE)),
        ("/a:/x:cached", MountUse(bind("/a", "/x"), PLACE, consistency="cached")),
        ("data:/x:ro,Z", LABELLED),
        (
            "{type: volume, source: data, target: /x, read_only: true, bind: {selinux: Z}}",
            LABELLED,
        ),
        (
            "{type: bind, source: /a, target: /x, bind: {selinux: z, recursive: readonly}}",
            MountUse(bind("/a", "/x", selinux="z", recursive="readonly"), PLACE),
        ),
        (
            "{type: bind, source: /a, target: /x, bind: {create_host_path: 'false'}}",
            MountUse(bind("/a", "/x"), PLACE, create_host_path=False),
        ),
        (
            "{type: image, source: 'tools:1', target: /x, image: {subpath: bin}}",
            MountUse(
                Mount(kind=MountKind.IMAGE, source="tools:1", target="/x", subpath="bin"), PLACE
            ),
        ),
        (
            "{type: cluster, source: data, target: /x}",
            MountUse(Mount(kind=MountKind.CLUSTER, target="/x"), PLACE, "data"),
        ),
        (
            "{type: npipe, source: '\\\\.\\pipe\\a', target: /x}",
            MountUse(Mount(kind=MountKind.NPIPE, source="\\\\.\\pipe\\a", target="/x"), PLACE),
        ),
    ],
)
def test_what_only_the_document_keeps(written: str, expected: MountUse) -> None:
    (use,) = read_service(f"volumes:\n  - {written}", rest=VOLUMES).mounts
    assert msgspec.structs.replace(use, place=PLACE) == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{type: image, target: /x}", "an image mount needs a source"),
        ("{type: image, source: 'a b', target: /x}", "invalid image reference 'a b'"),
        ("{type: cluster, target: /x}", "a cluster volume needs a source"),
        ("{type: npipe, target: /x}", "a named pipe needs a source"),
        ("{type: bind, source: /a, target: /x, bind: {selinux: y}}", "must be one of z, Z"),
        ("{type: bind, source: /a, target: /x, bind: {recursive: on}}", "must be one of enabled"),
        ("{type: volume, source: data, target: /x, bind: {selinux: y}}", "must be one of z, Z"),
    ],
)
def test_mistakes_in_what_only_the_document_keeps(written: str, message: str) -> None:
    (problem,) = service_problems(f"volumes:\n  - {written}", rest=VOLUMES)
    assert message in problem


def test_the_label_of_a_volume_is_left_to_the_engine(stack: StackFolder) -> None:
    labelled, plain = stack.service(
        'volumes: ["data:/x:z", "data:/y"]', rest=VOLUMES
    ).task.container.mounts
    assert labelled == msgspec.structs.replace(plain, target="/x")


def test_a_parent_folder_is_resolved(stack: StackFolder) -> None:
    service = stack.service('volumes: ["../conf:/x"]')
    assert service.task.container.mounts[0].source == str(stack.folder.parent / "conf")


def test_what_the_volume_says_travels_with_each_mount(stack: StackFolder) -> None:
    (mount,) = stack.service(
        "volumes: [{type: volume, source: opts, target: /y, volume: {labels: {c: d}}}]",
        rest=VOLUMES,
    ).task.container.mounts
    assert mount.volume_driver == "local"
    assert mount.volume_driver_options == {"o": "7", "type": "nfs"}
    assert mount.volume_labels == {"a": "b", "c": "d", **NAMESPACE}


def test_mounts_are_sorted_by_where_they_go(stack: StackFolder) -> None:
    one = stack.service('volumes: ["/b:/b", "/a:/a"]\ntmpfs: /c')
    assert [mount.target for mount in one.task.container.mounts] == ["/a", "/b", "/c"]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('""', "is empty"),
        ("data", "the path in the container must be absolute, not 'data'"),
        ("data:data", "the path in the container must be absolute"),
        ("/a:/b:ro:c", "too many colons in '/a:/b:ro:c'"),
        ('"/a::ro"', "an empty part between colons"),
        ('":/a"', "an empty part between colons"),
        ("/a:/b:r", "unknown option 'r'"),
        ("/a:/b:RO", "unknown option 'RO'; did you mean ro?"),
        ("/a:/b:nocopy", "option nocopy does not fit a bind mount"),
        ("data:/b:rshared", "option rshared does not fit a volume"),
        ("/a:/b:ro,rw", "ro and rw exclude each other"),
        ("/a:/", "nothing can be mounted over the root"),
        ("~you/x:/x", "the home of another user is not known"),
        ("~/x:/x", "~ is used, and HOME is not set"),
        (
            "nope:/x",
            "undefined volume 'nope'; declare it under the top-level volumes:, or write ./nope",
        ),
        ("dat:/x", "undefined volume 'dat'; did you mean data?"),
        ("5", "must be text, not a number (5); put it in quotes"),
        ("{target: /x}", "no type is given"),
        ("{type: volume}", "no target is given"),
        ("{type: bind, target: /x}", "a bind mount needs a source"),
        ("{type: tmpfs, source: a, target: /x}", "a tmpfs has no source"),
        ("{type: tmpfs, target: /x, volume: {nocopy: true}}", "does not fit type tmpfs"),
        ("{type: volume, source: data, target: /x, bind: {}}", "does not fit type volume"),
        (
            "{type: volume, source: data, target: /x, bind: {selinux: z, propagation: shared}}",
            "does not fit type volume",
        ),
        ("{type: volum, source: data, target: /x}", "did you mean volume?"),
        ("{type: bind, source: /a, target: /x, bind: {propagation: up}}", "must be one of private"),
        ("{type: tmpfs, target: /x, tmpfs: {mode: 8888}}", "must be a file mode"),
        ("{type: tmpfs, target: /x, tmpfs: {siez: 1}}", "unknown key; did you mean size?"),
    ],
)
def test_mistakes(stack: StackFolder, written: str, message: str) -> None:
    (problem,) = stack.service_problems(f"volumes:\n  - {written}", rest=VOLUMES)
    assert problem.startswith("5:")
    assert "services.web.volumes[0]" in problem
    assert message in problem


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("/run", [tmpfs("/run")]),
        ("[/run, /tmp]", [tmpfs("/run"), tmpfs("/tmp")]),
        (
            '["/run:size=64m,mode=1777"]',
            [tmpfs("/run", tmpfs_size_bytes=64 << 20, tmpfs_mode=0o1777)],
        ),
        ('"/run:ro,noexec,nosuid,nodev"', [tmpfs("/run", read_only=True)]),
        (
            '"/run:exec,uid=1000,exec,size=1m"',
            [tmpfs("/run", tmpfs_size_bytes=1 << 20, tmpfs_options=("exec", "uid=1000"))],
        ),
    ],
)
def test_tmpfs(stack: StackFolder, written: str, expected: list[Mount]) -> None:
    assert list(stack.service(f"tmpfs: {written}").task.container.mounts) == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("run", "must be absolute"),
        ('"/run:exce"', "unknown option 'exce' of a tmpfs; did you mean exec?"),
        ('"/run:uid=me"', "unknown option 'uid=me' of a tmpfs"),
        ('"/run:sharp"', "unknown option 'sharp' of a tmpfs; there are size=, mode=, ro, exec"),
        ('"/run:mode=9"', "option 'mode=9'"),
        ('"/run:size=x"', "size 'x': not a size"),
        ("{a: b}", "must be text or a list of texts, not a mapping"),
    ],
)
def test_tmpfs_mistakes(stack: StackFolder, written: str, message: str) -> None:
    (problem,) = stack.service_problems(f"tmpfs: {written}")
    assert problem.startswith("4:")
    assert message in problem


def test_two_mounts_on_one_path_are_refused_wherever_they_come_from(stack: StackFolder) -> None:
    body = 'volumes: ["/a:/x", "/b:/x/"]\ntmpfs: /x\nconfigs: [{source: c, target: /x}]'
    problems = stack.service_problems(body, rest="configs: {c: {content: x}}")
    assert [problem.partition(":")[0] for problem in problems] == ["4", "5", "6"]
    assert all("/x is mounted twice in this service" in problem for problem in problems)
    assert "it is mounted first at line 4" in problems[2]


@pytest.mark.parametrize("target", Target)
@pytest.mark.parametrize(
    ("mount", "problem"),
    [
        (
            "bind: {recursive: writable}",
            "recursive: writable is about mounts that are read-only; add read_only: true, or",
        ),
        (
            "bind: {recursive: readonly}",
            "recursive: readonly is about mounts that are read-only; add read_only: true, or",
        ),
        (
            "read_only: true, bind: {recursive: readonly, propagation: rslave}",
            "recursive: readonly excludes propagation: rslave, by which mounts that can be",
        ),
        ("read_only: true, bind: {recursive: readonly, propagation: rprivate}", ""),
        ("bind: {recursive: disabled}", ""),
    ],
)
def test_how_far_a_mount_is_read_only_fits_its_other_options(
    stack: StackFolder, target: Target, mount: str, problem: str
) -> None:
    found = problems_for(stack, f"{{type: bind, source: /a, target: /x, {mount}}}", target)
    assert len(found) == bool(problem)
    assert all(problem in each for each in found)


@pytest.mark.parametrize(
    ("mount", "problem"),
    [
        (
            "source: /a, bind: {recursive: disabled, create_host_path: true}",
            "recursive: disabled excludes create_host_path, which the engine knows only without",
        ),
        (
            "source: /a, bind: {recursive: disabled, selinux: z}",
            "recursive: disabled excludes selinux, which the engine knows only without",
        ),
        (
            "source: '/a:b', bind: {create_host_path: true}",
            "takes no ':' in a path beside create_host_path, as in '/a:b'; remove create_host_path",
        ),
        ("source: '/a:b'", ""),
        ("source: /a, bind: {recursive: enabled, selinux: z}", ""),
    ],
)
def test_what_no_engine_can_mount_is_told_before_a_task_starts(
    stack: StackFolder, mount: str, problem: str
) -> None:
    found = problems_for(stack, f"{{type: bind, target: /x, {mount}}}", Target.CLUSTER)
    assert len(found) == bool(problem)
    assert all(problem in each for each in found)


@pytest.mark.parametrize("written", ["data:/x:Z", "{type: volume, target: /x, bind: {selinux: Z}}"])
def test_a_private_label_of_a_volume_is_not_dropped_in_silence(
    stack: StackFolder, written: str
) -> None:
    text = stack.service_text(f"volumes:\n  - {written}", rest="volumes: {data: }")
    assert [note.partition(": ")[2] for note in stack.notes(text)] == [
        (
            "services.web.volumes[0]: the label Z is as z here: engines label their volumes as "
            "shared, and a volume is never that of one container"
        )
    ]


def problems_for(stack: StackFolder, mount: str, target: Target) -> list[str]:
    """What is wrong with the one service `web` that has a mount, for a target."""
    stack.write("stack.yml", stack.service_text(f"volumes:\n  - {mount}"))
    request = LoadRequest(environment={}, paths=("stack.yml",), stack_name="shop")
    return [str(problem) for problem in examine(request, target).problems]
