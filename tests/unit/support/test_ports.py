"""Ports for tests: no other worker's, and none that an outgoing connection is given."""

import socket
from pathlib import Path

from tests.support.ports import APART, WORKERS, free_port, free_ports, ports_of


def test_the_kernel_gives_none_of_them_to_an_outgoing_connection() -> None:
    first_of_the_kernel = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(port < first_of_the_kernel for worker in range(WORKERS) for port in ports_of(worker))


def test_no_two_workers_share_a_port_and_each_has_space_behind_it() -> None:
    found = sorted(port for worker in range(WORKERS) for port in ports_of(worker))
    assert all(other - port >= APART for port, other in zip(found, found[1:], strict=False))


def test_ports_that_are_asked_for_together_are_different() -> None:
    assert len(set(free_ports(50))) == 50


def test_a_port_that_is_listened_on_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        assert taken.getsockname()[1] not in free_ports(99)
