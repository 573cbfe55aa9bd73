"""The lab's plan: names, addresses and command lines as values."""

import pytest

from stackctl.errors import InputError
from stackctl.lab import plan as planning
from stackctl.lab.plan import Invitation
from tests.unit.lab.plans import make_plan


def test_managers_come_first_and_every_role_is_counted_from_one() -> None:
    names = [node.name for node in make_plan(nodes=5, managers=3).nodes]
    assert names == ["manager1", "manager2", "manager3", "worker1", "worker2"]


def test_addresses_start_at_eleven_and_the_machine_has_the_first() -> None:
    plan = make_plan(subnet="10.9.8.0/24")
    assert plan.gateway == "10.9.8.1"
    assert [node.address for node in plan.nodes] == ["10.9.8.11", "10.9.8.12", "10.9.8.13"]


def test_a_nodes_network_card_is_told_from_its_address() -> None:
    assert make_plan().nodes[0].hardware_address == "02:53:0a:e7:00:0b"


def test_the_default_lab_has_the_short_namespaces() -> None:
    assert [node.namespace for node in make_plan().nodes] == [
        "sctl-manager1",
        "sctl-worker1",
        "sctl-worker2",
    ]
    assert make_plan(name="other").nodes[0].namespace == "sctl-other-manager1"


def test_link_names_fit_into_the_kernels_fifteen_characters() -> None:
    plan = make_plan(name="sevench", nodes=planning.NODES_MAX)
    assert max(len(link) for link in (plan.bridge, *(node.link for node in plan.nodes))) <= 15


def test_nothing_of_two_labs_has_the_same_name() -> None:
    one, other = make_plan(name="one"), make_plan(name="two")
    names = [
        {lab.bridge, *(word for node in lab.nodes for word in (node.link, node.namespace))}
        for lab in (one, other)
    ]
    assert not names[0] & names[1]


@pytest.mark.parametrize("name", ["", "Lab", "8th", "far-too", "eightchr", "a/b"])
def test_a_name_that_cannot_be_part_of_a_link_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot be called"):
        make_plan(name=name)


@pytest.mark.parametrize(
    ("nodes", "managers", "words"),
    [(0, 1, "1 to 20 nodes"), (21, 1, "1 to 20 nodes"), (2, 3, "do not fit"), (2, 0, "do not fit")],
)
def test_numbers_that_make_no_lab_are_refused(nodes: int, managers: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_plan(nodes=nodes, managers=managers)


@pytest.mark.parametrize("subnet", ["10.0.0.0/28", "fd00::/64", "10.0.0.1/24", "nonsense"])
def test_a_subnet_that_holds_no_lab_is_refused(subnet: str) -> None:
    with pytest.raises(InputError, match=r"subnet|small"):
        make_plan(subnet=subnet)


def test_a_directory_that_nodes_would_not_see_is_refused() -> None:
    with pytest.raises(InputError, match="its own run"):
        make_plan(directory="/run/lab")


def test_a_directory_too_long_for_sockets_is_refused() -> None:
    with pytest.raises(InputError, match="too long for the sockets"):
        make_plan(directory="/" + "x" * 90)


def test_the_first_subnet_that_the_machine_does_not_use_is_taken() -> None:
    assert planning.free_subnet([]) == "10.231.0.0/24"
    assert planning.free_subnet(["10.231.0.0/24", "192.168.0.0/16"]) == "10.231.1.0/24"
    assert planning.free_subnet(["10.231.0.0/20"]) == "10.231.16.0/24"


def test_a_machine_that_uses_all_the_labs_subnets_is_told_so() -> None:
    with pytest.raises(InputError, match="all subnets"):
        planning.free_subnet(["10.0.0.0/8"])


def test_the_first_manager_founds_and_the_others_are_invited() -> None:
    plan = make_plan(managers=2)
    first, second, worker = plan.nodes
    invitation = Invitation("TOKEN", ("10.231.0.11:2477",))
    founding = planning.manager_command(plan, first, invitation=None)
    joining = planning.manager_command(plan, second, invitation=invitation)
    assert founding[-1] == "--bootstrap"
    assert joining[-4:] == ["--join-token", "TOKEN", "--join", "10.231.0.11:2477"]
    assert "--join-token" not in planning.manager_command(plan, second, invitation=None)
    agent = planning.agent_command(worker, invitation=invitation)
    assert agent[agent.index("--data-address") + 1] == worker.address
    assert agent[agent.index("--engine") + 1] == f"unix://{worker.engine_socket}"


def test_daemons_that_share_a_node_share_its_state() -> None:
    plan = make_plan()
    node = plan.nodes[0]
    manager = planning.manager_command(plan, node, invitation=None)
    agent = planning.agent_command(node, invitation=None)
    for option in ("--state-dir", "--run-dir", "--hostname"):
        assert manager[manager.index(option) + 1] == agent[agent.index(option) + 1]


def test_a_lab_of_engines_runs_nothing_else() -> None:
    plan = make_plan(engines_only=True)
    assert [plan.daemons(node) for node in plan.nodes] == [("engine",)] * 3
    full = make_plan()
    assert [plan.daemons(node) for plan in (full,) for node in plan.nodes[:2]] == [
        ("engine", "manager", "agent"),
        ("engine", "agent"),
    ]


def test_two_engines_have_nothing_in_common() -> None:
    first, second = (planning.engine_settings(node) for node in make_plan().nodes[:2])
    for option in ("hosts", "data-root", "pidfile", "cgroup-parent"):
        assert first[option] != second[option]


def test_every_node_knows_all_nodes_by_name() -> None:
    text = planning.hosts_file(make_plan())
    assert "10.231.0.11 manager1\n10.231.0.12 worker1\n10.231.0.13 worker2\n" in text


def test_a_resolver_on_the_machines_loopback_is_passed_over() -> None:
    stub, real = "nameserver 127.0.0.53\noptions edns0\n", "nameserver 192.0.2.1\n"
    assert planning.resolver_file([real, stub]) == real
    assert planning.resolver_file([stub, real]) == real
    assert planning.resolver_file([stub]) == ""
    assert planning.resolver_file(["nameserver fe80::1%eth0\n"]) == "nameserver fe80::1%eth0\n"
