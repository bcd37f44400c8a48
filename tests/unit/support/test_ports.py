"""Ports for tests: no other process's, and none that an outgoing connection is given."""

import os
import socket
from pathlib import Path

import pytest

from tests.support.ports import APART, SHARES, free_port, free_ports, ports_of, take_share


def test_the_kernel_gives_none_of_them_to_an_outgoing_connection() -> None:
    first_of_the_kernel = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(port < first_of_the_kernel for share in range(SHARES) for port in ports_of(share))


def test_no_two_shares_have_a_port_in_common_and_each_has_space_behind_it() -> None:
    found = sorted(port for share in range(SHARES) for port in ports_of(share))
    assert all(other - port >= APART for port, other in zip(found, found[1:], strict=False))


def test_a_share_is_one_process_s_until_it_ends(tmp_path: Path) -> None:
    held = dict(take_share(tmp_path) for _ in range(SHARES))
    assert list(held) == list(range(SHARES))
    with pytest.raises(RuntimeError, match=f"at most {SHARES} processes"):
        take_share(tmp_path)
    os.close(held[3])
    share, held[3] = take_share(tmp_path)
    assert share == 3
    for descriptor in held.values():
        os.close(descriptor)


def test_ports_that_are_asked_for_together_are_different() -> None:
    assert len(set(free_ports(50))) == 50


def test_a_port_that_is_listened_on_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        assert taken.getsockname()[1] not in free_ports(99)
