"""Clients that vanish, stop in the middle or never read, by the hundred: descriptors and memory of the daemon and of the
shims come back to what they were, and nobody else notices."""
import os
import socket

import pytest

from support import UnixConnection, wait_for
from test_resources import resident_mb

MANY = 400


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def open_stream(daemon, path, body=b"{}"):
    """A connection whose request for a raw stream has been answered."""
    peer = raw(daemon)
    peer.sendall(b"POST %s HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body))
    head = b""
    while b"\r\n\r\n" not in head:
        more = peer.recv(1)
        assert more, head
        head += more
    assert head.startswith(b"HTTP/1.1 101"), head
    return peer


def raw(daemon):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(20)
    peer.connect(str(daemon.socket))
    return peer


@pytest.fixture
def calm(own_daemon):
    """A daemon with one container "host", which is as before when the test has ended."""
    daemon = own_daemon
    daemon.docker("run", "-d", "-i", "--name", "host", "busybox", "sh", "-c", "trap 'exit 0' TERM; while :; do echo $(seq 200); sleep 0.05; done")
    pid = daemon.process.pid
    shim, = daemon.shim_pids()
    daemon.docker("exec", "host", "true")
    base = {one: (descriptors(one), resident_mb(one)) for one in (pid, shim)}
    yield daemon
    for one, (fds, memory) in base.items():
        if one == pid and daemon.process.pid != pid:
            continue  # it was killed on purpose
        slack = 12 if one == pid else 2
        assert wait_for(lambda: descriptors(one) <= fds + slack, 15), (descriptors(one), fds)
        assert resident_mb(one) < memory + (40 if one == pid else 4)
    assert daemon.docker("exec", "host", "echo", "fine") == "fine\n"
    daemon.docker("rm", "-f", "host")


def test_attached_clients_that_vanish(calm):
    for _ in range(MANY // 40):
        peers = [open_stream(calm, "/containers/host/attach?stream=1&stdin=1&stdout=1&stderr=1") for _ in range(40)]
        for index, peer in enumerate(peers):
            if index % 2:
                peer.sendall(b"words that nobody reads\n")
            peer.close()  # with output unread: a reset


def test_execs_whose_clients_vanish(calm):
    for index in range(MANY // 4):
        ident = calm.json("POST", "/containers/host/exec", {"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True})["Id"]
        peer = open_stream(calm, f"/exec/{ident}/start", b'{"Detach":false,"Tty":false}')
        if index % 2:
            peer.sendall(b"x" * 100)
        peer.close()
    # The end of its input ends each.
    assert wait_for(lambda: not calm.inspect("host")["ExecIDs"], 15), calm.inspect("host")["ExecIDs"]


def test_execs_that_are_made_and_never_started(calm):
    began = resident_mb(calm.process.pid)
    connection = UnixConnection(calm.socket, 20)
    for _ in range(12_000):
        connection.request("POST", "/containers/host/exec", '{"Cmd":["true"]}', {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (201, 409, 500, 503), answer.status
    connection.close()
    assert resident_mb(calm.process.pid) - began < 40


def test_requests_that_stop_in_the_middle(calm):
    peers = []
    for index in range(MANY):
        peer = raw(calm)
        peer.sendall((b"GET /_pi", b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 1000000\r\n\r\n{",
                      b"GET /_ping HTTP/1.1\r\nHost", b"")[index % 4])
        peers.append(peer)
    assert calm.request("GET", "/_ping")[0] == 200, "others are served"
    assert calm.docker("exec", "host", "echo", "served") == "served\n"
    for peer in peers:
        peer.close()


def test_watchers_that_never_read(calm):
    peers = []
    for index in range(MANY // 2):
        peer = raw(calm)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        path = ("/events", "/containers/host/logs?follow=1&stdout=1", "/containers/host/stats")[index % 3]
        peer.sendall(f"GET {path} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
        peers.append(peer)
    began = resident_mb(calm.process.pid)
    for index in range(300):
        calm.request("POST", f"/containers/{'host' if index % 2 == 0 else 'other'}/rename?name={'other' if index % 2 == 0 else 'host'}")
    assert resident_mb(calm.process.pid) - began < 64
    for peer in peers:
        peer.close()


def test_streams_that_are_open_when_the_daemon_dies(calm):
    peers = [open_stream(calm, "/containers/host/attach?stream=1&stdout=1") for _ in range(60)]
    assert all(peer.recv(100) for peer in peers)  # each has reached its shim
    calm.kill()
    calm.start()
    assert all(peer.recv(100) for peer in peers), "they outlive it"
    for peer in peers:
        peer.close()
