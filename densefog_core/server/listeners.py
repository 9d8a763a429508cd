"""The socket that an API listens on: bound here, or handed over by the supervisor or by systemd.

Processes that share one socket share its queue: what a client has sent is answered by another one when a process ends,
and nobody is refused while it starts again.
"""

from __future__ import annotations

import os
import socket

from densefog_core.errors import StartupError

#: Names the descriptor that the supervisor hands to its children.
LISTEN_FD = "DENSEFOG_LISTEN_FD"
#: The first descriptor that systemd hands over (sd_listen_fds(3)).
_FIRST = 3
_BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens: the one that was handed over, else a new one.

    Args:
        host: the address, IPv4 or IPv6, or a name of this machine.
        port: TCP port; 0 takes a free one.

    Raises:
        StartupError: the port is taken, the host is none of this machine, or what was handed over is no TCP socket.

    .. versionadded:: 1.0
    """
    descriptor = _handed_over()
    if descriptor is not None:
        return _taken(descriptor)
    try:
        return bind(host, port)
    except OSError as exc:
        raise StartupError(
            f"cannot listen on {host} port {port}: {exc.strerror or exc}; choose another with --host and --port"
        ) from None


def is_handed_over() -> bool:
    """Return whether another process has bound the socket that `listen` will return, and may share it with more.

    .. versionadded:: 1.0
    """
    return LISTEN_FD in os.environ or os.environ.get("LISTEN_PID") == str(os.getpid())


def _handed_over() -> int | None:
    """Return the descriptor, once: what a handler starts must not take it for its own."""
    if LISTEN_FD in os.environ:
        return int(os.environ.pop(LISTEN_FD))
    if not is_handed_over():
        return None
    os.environ.pop("LISTEN_PID")
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    if count != 1:
        raise StartupError(f"systemd hands over {count} sockets (LISTEN_FDS); an API listens on one, give it one")
    return _FIRST


def _taken(descriptor: int) -> socket.socket:
    try:
        os.set_inheritable(descriptor, False)
        listener = socket.socket(fileno=descriptor)
        listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as exc:
        raise StartupError(f"the socket that was handed over cannot be used: {exc.strerror}") from None
    if not listens or listener.family not in (socket.AF_INET, socket.AF_INET6):
        listener.close()
        raise StartupError("the socket that was handed over is no TCP socket that listens; see ListenStream=")
    return _set_up(listener)


def bind(host: str, port: int) -> socket.socket:
    """Return a new socket that listens; see `listen`.

    Raises:
        OSError: the address cannot be used.

    .. versionadded:: 1.0
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, proto, _, address = found[0]
    listener = socket.socket(family, kind, proto)
    try:
        # Lets the port pass that a server closed a moment ago, but not one that is listened on.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return _set_up(listener)


def _set_up(listener: socket.socket) -> socket.socket:
    # Connections inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setblocking(False)
    return listener
