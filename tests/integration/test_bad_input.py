"""Malformed requests and hostile archives: a clear error, nothing left, the daemon lives."""
import gzip
import hashlib
import io
import json
import os
import pathlib
import socket
import tarfile
import time

import pytest

from support import wait_for


def raw(daemon, data, timeout=10):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(str(daemon.socket))
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        out = b""
        while piece := s.recv(65536):
            out += piece
        return out


@pytest.mark.parametrize("request_bytes, status", [
    (b"GARBAGE\r\n\r\n", b"400"),
    (b"GET /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
    (b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n{}", b"400"),
    (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
])
def test_broken_http(daemon, request_bytes, status):
    answer = raw(daemon, request_bytes)
    assert not answer or answer.split(b" ")[1].startswith(status), answer[:200]
    assert daemon.request("GET", "/_ping")[0] == 200


@pytest.mark.parametrize("method, path, body, status, words", [
    ("GET", "/no/such", None, 404, "page not found"),
    ("PATCH", "/containers/json", None, 404, "page not found"),
    ("GET", "/v1.99/version", None, 400, "too new"),
    ("GET", "/v1.10/version", None, 400, "too old"),
    ("GET", "/containers/nobody/json", None, 404, "No such container: nobody"),
    ("POST", "/containers/nobody/start", None, 404, "No such container"),
    ("GET", "/images/nobody:x/json", None, 404, "o such image"),
    ("GET", "/containers/json?filters=%7Bbroken", None, 400, ""),
    ("GET", "/containers/json?filters=%7B%22magic%22%3A%5B%221%22%5D%7D", None, 400, "magic"),
    ("POST", "/containers/create", "{", 400, "JSON"),
    ("POST", "/containers/create", "[]", 400, ""),
    ("POST", "/containers/create", '{"Image":5}', 400, "Image"),
    ("POST", "/containers/create", '{"Image":"busybox"} trailing', 400, ""),
    ("POST", "/containers/create", '{"Image":"absent-image"}', 404, "absent-image"),
    ("POST", "/containers/create?name=%2F..", '{"Image":"busybox"}', 400, "Invalid container name"),
    ("POST", "/containers/create", '{"Image":"busybox","HostConfig":{"Binds":["/a:relative"]}}', 400, ""),
    ("GET", "/containers/nobody/logs", None, 400, "at least one stream"),
    ("POST", "/volumes/create", '{"Name":"../evil"}', 400, ""),
    ("POST", "/networks/create", '{"Name":"n","Driver":"magic"}', 404, "magic"),
    ("POST", "/networks/create", '{"Name":"n","IPAM":{"Config":[{"Subnet":"not-a-net"}]}}', 400, ""),
    ("GET", "/nodes", None, 503, "not a swarm manager"),
    ("POST", "/build?remote=https://example.invalid/x", None, 501, "remote"),
])
def test_bad_requests(daemon, method, path, body, status, words):
    headers = {"Content-Type": "application/json"} if body else {}
    answer = daemon.request(method, path, body.encode() if body else None, headers)
    assert answer[0] == status, answer
    message = json.loads(answer[2])["message"]
    assert words in message, message


def docker_archive(layers, config=None, manifest=None):
    """A docker-save archive around raw layer tars."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        document = config if config is not None else json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
            "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(l).hexdigest() for l in layers]}}).encode()
        name = hashlib.sha256(document).hexdigest() + ".json"
        add(name, document)
        for index, data in enumerate(layers):
            add(f"{index}/layer.tar", data)
        add("manifest.json", manifest if manifest is not None else json.dumps(
            [{"Config": name, "RepoTags": ["hostile:1"], "Layers": [f"{i}/layer.tar" for i in range(len(layers))]}]).encode())
    return buffer.getvalue()


def tar_of(*entries):
    """entries: (name, type, linkname or data)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, extra in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o755
            data = b""
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = extra
            elif kind == tarfile.REGTYPE:
                data = extra
                info.size = len(data)
            elif kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
                info.devmajor, info.devminor = extra
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


HOSTILE = {
    "absolute name": [("/CANARY", tarfile.REGTYPE, b"x")],
    "parent name": [("../../../../../../../../CANARY", tarfile.REGTYPE, b"x")],
    "write through an absolute link": [("l", tarfile.SYMTYPE, "CANARYDIR"), ("l/f", tarfile.REGTYPE, b"x")],
    "write through a relative link": [("l", tarfile.SYMTYPE, "../../../../../../..CANARYDIR"), ("l/f", tarfile.REGTYPE, b"x")],
    "overwrite through a link": [("l", tarfile.SYMTYPE, "CANARY"), ("l", tarfile.REGTYPE, b"x")],
    "hard link to the outside": [("h", tarfile.LNKTYPE, "CANARY"), ("h", tarfile.REGTYPE, b"x")],
    "hard link by parents": [("h", tarfile.LNKTYPE, "../../../../../../..CANARY")],
    "whiteout of the root": [(".wh..", tarfile.REGTYPE, b"")],
    "whiteout of the parent": [(".wh...", tarfile.REGTYPE, b"")],
    "whiteout through a link": [("l", tarfile.SYMTYPE, "CANARYDIR"), ("l/.wh.keep", tarfile.REGTYPE, b"")],
    "opaque through a link": [("l", tarfile.SYMTYPE, "CANARYDIR"), ("l/.wh..wh..opq", tarfile.REGTYPE, b"")],
    "chain of links": [("a", tarfile.SYMTYPE, "b"), ("b", tarfile.SYMTYPE, "CANARYDIR"), ("a/f", tarfile.REGTYPE, b"x")],
    "directory over a link": [("l", tarfile.SYMTYPE, "CANARYDIR"), ("l", tarfile.DIRTYPE, None), ("l/f", tarfile.REGTYPE, b"x")],
}


@pytest.fixture
def canary(tmp_path):
    directory = tmp_path / "canary"
    directory.mkdir()
    (directory / "keep").write_text("keep")
    file = tmp_path / "canary.file"
    file.write_text("canary")
    def state():
        return (file.read_text(), file.stat().st_mode, file.stat().st_nlink, file.stat().st_mtime_ns,
                sorted(p.name for p in directory.iterdir()), directory.stat().st_mode)
    before = state()
    yield file, directory
    assert state() == before, "something outside was touched"


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("way", ["load", "import", "archive", "build"])
def test_hostile_archives_stay_inside(daemon, canary, name, way):
    file, directory = canary
    fill = lambda text: text.replace("CANARYDIR", str(directory)).replace("CANARY", str(file)) if isinstance(text, str) else text
    layer = tar_of(*[(fill(n), t, fill(x)) for n, t, x in HOSTILE[name]])
    tar_type = {"Content-Type": "application/x-tar"}
    if way == "load":
        daemon.request("POST", "/images/load", docker_archive([layer]), tar_type)
        daemon.request("DELETE", "/images/hostile:1?force=1")
    elif way == "import":
        daemon.request("POST", "/images/create?fromSrc=-&repo=hostile&tag=1", layer, tar_type)
        daemon.request("DELETE", "/images/hostile:1?force=1")
    elif way == "archive":
        daemon.json("POST", "/containers/create?name=target", {"Image": "busybox", "Cmd": ["true"]})
        daemon.request("PUT", "/containers/target/archive?path=/tmp", layer, tar_type)
        daemon.request("DELETE", "/containers/target?force=1")
    else:
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as tar:
            for entry, data in (("Dockerfile", b"FROM busybox\nADD layer.tar /x/\n"), ("layer.tar", layer)):
                info = tarfile.TarInfo(entry)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        daemon.request("POST", "/build?t=hostile:1", context.getvalue(), tar_type)
        daemon.request("DELETE", "/images/hostile:1?force=1")
    daemon.request("POST", "/images/prune")
    assert daemon.request("GET", "/_ping")[0] == 200


@pytest.mark.parametrize("archive", [
    b"", b"not a tar at all" * 100, gzip.compress(b"x" * 100000)[:-30],
    docker_archive([b"broken layer" * 100]),
    docker_archive([tar_of(("f", tarfile.REGTYPE, b"x"))], manifest=b"{"),
    docker_archive([tar_of(("f", tarfile.REGTYPE, b"x"))], manifest=b'[{"Config":"../../etc/passwd","Layers":[]}]'),
    docker_archive([tar_of(("f", tarfile.REGTYPE, b"x"))], config=b'{"rootfs":{"type":"layers","diff_ids":["sha256:' + b"0" * 64 + b'"]}}'),
    docker_archive([tar_of(("f", tarfile.REGTYPE, b"x"))], config=b'{"rootfs":{"diff_ids":[]}}'),
])
def test_bad_archives_are_refused_and_leave_nothing(daemon, archive):
    before = daemon.json("GET", "/images/json?all=1")
    status, _, body = daemon.request("POST", "/images/load", archive, {"Content-Type": "application/x-tar"})
    assert status >= 400 or b"error" in body, (status, body)
    assert daemon.json("GET", "/images/json?all=1") == before


def test_an_exec_of_nothing_and_a_paused_one(daemon, docker):
    docker("run", "-d", "--name", "pz", "busybox", "sleep", "1000")
    assert daemon.request("POST", "/containers/pz/exec", {"Cmd": []})[0] == 400
    docker("pause", "pz")
    assert daemon.request("POST", "/containers/pz/exec", {"Cmd": ["true"]})[0] == 409
    docker("unpause", "pz")
    out = docker("exec", "pz", "no-such", check=False)
    assert out.code in (126, 127)
    docker("rm", "-f", "pz")


def test_a_proc_that_is_a_link_is_refused(daemon):
    layer = tar_of(("proc", tarfile.SYMTYPE, "/tmp"), ("tmp", tarfile.DIRTYPE, None))
    daemon.request("POST", "/images/load", docker_archive([layer]), {"Content-Type": "application/x-tar"})
    out = daemon.docker("run", "--rm", "hostile:1", "/x", check=False)
    assert out.code in (125, 126, 127) and "proc" in out.err
    daemon.docker("rmi", "-f", "hostile:1")


# --- HTTP: what is no clean request costs its sender a refusal, and never becomes somebody's request -----------------

SMUGGLED = b"POST /containers/create?name=smuggled HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" \
           b'Content-Length: 19\r\n\r\n{"Image":"busybox"}'


@pytest.mark.parametrize("head, body", [
    (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"),
    (b"Content-Length: 0\r\nContent-Length: 180", b""),
    (b"Content-Length: 0, 180", b""),
    (b"Content-Length: +0", b""),
    (b"Content-Length: 0x0", b""),
    (b"Content-Length: -1", b""),
    (b"Content-Length: 18446744073709551616", b""),
    (b"Transfer-Encoding: chunked, identity", b"0\r\n\r\n"),
    (b"Transfer-Encoding: xchunked", b"0\r\n\r\n"),
    (b"Transfer-Encoding : chunked", b"0\r\n\r\n"),
    (b"Transfer-Encoding:\x0bchunked", b"0\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", b"0\r\n\r\n"),
    (b"X: a\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
    (b"X: a\rb", b""),
    (b"X: a\x00b", b""),
    (b"Transfer-Encoding: chunked", b"zz\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"-0\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"ffffffffffffffff1\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"1\r\nab\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"1\na\n0\n\n"),
    (b"Host: other", b""),
])
def test_nothing_is_smuggled_behind_an_unclear_length(daemon, head, body):
    answer = raw(daemon, b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + head +
                 b"\r\n\r\n" + body + SMUGGLED)
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:300]
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert daemon.request("GET", "/containers/smuggled/json")[0] == 404


def test_a_body_is_never_the_next_request(daemon):
    """An endpoint that does not look at its body leaves it where it was."""
    answer = raw(daemon, b"GET /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED +
                 b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 2 and b"ApiVersion" in answer
    assert daemon.request("GET", "/containers/smuggled/json")[0] == 404


def test_chunk_extensions_are_ignored_and_bounded(daemon):
    body = b'{"Image":"absent-image"}'
    head = b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n" \
           b"Transfer-Encoding: chunked\r\n\r\n"
    assert b"404" in raw(daemon, head + b"%x;a=b;c\r\n%s\r\n0\r\n\r\n" % (len(body), body)).split(b"\r\n")[0]
    flood = head + b"%x;" % len(body) + b"a" * 5_000_000 + b"\r\n" + body + b"\r\n0\r\n\r\n"
    before = resident(daemon)
    try:
        answer = raw(daemon, flood)
        assert not answer.startswith(b"HTTP/1.1 2")
    except (ConnectionError, BrokenPipeError):
        pass  # cut off while it was still sending
    assert resident(daemon) < before + 8_000


def resident(daemon):
    """The daemon's own memory in KiB: what no other process shares with it."""
    rows = pathlib.Path(f"/proc/{daemon.process.pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in rows.splitlines() if line.startswith(("Private_Clean", "Private_Dirty")))


def connect(daemon):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(str(daemon.socket))
    return s


def test_half_open_connections_cost_little_and_end(daemon):
    before = resident(daemon)
    slow = [connect(daemon) for _ in range(400)]
    try:
        for s in slow:
            s.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        began = time.monotonic()
        assert daemon.request("GET", "/_ping")[0] == 200
        assert time.monotonic() - began < 5
        assert resident(daemon) < before + 400 * 64
        # One more byte now and then does not buy more time: the head has ten seconds altogether.
        for s in slow[:20]:
            s.sendall(b"a")
        for s in slow:
            assert s.recv(4096).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 20
    finally:
        for s in slow:
            s.close()


def test_header_floods_are_refused_early(daemon):
    before = resident(daemon)
    for flood in (b"X: " + b"a" * 3_000_000, b"".join(b"X-%d: y\r\n" % n for n in range(200_000))):
        s = connect(daemon)
        try:
            s.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n" + flood + b"\r\n\r\n")
            assert s.recv(4096).startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
        except (BrokenPipeError, ConnectionResetError):
            pass  # cut off while it was still sending
        finally:
            s.close()
    assert resident(daemon) < before + 8_000


@pytest.mark.parametrize("length", [b"5000000", b"999999999999"])
def test_a_huge_body_is_refused_before_it_is_read(daemon, length):
    s = connect(daemon)
    s.sendall(b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " + length +
              b"\r\n\r\n{")
    answer = s.recv(4096)
    s.close()
    assert answer.startswith(b"HTTP/1.1 400 ") and b"larger" in answer


@pytest.mark.parametrize("body, words", [
    ("", ""), ("null", ""), ("nul", "JSON"), ('"text"', "object"), ("5", "object"), ('{"Image":"a"}{"Image":"b"}', "JSON"),
    ('{"Image":"a",}', "JSON"), ("{'Image':'a'}", "JSON"), ('{"Image":"a"', "JSON"), (r'{"Image":"\ud800"}', ""),
    ('{"Cmd":{"a":1}}', "Cmd"), ('{"Cmd":[1]}', "Cmd"), ('{"Env":"A=b"}', "Env"), ('{"Image":"busybox","HostConfig":[]}', "HostConfig"),
    ('{"Image":"busybox","HostConfig":{"Memory":"1g"}}', "Memory"), ('{"Image":"busybox","HostConfig":{"Memory":1.5}}', "Memory"),
    ('{"Image":"busybox","HostConfig":{"Memory":99999999999999999999}}', "Memory"), ('{"Tty":"yes"}', "Tty"), ('{"Labels":["a"]}', "Labels"),
    ("[" * 5000, ""), ('{"a":' * 5000 + "1" + "}" * 5000, ""),
])
def test_bodies_of_the_wrong_form_name_what_is_wrong(daemon, body, words):
    status, _, answer = daemon.request("POST", "/containers/create", body.encode(), {"Content-Type": "application/json"})
    assert status == 400, answer
    assert words in json.loads(answer)["message"]


def test_the_last_of_duplicate_keys_counts(daemon):
    status, _, answer = daemon.request("POST", "/containers/create", b'{"Image":"first-image","Image":"second-image"}',
                                       {"Content-Type": "application/json"})
    assert status == 404 and b"second-image" in answer


def test_memory_comes_back_after_a_crowd_of_broken_streams(own_daemon):
    own_daemon.docker("run", "-d", "--name", "crowd", "busybox", "sh", "-c", "while echo line; do sleep 1; done")
    for _ in range(20):
        own_daemon.request("GET", "/_ping")
    for _ in range(10):
        crowd = [connect(own_daemon) for _ in range(200)]
        for n, s in enumerate(crowd):
            path = [b"/events", b"/containers/crowd/logs?follow=1&stdout=1", b"/containers/crowd/stats"][n % 3]
            s.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        for s in crowd:
            assert s.recv(1)
        for s in crowd:
            s.close()
    own_daemon.docker("rm", "-f", "crowd")
    assert wait_for(lambda: resident(own_daemon) < 20_000, 25), resident(own_daemon)
