"""Takes the network from this process, but for a loopback of its own, which Spark and Ray talk over."""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

# Source: unshare(2), user_namespaces(7), netdevice(7) of Linux.
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_SET_FLAGS, _UP_AND_RUNNING = 0x8914, 0x41
LOOPBACK = "lo"


def leave_network() -> bool:
    """Whether it did: a kernel may refuse that, or half of it, which a fork finds out first."""
    if can_leave := can_leave_network():
        _leave()
    return can_leave


def is_offline() -> bool:
    """Whether this process sees nothing but a loopback."""
    return [name for _, name in socket.if_nameindex()] in ([], [LOOPBACK])


def can_leave_network() -> bool:
    """Tried in a fork."""
    if (child := os.fork()) == 0:
        with contextlib.suppress(OSError):
            _leave()
            os._exit(0)
        os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _leave() -> None:
    """Raises OSError. A user without rights gets a namespace of users first, in which he is who he was."""
    user, group = os.geteuid(), os.getegid()
    flags = _NEW_NETWORK if user == 0 else _NEW_USER | _NEW_NETWORK
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    if flags & _NEW_USER:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        fcntl.ioctl(anything, _SET_FLAGS, struct.pack("16sH22x", LOOPBACK.encode(), _UP_AND_RUNNING))
