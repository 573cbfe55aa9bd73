"""Document to StackSpec: full names, labels, and the order that makes equal files equal specs.

A file whose lists are written in another order gives the same spec, so that it replaces no task.
Where order has a meaning (commands, constraints, name servers) it is kept.
"""

from collections.abc import Mapping

import msgspec

from stackctl.compose.dependencies import dependency_specs
from stackctl.compose.document import Deploy, Document, MountUse, Service
from stackctl.compose.grammar.names import full_name
from stackctl.compose.links import aliases_by_use
from stackctl.compose.object_specs import own_configs, own_networks, own_secrets
from stackctl.compose.one_shots import awaited_services, restart_policy
from stackctl.compose.parts.attachments import FileUse, NetworkUse
from stackctl.compose.parts.objects import FileObject
from stackctl.compose.sections.namespaces import HOST
from stackctl.compose.start_steps import with_steps
from stackctl.model import specs


def convert(document: Document, stack_name: str) -> specs.StackSpec:
    """The spec of a document without problems."""
    conversion = _Conversion(document, stack_name)
    return specs.StackSpec(
        name=stack_name,
        services=tuple(
            spec
            for service in document.services
            for spec in with_steps(service, conversion.service(service), stack_name)
        ),
        networks=own_networks(document, stack_name, conversion.labelled),
        configs=own_configs(document, conversion.labelled),
        secrets=own_secrets(document, conversion.labelled),
    )


class _Conversion:
    def __init__(self, document: Document, stack_name: str) -> None:
        self._document = document
        self._stack_name = stack_name
        self._awaited = awaited_services(document)
        self._links = aliases_by_use(document)

    def labelled(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels with the one that says which stack an object belongs to, sorted."""
        return dict(sorted({**labels, specs.NAMESPACE_LABEL: self._stack_name}.items()))

    def service(self, service: Service) -> specs.ServiceSpec:
        deploy = service.deploy
        container = msgspec.structs.replace(
            service.container,
            labels=self.labelled(service.container.labels),
            groups=tuple(sorted(service.container.groups)),
            mounts=tuple(sorted(map(self._mount, service.mounts), key=lambda it: it.target)),
            configs=self._files(service.configs, self._document.configs),
            secrets=self._files(service.secrets, self._document.secrets),
        )
        attachments = (self._attachment(use, service.key) for use in service.networks)
        return specs.ServiceSpec(
            name=full_name(self._stack_name, service.key),
            task=specs.TaskSpec(
                container=container,
                limits=deploy.limits,
                reservations=deploy.reservations,
                restart=restart_policy(service, is_awaited=service.key in self._awaited),
                placement=self._placement(deploy),
                networks=tuple(sorted(attachments, key=lambda it: it.network)),
            ),
            labels=self.labelled(deploy.labels),
            mode=deploy.mode,
            replicas=deploy.replicas,
            update=deploy.update,
            rollback=deploy.rollback,
            endpoint_mode=deploy.endpoint_mode,
            depends_on=dependency_specs(service, self._stack_name),
            ports=_ports(service),
        )

    def _placement(self, deploy: Deploy) -> specs.Placement:
        """The placement with the services to keep apart from by their full names."""
        keys = {service.key for service in self._document.services}
        names: dict[bool, list[str]] = {True: [], False: []}
        for other in deploy.apart:
            name = full_name(self._stack_name, other.name) if other.name in keys else other.name
            names[other.required].append(name)
        return msgspec.structs.replace(
            deploy.placement,
            exclude_services=tuple(sorted(set(names[True]))),
            avoid_services=tuple(sorted(set(names[False]))),
        )

    def _attachment(self, use: NetworkUse, service_key: str) -> specs.NetworkAttachment:
        network = self._document.networks.get(use.key)
        return specs.NetworkAttachment(
            network=network.name if network else full_name(self._stack_name, use.key),
            aliases=tuple(
                dict.fromkeys(
                    (service_key, *use.aliases, *self._links.get((service_key, use.key), ()))
                )
            ),
        )

    def _mount(self, use: MountUse) -> specs.Mount:
        mount = use.mount
        if mount.kind is not specs.MountKind.VOLUME:
            return mount
        mount = msgspec.structs.replace(mount, selinux="")  # engines label volumes by themselves
        if use.volume_key is None:
            return msgspec.structs.replace(mount, volume_labels=self.labelled(mount.volume_labels))
        volume = self._document.volumes[use.volume_key]
        if volume.external:
            return msgspec.structs.replace(mount, source=volume.name, external=True)
        return msgspec.structs.replace(
            mount,
            source=volume.name,
            volume_driver=volume.driver,
            volume_driver_options=dict(sorted(volume.driver_options.items())),
            volume_labels=self.labelled({**mount.volume_labels, **volume.labels}),
        )

    def _files(
        self, uses: tuple[FileUse, ...], defined: Mapping[str, FileObject]
    ) -> tuple[specs.ConfigReference, ...]:
        references = (
            specs.ConfigReference(
                name=defined[use.key].name,
                target=use.target,
                uid=use.uid,
                gid=use.gid,
                mode=use.mode,
                on_change=use.on_change,
            )
            for use in uses
        )
        return tuple(sorted(references, key=lambda it: it.target))


def _ports(service: Service) -> tuple[specs.PortSpec, ...]:
    """The published ports; on the node's own network there is nothing to publish."""
    if service.container.network_mode == HOST:
        return ()
    found = (use.spec for use in service.ports)
    return tuple(sorted(found, key=lambda it: (it.target, it.protocol, it.published, it.mode)))
