"""Parts of `POST /containers/create` that the agent and a stack on one engine make alike: mounts,
health checks, log drivers. Pure; engines differ by API version, which is an argument.

    from 1.44  health checks know a start interval; read-only binds reach what is mounted below
               them, which before stays writable, as `recursive: writable` wants it
    from 1.45  a volume can be mounted by a path inside it
    from 1.48  an image can be mounted
"""

from stackctl.errors import PermanentFailure
from stackctl.model import specs
from stackctl.model.engine_options import Body, too_old

NANOSECONDS = 1_000_000_000
API_START_INTERVAL = (1, 44)
API_BIND_RECURSION = (1, 44)
API_VOLUME_SUBPATH = (1, 45)
API_IMAGE_MOUNT = (1, 48)

# `recursive` of a bind mount in the engine's words; `enabled` is what it does anyway.
_RECURSION_OPTIONS = {
    "disabled": "NonRecursive",
    "writable": "ReadOnlyNonRecursive",
    "readonly": "ReadOnlyForceRecursive",
}


def short_bind(mount: specs.Mount, source: str, target: str) -> str:
    """`SOURCE:TARGET:OPTIONS`. Raises PermanentFailure for what that form cannot say."""
    # The long form refuses an absent source on every engine; the short form makes the folder. Only
    # the short form can label it for SELinux, too.
    if ":" in source + target:
        raise PermanentFailure(
            f"bind mount {source} at {target}: a folder that is to be created or labelled "
            "cannot have ':' in its path"
        )
    if mount.recursive not in ("", "enabled"):
        raise PermanentFailure(
            f"bind mount {source} at {target}: recursive: {mount.recursive} excludes a folder that "
            "is to be created or labelled"
        )
    options = ["ro"] if mount.read_only else ["rw"]
    if mount.propagation:
        options.append(mount.propagation)
    if mount.selinux:
        options.append(mount.selinux)
    return f"{source}:{target}:{','.join(options)}"


def mount_body(mount: specs.Mount, source: str, target: str, api_version: tuple[int, int]) -> Body:
    """One of `Mounts`. Raises PermanentFailure for an engine that is too old."""
    body: Body = {"Type": mount.kind.value, "Target": target}
    if source:
        body["Source"] = source
    if mount.read_only:
        body["ReadOnly"] = True
    if mount.kind is specs.MountKind.BIND:
        options = _bind_options(mount, api_version)
        body.update({"BindOptions": options} if options else {})
    if mount.kind is specs.MountKind.IMAGE:
        if api_version < API_IMAGE_MOUNT:
            raise too_old(f"image {source} at {target}", API_IMAGE_MOUNT, api_version)
        body.update({"ImageOptions": {"Subpath": mount.subpath}} if mount.subpath else {})
    if mount.kind is specs.MountKind.TMPFS:
        options = {"SizeBytes": mount.tmpfs_size_bytes, "Mode": mount.tmpfs_mode}
        body["TmpfsOptions"] = {key: value for key, value in options.items() if value}
    if mount.kind is specs.MountKind.VOLUME:
        body["VolumeOptions"] = _volume_options(mount, api_version)
    return body


def tmpfs_options(mount: specs.Mount) -> str:
    """The options of mount(8), which the engine's long form has no place for."""
    options = ["ro"] if mount.read_only else []
    if mount.tmpfs_size_bytes:
        options.append(f"size={mount.tmpfs_size_bytes}")
    if mount.tmpfs_mode:
        options.append(f"mode={mount.tmpfs_mode:o}")
    return ",".join((*options, *mount.tmpfs_options))


def _bind_options(mount: specs.Mount, api_version: tuple[int, int]) -> Body:
    options: Body = {"Propagation": mount.propagation} if mount.propagation else {}
    recursion = _RECURSION_OPTIONS.get(mount.recursive)
    if recursion is None:
        return options
    if mount.recursive != "disabled" and api_version < API_BIND_RECURSION:
        if mount.recursive == "writable":
            return options  # all that such an engine does
        what = f"bind mount {mount.source} with recursive: {mount.recursive}"
        raise too_old(what, API_BIND_RECURSION, api_version)
    return {**options, recursion: True}


def _volume_options(mount: specs.Mount, api_version: tuple[int, int]) -> Body:
    options: Body = {}
    if mount.no_copy:
        options["NoCopy"] = True
    if mount.volume_labels:
        options["Labels"] = dict(mount.volume_labels)
    if mount.volume_driver or mount.volume_driver_options:
        options["DriverConfig"] = {
            "Name": mount.volume_driver or "local",
            "Options": dict(mount.volume_driver_options),
        }
    if mount.subpath:
        if api_version < API_VOLUME_SUBPATH:
            what = f"volume {mount.source} at {mount.target} by a path inside it"
            raise too_old(what, API_VOLUME_SUBPATH, api_version)
        options["Subpath"] = mount.subpath
    return options


def healthcheck_body(check: specs.Healthcheck | None, api_version: tuple[int, int]) -> Body:
    """`Healthcheck`, with what differs from the image's."""
    if check is None:
        return {}
    body: Body = {
        "Test": list(check.test),
        "Interval": _nanoseconds(check.interval_seconds),
        "Timeout": _nanoseconds(check.timeout_seconds),
        "Retries": check.retries,
        "StartPeriod": _nanoseconds(check.start_period_seconds),
    }
    if api_version >= API_START_INTERVAL:
        body["StartInterval"] = _nanoseconds(check.start_interval_seconds)
    return {key: value for key, value in body.items() if value}


def log_config(driver: specs.LogDriver | None) -> Body:
    """`LogConfig`, empty when nothing is said."""
    if driver is None or not (driver.name or driver.options):
        return {}
    # Options without a name are meant for the engine's default driver.
    return {"Type": driver.name or "json-file", "Config": dict(driver.options)}


def _nanoseconds(seconds: float) -> int:
    return round(seconds * NANOSECONDS)
