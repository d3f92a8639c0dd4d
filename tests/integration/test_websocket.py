"""Attach over a WebSocket, as browsers' terminals and some SDKs do it."""
import base64
import json
import os
import socket

import pytest

from support import wait_for


class WebSocket:
    """A client of RFC 6455, just enough to talk to an engine."""

    def __init__(self, daemon, path, version="1.41", headers=()):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(str(daemon.socket))
        lines = [f"GET /v{version}{path} HTTP/1.1", "Host: d", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
                 "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {base64.b64encode(b'0123456789abcdef').decode()}", *headers]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline().strip()):
            key, _, value = line.decode().partition(": ")
            self.headers[key.lower()] = value

    def send(self, payload, opcode=2, final=True, mask=b"abcd"):
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(bytes([(0x80 if final else 0) | opcode]) + length + mask + data)

    def receive(self):
        """(opcode, payload) of one frame; None at the end of the connection."""
        head = self.file.read(2)
        if len(head) < 2:
            return None
        length = head[1]
        if length == 126:
            length = int.from_bytes(self.file.read(2), "big")
        elif length == 127:
            length = int.from_bytes(self.file.read(8), "big")
        return head[0] & 15, self.file.read(length)

    def until(self, text):
        """Everything received until it holds the text."""
        data = b""
        while text not in data:
            frame = self.receive()
            assert frame is not None and frame[0] in (1, 2), (frame, data)
            data += frame[1]
        return data

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def cat(docker):
    docker("run", "-d", "-i", "--name", "ws", "--network", "none", "busybox", "sh", "-c", "echo first; cat")
    assert wait_for(lambda: docker("logs", "ws") == "first\n", 5)  # later output is of what a test sends
    yield "ws"
    docker("rm", "-f", "ws")


STREAMS = "/containers/ws/attach/ws?stream=1&stdin=1&stdout=1&stderr=1"


def test_what_is_sent_comes_back_in_binary_frames(daemon, cat):
    client = WebSocket(daemon, STREAMS)
    assert client.status == 101
    assert client.headers["sec-websocket-accept"] == "BACScCJPNqyz+UBoqMH89VmURoA="
    client.send(b"hello\n")
    assert client.receive() == (2, b"hello\n")
    client.send(b"one ", final=False)
    client.send(b"two\n", opcode=0)
    assert client.until(b"two\n") == b"one two\n"
    big = b"x" * 60000 + b"\n"
    client.send(big)
    assert client.until(b"\n") == big
    client.close()


def test_old_clients_get_text_frames_and_the_log_first(daemon, cat):
    client = WebSocket(daemon, STREAMS + "&logs=1", version="1.27")
    assert client.receive() == (1, b"first\n")
    client.close()


def test_pings_are_answered_and_a_close_is_closed(daemon, cat):
    client = WebSocket(daemon, STREAMS)
    client.send(b"there?", opcode=9)
    assert client.receive() == (10, b"there?")
    client.send(b"\x03\xe8", opcode=8)
    assert client.receive() == (8, b"\x03\xe8")
    assert client.receive() is None
    client.close()
    assert daemon.inspect("ws")["State"]["Running"], "closing ends the attachment, not the container"


def test_the_end_of_the_container_is_a_normal_close(daemon, docker, cat):
    client = WebSocket(daemon, STREAMS)
    docker("kill", "ws")
    assert client.receive() == (8, b"\x03\xe8")
    assert client.receive() is None
    client.close()


def test_a_broken_frame_ends_the_connection_with_the_protocols_code(daemon, cat):
    client = WebSocket(daemon, STREAMS)
    client.socket.sendall(b"\x82\x05hello")  # not masked
    assert client.receive() == (8, b"\x03\xea")
    assert client.receive() is None
    client.close()


def test_a_client_that_vanishes_leaves_nothing(daemon, cat):
    before = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    for _ in range(20):
        client = WebSocket(daemon, STREAMS)
        assert client.status == 101
        client.close()
    probe = WebSocket(daemon, STREAMS)
    probe.send(b"still\n")
    assert probe.until(b"still\n")
    probe.close()
    assert wait_for(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= before + 3, 5)


def test_what_is_no_handshake_is_refused(daemon, cat):
    def ask(path="/containers/ws/attach/ws?stream=1&stdout=1", **headers):
        status, _, body = daemon.request("GET", path, headers=headers)
        return status, json.loads(body)["message"]
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    assert ask() == (400, "not websocket protocol")
    assert ask(**upgrade)[0] == 400
    assert ask(**upgrade, **{"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "short"}) == (400, "missing or bad Sec-WebSocket-Key")
    assert ask("/containers/nobody/attach/ws?stream=1")[0] == 404
    assert ask("/containers/ws/attach/ws?stream=1&stdout=1&detachKeys=what", **upgrade) == (400, "Invalid detach keys (what) provided")
