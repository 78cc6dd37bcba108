"""A network of the test's own: nothing but loopback, every port free, also 25 and 53. Needs root.

    netns.enter()      before any thread is started and any server; fetch packages before it

All that is started afterwards lives in it, and it ends with the last of them.
"""
import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNET = 0x40000000  # linux/sched.h
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h
PORTS = '/proc/sys/net/ipv4/ip_unprivileged_port_start'


def why_not():
    """Why there can be none here; None if there can."""
    if os.geteuid() != 0:
        return 'a network namespace of its own needs root'
    child = os.fork()
    if child == 0:
        try:
            enter()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno or 255)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return f'no network namespace here: {os.strerror(status)}' if status else None


def enter():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack('16sh14x', b'lo', 0)
        flags = struct.unpack('16sh14x', fcntl.ioctl(s, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack('16sh14x', b'lo', flags | IFF_UP))
    # The lab's servers give up root, and this is their network.
    with open(PORTS, 'w', encoding='ascii') as f:
        f.write('0')
