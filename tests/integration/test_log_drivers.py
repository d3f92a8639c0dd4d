"""Log drivers that send away: real containers, servers of our own on loopback, and what becomes of both when one is slow or gone."""
import contextlib
import gzip
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import zlib

import pytest

import support
from support import Daemon

SECONDS = 20


@pytest.fixture
def cli(daemon):
    return daemon.docker


def until(check, seconds=SECONDS):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


class Server:
    """Keeps what arrives: datagrams one by one, or the bytes of all connections together."""

    def __init__(self, kind, address, family=socket.AF_INET):
        self.datagrams, self.stream, self.connections = [], b"", []
        self.answer = None  # what a stream server says to each piece
        self.socket = socket.socket(family, kind)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(address)
        if kind == socket.SOCK_STREAM:
            self.socket.listen()
        self.port = self.socket.getsockname()[1] if family == socket.AF_INET else 0
        target = self.accept if kind == socket.SOCK_STREAM else self.receive
        threading.Thread(target=target, daemon=True).start()

    def receive(self):
        with contextlib.suppress(OSError):
            while True:
                self.datagrams.append(self.socket.recv(65536))

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                self.connections.append(connection)
                threading.Thread(target=self.read, args=(connection,), daemon=True).start()

    def read(self, connection):
        with contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                self.stream += piece
                if self.answer:
                    connection.sendall(self.answer(piece))

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextlib.contextmanager
def serving(*args, **kwargs):
    server = Server(*args, **kwargs)
    try:
        yield server
    finally:
        server.close()


def udp():
    return serving(socket.SOCK_DGRAM, ("127.0.0.1", 0))


def tcp(port=0):
    return serving(socket.SOCK_STREAM, ("127.0.0.1", port))


@contextlib.contextmanager
def container(cli, name, options, script, detached=False):
    try:
        yield cli("run", *(["-d"] if detached else []), "--name", name, *options, "busybox", "sh", "-c", script)
    finally:
        cli("rm", "-f", name, check=False)


def opts(driver, **values):
    out = ["--log-driver", driver]
    for name, value in values.items():
        out += ["--log-opt", f"{name.replace('_', '-')}={value}"]
    return out


def loggers_of(daemon):
    """Pids of the loggers that descend from this daemon's programs."""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if open(f"/proc/{pid}/comm").read().strip() == "sampan-logger":
                out.append(int(pid))
    return out


# --- syslog ---

def test_syslog_over_udp_has_dockers_form_and_a_copy_to_read(cli):
    with udp() as server, container(cli, "sys", opts("syslog", syslog_address=f"udp://127.0.0.1:{server.port}", tag="{{.Name}}"), "echo one; echo two >&2"):
        lines = until(lambda: len(server.datagrams) == 2 and sorted(server.datagrams))
        assert re.fullmatch(rb"<27>\w{3} [ \d]\d \d\d:\d\d:\d\d sys\[\d+\]: two\n", lines[0])
        assert re.fullmatch(rb"<30>\w{3} [ \d]\d \d\d:\d\d:\d\d sys\[\d+\]: one\n", lines[1])
        assert cli("logs", "sys").startswith("one\n")


def test_syslog_over_tcp_in_rfc5424_with_a_facility(cli):
    with tcp() as server:
        options = opts("syslog", syslog_address=f"tcp://127.0.0.1:{server.port}", syslog_format="rfc5424micro", syslog_facility="local3", tag="t")
        with container(cli, "sys", options, "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo $i; done"):
            lines = until(lambda: server.stream.count(b"\n") == 2000 and server.stream.splitlines())
            assert re.fullmatch(rb"<158>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d) \S+ t \d+ t - 1", lines[0])
            assert [int(line.split()[-1]) for line in lines] == list(range(1, 2001))


def test_syslog_over_a_unix_socket(cli, tmp_path):
    path = str(tmp_path / "log")
    with serving(socket.SOCK_DGRAM, path, socket.AF_UNIX) as server, container(cli, "sys", opts("syslog", syslog_address=f"unixgram://{path}"), "echo here"):
        assert until(lambda: server.datagrams)[0].endswith(b"]: here\n")


def test_a_server_that_cannot_be_reached_fails_the_start(cli):
    for driver, option in [("syslog", "syslog_address"), ("fluentd", "fluentd_address"), ("gelf", "gelf_address")]:
        try:
            refused = cli("run", "--name", "dead", *opts(driver, **{option: "tcp://127.0.0.1:1"}), "busybox", "true", check=False)
            assert refused.code == 125
            assert "failed to create task for container: failed to initialize logging driver: " in refused.err
            assert "dial tcp 127.0.0.1:1: connect: connection refused" in refused.err
        finally:
            cli("rm", "-f", "dead", check=False)


def test_the_copy_can_be_switched_off(cli):
    with udp() as server, container(cli, "sys", opts("syslog", syslog_address=f"udp://127.0.0.1:{server.port}", cache_disabled="true"), "echo one"):
        refused = cli("logs", "sys", check=False)
        assert refused.code == 1 and "configured logging driver does not support reading" in refused.err


# --- gelf ---

def gelf_messages(datagrams):
    whole, parts = [], {}
    for data in datagrams:
        if data[:2] != b"\x1e\x0f":
            whole.append(data)
            continue
        chunks = parts.setdefault(data[2:10], {})
        chunks[data[10]] = data[12:]
        if len(chunks) == data[11]:
            whole.append(b"".join(chunks[i] for i in range(data[11])))
    out = []
    for data in whole:
        out.append(json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else zlib.decompress(data) if data[0] == 0x78 else data))
    return out


@pytest.mark.parametrize("compression", ["gzip", "zlib", "none"])
def test_gelf_over_udp_is_compressed_and_chunked(cli, compression):
    script = "echo short; head -c 12000 /dev/urandom | od -An -tx1 | tr -d ' \\n' | head -c 15000; echo"
    with udp() as server:
        options = opts("gelf", gelf_address=f"udp://127.0.0.1:{server.port}", gelf_compression_type=compression, labels="team") + ["--label", "team=blue"]
        with container(cli, "gelf", options, script):
            messages = until(lambda: len(found := gelf_messages(server.datagrams)) == 2 and found)
            first, second = sorted(messages, key=lambda message: len(message["short_message"]))
            assert first["short_message"] == "short" and len(second["short_message"]) == 15000
            assert first["version"] == "1.1" and first["level"] == 6 and first["_team"] == "blue" and first["_container_name"] == "gelf"
            assert abs(first["timestamp"] - time.time()) < 60 and len(first["_container_id"]) == 64


def test_gelf_over_tcp_ends_messages_with_a_zero(cli):
    with tcp() as server, container(cli, "gelf", opts("gelf", gelf_address=f"tcp://127.0.0.1:{server.port}"), "echo one >&2"):
        message = json.loads(until(lambda: server.stream.endswith(b"\0") and server.stream[:-1]))
        assert message["short_message"] == "one" and message["level"] == 3


# --- fluentd ---

def unpack(data, at=0):
    """One MessagePack value and where it ends."""
    kind, at = data[at], at + 1
    number = lambda size: int.from_bytes(data[at:at + size], "big")
    if kind < 0x80:
        return kind, at
    if kind < 0xa0:
        items, size = [], (kind & 15) * (2 if kind < 0x90 else 1)
        for _ in range(size):
            item, at = unpack(data, at)
            items.append(item)
        return (dict(zip(items[::2], items[1::2])) if kind < 0x90 else items), at
    if kind < 0xc0:
        return data[at:at + (kind & 31)].decode(), at + (kind & 31)
    if kind in (0xcc, 0xcd, 0xce, 0xcf):
        size = 1 << (kind - 0xcc)
        return number(size), at + size
    if kind in (0xd9, 0xda, 0xdb):
        width = 1 << (kind - 0xd9)
        begin = at + width
        return data[begin:begin + number(width)].decode(), begin + number(width)
    if kind == 0xd7 and data[at] == 0:
        return (int.from_bytes(data[at + 1:at + 5], "big"), int.from_bytes(data[at + 5:at + 9], "big")), at + 9
    raise AssertionError(f"unknown type {kind:#x}")


def unpack_all(data):
    out, at = [], 0
    with contextlib.suppress(IndexError):
        while at < len(data):
            value, at = unpack(data, at)
            out.append(value)
    return out


def test_fluentd_gets_records(cli):
    with tcp() as server, container(cli, "flu", opts("fluentd", fluentd_address=f"127.0.0.1:{server.port}", tag="my.{{.Name}}"), "echo one; echo two >&2"):
        entries = until(lambda: len(found := unpack_all(server.stream)) == 2 and found)
        tag, when, record, _ = next(entry for entry in entries if entry[2]["source"] == "stdout")
        assert tag == "my.flu" and abs(when - time.time()) < 60
        assert record["log"] == "one" and record["container_name"] == "/flu" and len(record["container_id"]) == 64


def test_fluentd_acknowledges_each_record(cli):
    with tcp() as server:
        server.answer = lambda piece: b"\x81\xa3ack" + bytes([0xa0 | 24]) + unpack(piece)[0][3]["chunk"].encode()
        options = opts("fluentd", fluentd_address=f"tcp://127.0.0.1:{server.port}", fluentd_request_ack="true", fluentd_sub_second_precision="true")
        with container(cli, "flu", options, "for i in 1 2 3; do echo $i; done"):
            entries = until(lambda: len(found := unpack_all(server.stream)) == 3 and found)
            assert [entry[2]["log"] for entry in entries] == ["1", "2", "3"] and isinstance(entries[0][1], tuple)


def test_fluentd_may_come_later_when_it_is_asynchronous(cli):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = opts("fluentd", fluentd_address=f"127.0.0.1:{port}", fluentd_async="true", fluentd_retry_wait="50ms")
    with container(cli, "flu", options, "echo early; sleep 60", detached=True):
        until(lambda: cli("logs", "flu") == "early\n")
        with tcp(port) as server:
            assert until(lambda: unpack_all(server.stream))[0][2]["log"] == "early"


# --- a server, or the logger, that is slow or gone ---

def test_a_slow_server_stalls_only_its_container(cli):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()  # connections are made by the kernel; nobody ever reads
        address = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
        with container(cli, "stuck", opts("syslog", syslog_address=address), "yes 0123456789012345678901234567890123456789", detached=True):
            with container(cli, "free", opts("syslog", syslog_address=address, mode="non-blocking"),
                           "head -c 30000000 /dev/zero | tr '\\0' '\\n'; echo done", detached=True):
                until(lambda: cli("wait", "free") == "0\n")
                assert cli("logs", "--tail", "1", "free") == "done\n"
            assert cli("run", "--rm", "busybox", "echo", "fine") == "fine\n"
            cli("kill", "stuck")


def test_a_server_that_comes_back_gets_the_rest(cli):
    with tcp() as server:
        port = server.port
        with container(cli, "back", opts("syslog", syslog_address=f"tcp://127.0.0.1:{port}"), "echo one; sleep 60", detached=True):
            until(lambda: server.stream.endswith(b"one\n"))
            server.close()
            cli("exec", "back", "sh", "-c", "echo three > /proc/1/fd/1")
            with tcp(port) as second:
                until(lambda: b"three\n" in second.stream)


def test_a_killed_logger_is_replaced(cli, daemon):
    with tcp() as server:
        before = set(loggers_of(daemon))
        with container(cli, "again", opts("syslog", syslog_address=f"tcp://127.0.0.1:{server.port}"), "echo one; sleep 60", detached=True):
            until(lambda: server.stream.endswith(b"one\n"))
            (logger,) = set(loggers_of(daemon)) - before
            os.kill(logger, signal.SIGKILL)
            until(lambda: not os.path.exists(f"/proc/{logger}"))
            cli("exec", "again", "sh", "-c", "echo two > /proc/1/fd/1")
            until(lambda: server.stream.endswith(b"two\n"))


def test_the_logger_ends_with_its_container(cli, daemon):
    before = set(loggers_of(daemon))
    with udp() as server, container(cli, "ends", opts("syslog", syslog_address=f"udp://127.0.0.1:{server.port}"), "echo one"):
        until(lambda: server.datagrams)
        until(lambda: not set(loggers_of(daemon)) - before)


# --- options ---

def test_options_are_checked_by_create_in_dockers_words(cli):
    for options, text in [
            (opts("syslog", syslog_address="127.0.0.1:514"), "syslog-address should be in form proto://address, got 127.0.0.1:514"),
            (opts("syslog", syslog_facility="local9"), "invalid syslog facility"),
            (opts("syslog", syslog_format="rfc1"), "Invalid syslog format"),
            (opts("syslog", nope="1"), "unknown log opt 'nope' for syslog log driver"),
            (opts("gelf"), "gelf-address is a required parameter"),
            (opts("gelf", gelf_address="unix:///x"), "gelf: endpoint needs to be TCP or UDP"),
            (opts("gelf", gelf_address="tcp://127.0.0.1:1", gelf_compression_type="gzip"), "compression is only supported on UDP"),
            (opts("fluentd", fluentd_async="maybe"), "strconv.ParseBool"),
            (opts("journald", nope="1"), "unknown log opt 'nope' for journald log driver"),
            (opts("syslog", cache_disabled="maybe"), "invalid value for option cache-disabled: maybe"),
            (opts("syslog", max_buffer_size="1m"), "max-buffer-size option is only supported with 'mode=non-blocking'")]:
        refused = cli("create", *options, "busybox", "true", check=False)
        assert refused.code == 1 and text in refused.err, refused.err


# --- what needs more around it ---

@pytest.fixture
def certificate(tmp_path):
    """A certificate of 127.0.0.1 that signs itself."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=log",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return key, cert


class TlsServer(Server):
    def __init__(self, certificate):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate[1], certificate[0])
        super().__init__(socket.SOCK_STREAM, ("127.0.0.1", 0))

    def read(self, connection):
        with contextlib.suppress(OSError):
            super().read(self.context.wrap_socket(connection, server_side=True))


def test_syslog_over_tls_counts_bytes_and_wants_a_certificate_it_knows(cli, certificate):
    server = TlsServer(certificate)
    try:
        address = f"tcp+tls://127.0.0.1:{server.port}"
        options = opts("syslog", syslog_address=address, syslog_format="rfc5424", syslog_tls_ca_cert=certificate[1])
        with container(cli, "sys", options, "echo secret"):
            length, message = until(lambda: server.stream.endswith(b"secret\n") and server.stream).split(b" ", 1)
            assert int(length) == len(message)
        for more in ({}, {"syslog_tls_ca_cert": "/nonexistent"}):
            refused = cli("run", "--name", "sys", *opts("syslog", syslog_address=address, **more), "busybox", "true", check=False)
            cli("rm", "-f", "sys", check=False)
            assert refused.code == 125 and "failed to initialize logging driver: " in refused.err
        with container(cli, "sys", opts("syslog", syslog_address=address, syslog_tls_skip_verify="true"), "echo unchecked"):
            until(lambda: server.stream.endswith(b"unchecked\n"))
    finally:
        server.close()


def test_a_logger_goes_on_without_its_daemon(own_daemon):
    cli = own_daemon.docker
    with tcp() as server:
        with container(cli, "alone", opts("syslog", syslog_address=f"tcp://127.0.0.1:{server.port}"),
                       "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done", detached=True):
            until(lambda: b"line 2\n" in server.stream)
            own_daemon.kill()
            count = server.stream.count(b"\n")
            until(lambda: server.stream.count(b"\n") > count + 5)
            own_daemon.start()
            numbers = [int(line.split()[-1]) for line in server.stream.splitlines()]
            assert numbers == list(range(1, len(numbers) + 1))
            assert cli("logs", "alone").startswith("line 1\nline 2\n")


@pytest.fixture
def journal(tmp_path, rootfs_tar, scratch):
    """A daemon whose mount namespace has a journal's socket, and that socket."""
    place = tmp_path / "journal"
    place.mkdir()
    mounts = f"mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind {place} /run/systemd/journal"
    daemon = Daemon(pathlib.Path(tempfile.mkdtemp(dir=scratch, prefix="j")), wrapper=["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh"])
    daemon.start()
    try:
        daemon.docker("import", str(rootfs_tar), "busybox:latest")
        yield daemon.docker, str(place / "socket")
    finally:
        support.sweep(daemon)
        daemon.stop()
        daemon.cleanup()


def test_journald_gets_entries_in_its_own_protocol(journal):
    cli, path = journal
    refused = cli("run", "--rm", *opts("journald"), "busybox", "true", check=False)
    assert refused.code == 125 and "failed to initialize logging driver: journald is not enabled on this host" in refused.err
    with serving(socket.SOCK_DGRAM, path, socket.AF_UNIX) as server, container(cli, "jour", opts("journald", tag="{{.Name}}"), "echo hello >&2"):
        fields = dict(line.split(b"=", 1) for line in until(lambda: server.datagrams)[0].splitlines())
        assert fields[b"MESSAGE"] == b"hello" and fields[b"PRIORITY"] == b"3" and fields[b"CONTAINER_TAG"] == b"jour"
        assert len(fields[b"CONTAINER_ID_FULL"]) == 64 and fields[b"CONTAINER_ID_FULL"].startswith(fields[b"CONTAINER_ID"])


def test_a_stopped_logger_holds_up_nobody_else(cli, daemon):
    with tcp() as server:
        before = set(loggers_of(daemon))
        with container(cli, "held", opts("syslog", syslog_address=f"tcp://127.0.0.1:{server.port}"), "echo one; exec sleep 60", detached=True):
            until(lambda: server.stream.endswith(b"one\n"))
            (logger,) = set(loggers_of(daemon)) - before
            os.kill(logger, signal.SIGSTOP)
            try:
                cli("exec", "-d", "held", "sh", "-c", "yes > /proc/1/fd/1")
                assert cli("run", "--rm", "busybox", "echo", "fine") == "fine\n"
                assert cli("logs", "--tail", "1", "held") in ("y\n", "one\n")
            finally:
                os.kill(logger, signal.SIGCONT)
            until(lambda: server.stream.count(b": y\n") > 100)
