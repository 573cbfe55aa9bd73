"""A service as Compose's keys, in their long forms."""

from collections.abc import Sequence

from stackctl.compose.document import Service, WindowsOptions
from stackctl.compose.parts.attachments import FileUse, ModelUse, NetworkUse
from stackctl.compose.parts.build import Build
from stackctl.compose.parts.lifecycle import Develop, Hook, Provider, StartHook, WatchRule
from stackctl.compose.parts.relations import Dependency, VolumesFrom
from stackctl.compose.printing.container import container_keys, mounts, ports, tmpfs
from stackctl.compose.printing.deploy import deploy_keys
from stackctl.compose.printing.values import extended, mode_text, pairs, section, ulimits
from stackctl.compose.printing.yaml_text import Plain
from stackctl.compose.sections.own_keys import ON_CHANGE

_CONFIG_MODE = 0o444


def service_keys(service: Service) -> dict[str, Plain]:
    """All keys of a service, in alphabetical order; the user's own (`x-`) come last."""
    keys = section(
        {
            **_windows(service.windows),
            "deploy": deploy_keys(service.deploy, service.container.device_requests),
            "restart": service.restart_word,
            "pull_policy": "build" if service.pull_builds else "",
            "ports": ports(service.ports),
            "expose": list(service.expose),
            "networks": _networks(service.networks),
            "volumes": mounts(service.mounts),
            "tmpfs": tmpfs(service.mounts),
            "configs": _files(service.configs),
            "secrets": _files(service.secrets),
            "models": {use.key: _model_use(use) for use in service.models},
            "container_name": service.container_name,
            "profiles": list(service.profiles),
            "depends_on": _depends_on(service.depends_on),
            "links": [f"{link.key}:{link.alias}" for link in service.links],
            "external_links": [f"{link.container}:{link.alias}" for link in service.external_links],
            "volumes_from": [_volumes_from(use) for use in service.volumes_from],
            "pre_start": [_start_hook(hook) for hook in service.pre_start],
            "post_start": [_hook(hook) for hook in service.post_start],
            "pre_stop": [_hook(hook) for hook in service.pre_stop],
            "use_api_socket": service.use_api_socket,
        },
        {
            "attach": None if service.attach else False,
            "build": _build(service.build),
            "develop": _develop(service.develop),
            "provider": _provider(service.provider),
        },
    )
    keys = dict(sorted({**container_keys(service.container), **keys}.items()))
    return extended(keys, service.extensions)


def _windows(options: WindowsOptions | None) -> dict[str, Plain]:
    if options is None:
        return {}
    credentials = options.credential_spec
    return {
        "isolation": options.isolation,
        "cpu_count": options.cpu_count,
        "cpu_percent": options.cpu_percent,
        "credential_spec": {}
        if credentials is None
        else section(
            {
                "config": credentials.config,
                "file": credentials.file,
                "registry": credentials.registry,
            }
        ),
    }


def _networks(uses: Sequence[NetworkUse]) -> dict[str, Plain]:
    return {
        use.key: section(
            {
                "aliases": list(use.aliases),
                "ipv4_address": use.ipv4_address,
                "ipv6_address": use.ipv6_address,
                "link_local_ips": list(use.link_local_ips),
                "mac_address": use.mac_address,
                "driver_opts": dict(use.driver_options),
                "priority": use.priority,
                "gw_priority": use.gateway_priority,
                "interface_name": use.interface_name,
            }
        )
        or None
        for use in uses
    }


def _files(uses: Sequence[FileUse]) -> list[Plain]:
    return [
        {
            "source": use.key,
            "target": use.target,
            **section(
                {
                    "uid": "" if use.uid == "0" else use.uid,
                    "gid": "" if use.gid == "0" else use.gid,
                    "mode": "" if use.mode == _CONFIG_MODE else mode_text(use.mode),
                    ON_CHANGE: use.on_change,
                }
            ),
        }
        for use in uses
    ]


def _model_use(use: ModelUse) -> Plain:
    return section({"endpoint_var": use.endpoint_variable, "model_var": use.model_variable}) or None


def _depends_on(dependencies: Sequence[Dependency]) -> dict[str, Plain]:
    """What `depends_on` said; what other keys imply is implied again where it is read."""
    return {
        dependency.key: section(
            {"condition": dependency.condition.value, "restart": dependency.restart},
            {"required": None if dependency.required else False},
        )
        for dependency in dependencies
        if not dependency.implied_by
    }


def _volumes_from(use: VolumesFrom) -> str:
    source = f"container:{use.source}" if use.is_container else use.source
    return f"{source}:ro" if use.read_only else source


def _hook(hook: Hook) -> dict[str, Plain]:
    return {
        "command": list(hook.command),
        **section(
            {
                "user": hook.user,
                "privileged": hook.privileged,
                "working_dir": hook.working_dir,
                "environment": pairs(hook.environment),
            }
        ),
    }


def _start_hook(hook: StartHook) -> dict[str, Plain]:
    return section(
        {
            "image": hook.image,
            "user": hook.user,
            "privileged": hook.privileged,
            "working_dir": hook.working_dir,
            "environment": pairs(hook.environment),
            "per_replica": hook.per_replica,
        },
        {"command": None if hook.command is None else list(hook.command)},
    )


def _develop(develop: Develop | None) -> Plain:
    if develop is None:
        return None
    return section({"watch": [_watch_rule(rule) for rule in develop.watch]})


def _watch_rule(rule: WatchRule) -> Plain:
    return section(
        {
            "path": rule.path,
            "action": rule.action.value,
            "target": rule.target,
            "ignore": list(rule.ignore),
            "include": list(rule.include),
            "initial_sync": rule.initial_sync,
        },
        {"exec": None if rule.execute is None else _hook(rule.execute)},
    )


def _provider(provider: Provider | None) -> Plain:
    if provider is None:
        return None
    options: dict[str, Plain] = {name: list(each) for name, each in provider.options.items()}
    return section({"type": provider.type, "options": options})


def _build(build: Build | None) -> Plain:
    if build is None:
        return None
    return section(
        {
            "context": build.context,
            "dockerfile": build.dockerfile,
            "dockerfile_inline": build.dockerfile_inline,
            "args": dict(build.arguments),
            "additional_contexts": dict(build.additional_contexts),
            "cache_from": list(build.cache_from),
            "cache_to": list(build.cache_to),
            "no_cache": build.no_cache,
            "no_cache_filter": list(build.no_cache_filter),
            "pull": build.pull,
            "target": build.target,
            "network": build.network,
            "platforms": list(build.platforms),
            "privileged": build.privileged,
            "provenance": build.provenance,
            "sbom": build.sbom,
            "entitlements": list(build.entitlements),
            "isolation": build.isolation,
            "secrets": _files(build.secrets),
            "shm_size": build.shm_size_bytes,
            "ssh": {name: where or None for name, where in build.ssh.items()},
            "tags": list(build.tags),
            "labels": dict(build.labels),
            "extra_hosts": list(build.extra_hosts),
            "ulimits": ulimits(build.ulimits),
        }
    )
