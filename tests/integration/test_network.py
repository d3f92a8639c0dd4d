"""Bridges, names and published ports; everything inside the network namespace that the suite runs in."""
import contextlib
import json
import os
import socket
import subprocess
import threading
import time

import pytest

from support import BUILD, free_port, wait_for


def fetch(address, port, timeout=5):
    with socket.create_connection((address, port), timeout=timeout) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        data = b""
        while piece := connection.recv(65536):
            data += piece
        return data


def serve(docker, name, *flags, text="hello"):
    docker("run", "-d", "--name", name, *flags, "busybox", "sh", "-c",
           f"mkdir /w; echo {text} > /w/index.html; exec httpd -f -p 80 -h /w")


def answers(address, port, text="hello"):
    def once():
        try:
            return text.encode() in fetch(address, port, 2)
        except OSError:
            return False
    return wait_for(once, 5, 0.05)


@contextlib.contextmanager
def outside():
    """Another host on a wire to this namespace: 10.77.0.2, while we are 10.77.0.1."""
    name = f"out{os.getpid()}"
    run = lambda *argv: subprocess.run(argv, check=True, capture_output=True)
    process = subprocess.Popen(["unshare", "--net", "sleep", "1000"])
    try:
        wait_for(lambda: os.readlink(f"/proc/{process.pid}/ns/net") != os.readlink("/proc/self/ns/net"), 5)
        run("ip", "link", "add", "itest0", "type", "veth", "peer", "name", "eth0", "netns", str(process.pid))
        run("ip", "addr", "add", "10.77.0.1/24", "dev", "itest0")
        run("ip", "link", "set", "itest0", "up")
        inside = ["nsenter", "-t", str(process.pid), "-n"]
        run(*inside, "ip", "addr", "add", "10.77.0.2/24", "dev", "eth0")
        run(*inside, "ip", "link", "set", "eth0", "up")
        run(*inside, "ip", "route", "add", "default", "via", "10.77.0.1")
        yield inside
    finally:
        process.kill()
        process.wait()
        subprocess.run(["ip", "link", "del", "itest0"], capture_output=True)


def test_published_port_from_everywhere(docker):
    port = free_port()
    serve(docker, "web", "-p", f"{port}:80")
    with outside() as inside:
        assert answers("127.0.0.1", port)
        assert answers("10.77.0.1", port), "the host's own address"
        out = subprocess.run([*inside, "curl", "-sS", "-m", "3", f"http://10.77.0.1:{port}/"], capture_output=True, text=True)
        assert out.stdout == "hello\n", out.stderr
        address = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web").strip()
        direct = subprocess.run([*inside, "curl", "-sS", "-m", "1", f"http://{address}:80/"], capture_output=True, text=True)
        assert direct.returncode != 0, "an address behind the bridge must not be reachable from outside"
    assert answers("::1", port) or not os.path.exists("/proc/sys/net/ipv6")
    docker("rm", "-f", "web")
    with pytest.raises(OSError):
        fetch("127.0.0.1", port, 1)


def test_port_conflicts(docker):
    port = free_port()
    serve(docker, "one", "-p", f"{port}:80")
    second = docker("run", "-d", "--name", "two", "-p", f"{port}:80", "busybox", "sleep", "9", check=False)
    assert second.code == 125 and "port is already allocated" in second.err
    docker("rm", "-f", "two", check=False)
    docker("rm", "-f", "one")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other = docker("run", "-d", "--name", "three", "-p", f"127.0.0.1:{taken.getsockname()[1]}:80", "busybox", "sleep", "9", check=False)
        assert other.code == 125 and "address already in use" in other.err
    docker("rm", "-f", "three", check=False)


def test_udp_and_publish_all(daemon, docker):
    docker("run", "-d", "--name", "udp", "-P", "--expose", "9000/udp", "-v", f"{BUILD}/tests/init:/init:ro", "busybox",
           "/init", "udp-echo", "9000")
    port = int(daemon.inspect("udp")["NetworkSettings"]["Ports"]["9000/udp"][0]["HostPort"])
    def arrived():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            s.sendto(b"ping\n", ("127.0.0.1", port))
            try:
                return s.recv(100) == b"ping\n"
            except OSError:
                return False
    assert wait_for(arrived, 5)
    docker("rm", "-f", "udp")


def test_containers_reach_each_other_and_out(docker):
    serve(docker, "srv")
    address = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "srv").strip()
    assert docker("run", "--rm", "busybox", "wget", "-q", "-O-", f"http://{address}/") == "hello\n"
    docker("rm", "-f", "srv")
    with outside() as inside:
        server = subprocess.Popen([*inside, "busybox", "nc", "-l", "-p", "7777", "-e", "/bin/echo", "from outside"])
        try:
            out = wait_for(lambda: docker("run", "--rm", "busybox", "sh", "-c", "nc 10.77.0.2 7777", check=False), 5)
            assert out == "from outside\n"
        finally:
            server.kill()
            server.wait()


def test_network_none_and_host(docker):
    assert docker("run", "--rm", "--network", "none", "busybox", "sh", "-c", "ip -o link | wc -l").strip() == "1"
    port = free_port()
    docker("run", "-d", "--name", "hst", "--network", "host", "busybox", "httpd", "-f", "-p", str(port))
    assert wait_for(lambda: answers("127.0.0.1", port, "HTTP"), 5)
    docker("rm", "-f", "hst")


def test_user_network_has_names_and_isolation(daemon, docker):
    docker("network", "create", "--subnet", "10.99.0.0/24", "--gateway", "10.99.0.1", "mynet")
    docker("network", "create", "other")
    serve(docker, "db", "--network", "mynet", "--network-alias", "store", "--ip", "10.99.0.77")
    for name in ("db", "store"):
        assert docker("run", "--rm", "--network", "mynet", "busybox", "wget", "-q", "-O-", f"http://{name}/") == "hello\n"
    apart = docker("run", "--rm", "--network", "other", "busybox", "wget", "-q", "-T", "1", "-O-", "http://10.99.0.77/", check=False)
    assert apart.code != 0
    assert "10.99.0.77" in docker("network", "inspect", "mynet")
    busy = docker("network", "rm", "mynet", check=False)
    assert busy.code == 1 and "active endpoints" in busy.err
    docker("rm", "-f", "db")
    docker("network", "rm", "mynet", "other")
    builtin = docker("network", "rm", "bridge", check=False)
    assert builtin.code == 1 and "pre-defined" in builtin.err


def test_connect_and_disconnect_a_running_container(docker):
    docker("network", "create", "late")
    docker("run", "-d", "--name", "con", "busybox", "sleep", "1000")
    docker("network", "connect", "late", "con")
    assert docker("exec", "con", "sh", "-c", "ip -o -4 addr | wc -l").strip() == "3"
    docker("network", "disconnect", "late", "con")
    assert docker("exec", "con", "sh", "-c", "ip -o -4 addr | wc -l").strip() == "2"
    docker("rm", "-f", "con")
    docker("network", "rm", "late")


def test_many_containers_at_once_get_different_addresses(docker):
    names = [f"m{i}" for i in range(12)]
    threads = [threading.Thread(target=docker, args=("run", "-d", "--name", n, "busybox", "sleep", "1000")) for n in names]
    [t.start() for t in threads]
    [t.join() for t in threads]
    addresses = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", *names).split()
    assert len(set(addresses)) == len(names)
    docker("rm", "-f", *names)


def test_the_hosts_own_tables_are_never_touched(docker):
    subprocess.run(["nft", "-f", "-"], input="table ip mine {\n chain c {\n type filter hook input priority 5; policy accept;\n counter\n }\n}\n", text=True, check=True)
    try:
        before = subprocess.run(["nft", "list", "table", "ip", "mine"], capture_output=True, text=True).stdout.split("packets")[0]
        docker("run", "--rm", "-p", f"{free_port()}:80", "busybox", "true")
        after = subprocess.run(["nft", "list", "table", "ip", "mine"], capture_output=True, text=True).stdout.split("packets")[0]
        assert before == after
    finally:
        subprocess.run(["nft", "delete", "table", "ip", "mine"], check=True)
