"""The rules that let packets out of a lab, as text."""

from stackctl.lab import links
from tests.unit.lab.plans import make_plan


def test_packets_that_leave_the_lab_have_the_machines_address() -> None:
    assert (
        links.masquerading_rules(make_plan())
        == """\
table ip sctl-lab0
delete table ip sctl-lab0
table ip sctl-lab0 {
  chain leaving {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 10.231.0.0/24 oifname != "sctl-lab0" masquerade
  }
}
"""
    )


def test_both_directions_pass_the_machines_firewall() -> None:
    assert links.accepting_rules("sctl-lab0") == (
        ("FORWARD", "-i", "sctl-lab0", "-j", "ACCEPT"),
        ("FORWARD", "-o", "sctl-lab0", "-j", "ACCEPT"),
    )
