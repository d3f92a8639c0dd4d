"""Namespaces that are shared with the host or another container, volumes and names of others."""
import json
import os
import subprocess
import threading
import time

import pytest

from support import wait_for


def ns(kind, pid="self"):
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def ns_of(daemon, name, kind):
    return ns(kind, daemon.inspect(name)["State"]["Pid"])


def refused(daemon, *args):
    result = daemon.docker(*args, check=False)
    assert result.code != 0
    return result.err


@pytest.fixture
def other(daemon):
    daemon.docker("run", "-d", "--name", "other", "--ipc", "shareable", "busybox", "sleep", "1000")
    yield "other"
    daemon.docker("rm", "-f", "other", check=False)


def test_pid_of_the_host_and_of_another(daemon, other):
    daemon.docker("run", "-d", "--name", "pp", "--pid", "host", "busybox", "sleep", "1000")
    assert ns_of(daemon, "pp", "pid") == ns("pid")
    out = daemon.docker("run", "--rm", "--pid", "container:other", "busybox", "ps")
    assert "sleep 1000" in out
    assert "1 root     ps" in daemon.docker("run", "--rm", "busybox", "ps")
    daemon.docker("rm", "-f", "pp")


def test_ipc_private_shareable_none_host_and_of_another(daemon, other):
    daemon.docker("exec", "other", "sh", "-c", "echo shared > /dev/shm/x")
    assert daemon.docker("run", "--rm", "--ipc", "container:other", "busybox", "cat", "/dev/shm/x") == "shared\n"
    daemon.docker("run", "-d", "--name", "cc", "--ipc", "container:other", "busybox", "sleep", "1000")
    assert ns_of(daemon, "cc", "ipc") == ns_of(daemon, "other", "ipc")
    daemon.docker("run", "-d", "--name", "hh", "--ipc", "host", "busybox", "sleep", "1000")
    assert ns_of(daemon, "hh", "ipc") == ns("ipc")
    assert os.stat("/dev/shm").st_dev == os.stat(f"/proc/{daemon.inspect('hh')['State']['Pid']}/root/dev/shm").st_dev
    daemon.docker("run", "-d", "--name", "nn", "--ipc", "none", "busybox", "sleep", "1000")
    assert ns_of(daemon, "nn", "ipc") != ns("ipc")
    assert "/dev/shm" not in daemon.docker("exec", "nn", "cat", "/proc/mounts")
    daemon.docker("run", "-d", "--name", "own", "--ipc", "private", "busybox", "sleep", "1000")
    assert "non-shareable IPC" in refused(daemon, "run", "--rm", "--ipc", "container:own", "busybox", "true")
    daemon.docker("rm", "-f", "cc", "hh", "nn", "own")


def test_uts_of_the_host(daemon):
    assert daemon.docker("run", "--rm", "--uts", "host", "busybox", "hostname").strip() == os.uname().nodename
    assert "conflicting options: hostname and the UTS mode" in refused(
        daemon, "run", "--rm", "--uts", "host", "--hostname", "x", "busybox", "true")


def test_cgroup_namespace_of_the_host_and_private(daemon):
    for mode in ("host", "private"):
        daemon.docker("run", "-d", "--name", mode, "--cgroupns", mode, "busybox", "sleep", "1000")
    assert ns_of(daemon, "host", "cgroup") == ns("cgroup")
    assert ns_of(daemon, "private", "cgroup") != ns("cgroup")
    assert daemon.docker("exec", "private", "cat", "/proc/self/cgroup").splitlines()[0].endswith(":/")
    daemon.docker("rm", "-f", "host", "private")


def test_network_of_another_with_its_names(daemon, other):
    daemon.docker("run", "-d", "--name", "nn", "--network", "container:other", "busybox", "sleep", "1000")
    assert ns_of(daemon, "nn", "net") == ns_of(daemon, "other", "net")
    hosts = daemon.docker("exec", "other", "cat", "/etc/hosts")
    assert daemon.docker("exec", "nn", "cat", "/etc/hosts") == hosts
    assert daemon.docker("exec", "nn", "hostname") == daemon.docker("exec", "other", "hostname")
    text = refused(daemon, "run", "--rm", "--network", "container:other", "-p", "80:80", "busybox", "true")
    assert "conflicting options: port publishing and the container type network mode" in text
    daemon.docker("rm", "-f", "nn")


@pytest.mark.parametrize("flag, words", [("--network", "cannot join network of a non running container"),
                                         ("--pid", "can't join PID namespace of container"),
                                         ("--ipc", "can't join IPC of container")])
def test_who_joins_one_that_has_ended_is_told_so(daemon, flag, words):
    daemon.docker("run", "--name", "gone", "--ipc", "shareable", "busybox", "true")
    cid = daemon.inspect("gone")["Id"]
    daemon.docker("create", "--name", "late", flag, "container:gone", "busybox", "true")
    error = refused(daemon, "start", "late")
    assert words in error and cid in error, error
    daemon.docker("start", "gone")
    daemon.docker("rm", "-f", "late", "gone")


def test_who_joined_stays_when_the_owner_ends(daemon, other):
    daemon.docker("run", "-d", "--name", "nn", "--network", "container:other", "--restart", "always", "busybox", "sleep", "1000")
    daemon.docker("stop", "-t", "0", "other")
    assert daemon.inspect("nn")["State"]["Running"]
    error = refused(daemon, "restart", "-t", "0", "nn")
    assert "cannot join network of a non running container" in error
    daemon.docker("start", "other")
    daemon.docker("start", "nn")
    assert ns_of(daemon, "nn", "net") == ns_of(daemon, "other", "net")
    daemon.docker("rm", "-f", "nn")


def test_volumes_of_another_running_or_not_with_either_mode(daemon):
    daemon.docker("create", "--name", "data", "-v", "/data", "-v", "named:/named", "busybox", "true")
    for suffix, answer in (("", "written"), (":rw", "written"), (":ro", "refused")):
        out = daemon.docker("run", "--rm", "--volumes-from", "data" + suffix, "busybox", "sh", "-c",
                            "(touch /data/x /named/x) 2>/dev/null && echo written || echo refused")
        assert out.strip() == answer, suffix
    assert daemon.docker("run", "--rm", "--volumes-from", "data", "busybox", "ls", "/data", "/named").split() == [
        "/data:", "x", "/named:", "x"]
    assert "no such container" in refused(daemon, "run", "--rm", "--volumes-from", "nobody", "busybox", "true").lower()
    assert "invalid mode" in refused(daemon, "run", "--rm", "--volumes-from", "data:xx", "busybox", "true")
    daemon.docker("rm", "-v", "data")
    daemon.docker("volume", "rm", "named")


def test_a_rule_lets_a_device_be_made_inside(daemon):
    script = "mknod /tmp/null c 1 7 && (echo x > /tmp/null) 2>&1"
    assert "No space left" in daemon.docker("run", "--rm", "--device-cgroup-rule", "c 1:7 rwm", "--cap-add", "MKNOD", "busybox", "sh", "-c",
                                            script, check=False)
    script = "mknod /tmp/mem c 1 1 && cat /tmp/mem"
    blocked = daemon.docker("run", "--rm", "busybox", "sh", "-c", script, check=False)
    assert blocked.code != 0 and "not permitted" in blocked.err
    assert "invalid device cgroup" in refused(daemon, "run", "--rm", "--device-cgroup-rule", "nonsense", "busybox", "true").lower()


def test_a_link_brings_names_and_environment_and_follows_a_new_address(daemon):
    daemon.docker("run", "-d", "--name", "db", "-e", "COLOUR=blue", "--expose", "5432", "busybox", "sleep", "1000")
    daemon.docker("run", "-d", "--name", "web", "--link", "db:store", "busybox", "sleep", "1000")
    address = lambda name: daemon.inspect(name)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    names = lambda: {name: line.split()[0] for line in daemon.docker("exec", "web", "cat", "/etc/hosts").splitlines()
                     for name in line.split()[1:]}
    assert names()["store"] == names()["db"] == address("db")
    env = dict(line.split("=", 1) for line in daemon.docker("exec", "web", "env").splitlines())
    assert env["STORE_NAME"] == "/web/store" and env["STORE_ENV_COLOUR"] == "blue"
    assert env["STORE_PORT"] == env["STORE_PORT_5432_TCP"] == f"tcp://{address('db')}:5432"
    assert (env["STORE_PORT_5432_TCP_ADDR"], env["STORE_PORT_5432_TCP_PORT"],
            env["STORE_PORT_5432_TCP_PROTO"]) == (address("db"), "5432", "tcp")
    assert daemon.inspect("web")["HostConfig"]["Links"] == ["/db:/web/store"]
    # Another takes the address meanwhile.
    before = address("db")
    daemon.docker("stop", "-t", "0", "db")
    daemon.docker("run", "-d", "--name", "thief", "busybox", "sleep", "1000")
    daemon.docker("start", "db")
    if address("db") == before:
        assert names()["store"] == before
    else:
        assert wait_for(lambda: names()["store"] == address("db"), 3)
    # The name goes; the container stays.
    assert daemon.request("DELETE", "/containers/web/store?link=1")[0] == 204
    assert daemon.inspect("web")["HostConfig"]["Links"] is None
    assert "store" not in names() and daemon.inspect("db")["State"]["Running"]
    assert daemon.request("DELETE", "/containers/web/store?link=1")[0] == 404
    daemon.docker("rm", "-f", "web", "db", "thief")


def test_a_pause_in_the_middle_of_a_kill_does_not_delay_it(daemon):
    daemon.docker("run", "-d", "--name", "kk", "busybox", "sh", "-c", "while :; do :; done")
    for _ in range(5):
        pauser = threading.Thread(target=lambda: [daemon.request("POST", "/containers/kk/pause") for _ in range(20)])
        pauser.start()
        begin = time.time()
        status = daemon.request("POST", "/containers/kk/kill")[0]
        took = time.time() - begin
        pauser.join()
        assert status in (204, 409) and took < 5, (status, took)
        assert wait_for(lambda: daemon.inspect("kk")["State"]["Status"] == "exited", 5)
        daemon.docker("start", "kk")
    daemon.docker("rm", "-f", "kk")


def test_a_removal_that_fails_halfway_leaves_a_dead_container_that_can_be_removed(daemon, tmp_path):
    cid = daemon.docker("create", "--name", "stuck", "busybox", "true").strip()
    held = daemon.data_root / "containers" / cid / "held"
    held.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(held)], check=True)
    try:
        status, _, data = daemon.request("DELETE", "/containers/stuck")
        assert status == 500, data
        state = daemon.inspect("stuck")["State"]
        assert state["Status"] == "dead" and state["Dead"] and state["Error"]
        assert "removal failed half-way" in daemon.sampan("why", "stuck")
        assert "marked for removal" in refused(daemon, "start", "stuck")
        assert "stuck" in daemon.docker("ps", "-a", "--filter", "status=dead", "--format", "{{.Names}}")
    finally:
        subprocess.run(["umount", str(held)], check=True)
    daemon.docker("rm", "stuck")
    assert daemon.request("GET", "/containers/stuck/json")[0] == 404
