"""The socket of an API: bound, or handed over by systemd or the supervisor."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from densefog_core.errors import StartupError
from densefog_core.server.listeners import LISTEN_FD, is_handed_over, listen


@pytest.fixture
def theirs() -> Iterator[socket.socket]:
    """A socket that another process has bound."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def handed(monkeypatch: pytest.MonkeyPatch, listener: socket.socket) -> None:
    """Hand a socket over as the supervisor does; `listen` gets a descriptor of its own."""
    monkeypatch.setenv(LISTEN_FD, str(os.dup(listener.fileno())))


def test_a_port_that_is_taken_is_found_out(theirs: socket.socket) -> None:
    """In one line that says what to do."""
    port = theirs.getsockname()[1]
    with pytest.raises(StartupError, match=f"cannot listen on 127.0.0.1 port {port}: Address already in use"):
        listen("127.0.0.1", port)


def test_a_port_that_is_shared_is_taken_too() -> None:
    """Also when the one who has it would share it."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(StartupError, match="already in use"):
            listen("127.0.0.1", listener.getsockname()[1])


def test_what_was_handed_over_is_used_once(monkeypatch: pytest.MonkeyPatch, theirs: socket.socket) -> None:
    """Whatever host and port say; what a handler starts does not find it."""
    handed(monkeypatch, theirs)
    assert is_handed_over()
    with listen("192.0.2.1", 1) as found:
        assert found.getsockname() == theirs.getsockname()
        assert not os.get_inheritable(found.fileno())
    assert not is_handed_over()


def test_sockets_for_another_process_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Systemd says whom they are for."""
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert not is_handed_over()


def test_more_than_one_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API listens on one; the others would have clients wait for ever."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "2")
    with pytest.raises(StartupError, match="systemd hands over 2 sockets"):
        listen("127.0.0.1", 0)


def test_a_socket_that_does_not_listen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong unit is said at start-up."""
    with socket.socket() as silent:
        handed(monkeypatch, silent)
        with pytest.raises(StartupError, match="ListenStream="):
            listen("127.0.0.1", 0)


def test_a_descriptor_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when whoever started this closed it."""
    monkeypatch.setenv(LISTEN_FD, "1000")
    with pytest.raises(StartupError, match="cannot be used: Bad file descriptor"):
        listen("127.0.0.1", 0)
