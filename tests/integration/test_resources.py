"""What the host runs out of: descriptors, processes, disk; and readers that stop reading. The daemon tells it, goes on
for everybody else in bounded memory, and is as before when there is more again.

A step of the clock is tested in the virtual machine (tests/guest/test_engine.py): CLOCK_REALTIME belongs to the whole host.
"""
import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import pytest

from support import DOCKER_DEBIAN, Daemon, sweep, wait_for


def zygote_of(daemon):
    children = pathlib.Path(f"/proc/{daemon.process.pid}/task").glob("*/children")
    return next(int(pid) for path in children for pid in path.read_text().split()
                if b"zygote" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())


def resident_mb(pid):
    return int(re.search(r"^VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1)) / 1024


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def works(daemon):
    return daemon.docker("run", "--rm", "busybox", "echo", "works", timeout=30) == "works\n"


def attempt(daemon):
    """A whole life of a container, as far as it gets; the words of what stopped it."""
    try:
        status, _, body = daemon.request("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]}, timeout=20)
        if status == 201:
            ident = json.loads(body)["Id"]
            status, _, body = daemon.request("POST", f"/containers/{ident}/start", timeout=20)
            daemon.request("DELETE", f"/containers/{ident}?force=1", timeout=20)
    except OSError as error:  # no descriptor for one more connection
        return f"connection: {error}"
    return "" if status in (201, 204) else body.decode()


def test_without_descriptors_it_says_so_and_goes_on_when_there_are_more(own_daemon):
    daemon = own_daemon
    pid = daemon.process.pid
    daemon.docker("run", "-d", "--name", "before", "busybox", "sleep", "1000")
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
    refused = 0
    for spare in (0, 1, 2, 4, 6, 8, 12, 16):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + spare, limits[1]))
        began = processor_seconds(pid)
        words = attempt(daemon)
        if words:
            refused += 1
            assert re.search("open files|connection|Unavailable|timed out|descriptor", words, re.I), words
        assert processor_seconds(pid) - began < 5, "it does not spin"
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert refused, "the limit was never met"
    assert wait_for(lambda: attempt(daemon) == "", 10), "it recovers by itself"
    assert daemon.alive() and daemon.process.pid == pid
    assert daemon.docker("exec", "before", "echo", "still here") == "still here\n"
    assert works(daemon)


@contextlib.contextmanager
def pids_group(name, pids):
    group = pathlib.Path(f"/sys/fs/cgroup/pids/{name}")
    if not (group.parent / "cgroup.procs").exists():
        pytest.skip("no hierarchy of the pids controller (version 1) on this host")
    group.mkdir()
    homes = {pid: re.search(r"^\d+:pids:(.*)$", pathlib.Path(f"/proc/{pid}/cgroup").read_text(), re.M).group(1) for pid in pids}
    try:
        for pid in pids:
            (group / "cgroup.procs").write_text(str(pid))
        yield group
    finally:
        (group / "pids.max").write_text("max")
        for pid, home in homes.items():
            with contextlib.suppress(OSError):
                pathlib.Path(f"/sys/fs/cgroup/pids/{home}/cgroup.procs").write_text(str(pid))
        assert wait_for(lambda: not (group / "cgroup.procs").read_text(), 10)
        group.rmdir()


def test_without_processes_it_says_so_and_goes_on_when_there_are_more(own_daemon):
    daemon = own_daemon
    pid = daemon.process.pid
    assert works(daemon)
    daemon.docker("run", "-d", "--name", "before", "busybox", "sleep", "1000")
    with pids_group(f"sampan-test-{os.getpid()}", [pid, zygote_of(daemon)]) as group:
        refused = 0
        for spare in (0, 1, 2, 3):
            (group / "pids.max").write_text(str(int((group / "pids.current").read_text()) + spare))
            words = attempt(daemon)
            refused += bool(words)
            assert not words or re.search("temporarily unavailable|clone|fork|thread|shim|zygote", words), words
            assert "before" in daemon.docker("ps")
        (group / "pids.max").write_text("max")
        assert refused, "the limit was never met"
        assert wait_for(lambda: attempt(daemon) == "", 10), "it recovers by itself"
        assert daemon.alive() and daemon.process.pid == pid and works(daemon)
        daemon.docker("rm", "-f", "before")


def test_a_full_disk_stops_neither_a_container_nor_the_news_of_its_end(scratch, rootfs_tar):
    home = scratch / "full-logs"
    (home / "data").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(home / "data")], check=True)
    daemon = Daemon(home)
    daemon.start()
    try:
        daemon.import_busybox(rootfs_tar)
        daemon.docker("run", "-d", "--name", "writer", "busybox", "sh", "-c",
                      "while [ ! -e /dev/shm/go ]; do usleep 10000; done; for i in $(seq 20000); do echo line $i; done; exit 7")
        filler = home / "data" / "filler"
        with open(filler, "wb") as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 65536)
                file.flush()
        assert os.statvfs(home / "data").f_bavail == 0
        daemon.docker("exec", "writer", "touch", "/dev/shm/go")
        assert wait_for(lambda: daemon.inspect("writer")["State"]["Status"] == "exited", 20), "no log stalls it"
        assert daemon.inspect("writer")["State"]["ExitCode"] == 7
        answers = [daemon.request("POST", "/containers/create", {"Image": "busybox"}) for _ in range(100)]  # a few may fit
        made = {json.loads(body)["Id"] for status, _, body in answers if status == 201}
        refused = [(status, body.decode()) for status, _, body in answers if status != 201]
        assert refused and all(status == 500 and re.search("space|full", body, re.I) for status, body in refused), refused
        known = {row["Id"] for row in daemon.json("GET", "/containers/json?all=1")}
        assert made <= known and len(known) == len(made) + 1, "what was refused is not there"
        assert daemon.request("GET", "/containers/writer/logs?stdout=1&tail=1")[0] == 200
        filler.unlink()
        assert works(daemon)
        daemon.kill()
        daemon.start()
        assert daemon.inspect("writer")["State"]["Status"] == "exited"
        assert daemon.request("DELETE", "/containers/writer")[0] == 204
    finally:
        daemon.ensure_running()
        sweep(daemon)
        daemon.stop()
        subprocess.run(["umount", "-l", str(home / "data")], check=True)
        daemon.cleanup()


def test_readers_that_stop_reading_cost_bounded_memory_and_stall_nobody(own_daemon):
    daemon = own_daemon
    pid = daemon.process.pid
    daemon.docker("run", "-d", "--name", "loud", "--log-opt", "max-size=4m", "busybox", "sh", "-c",
                  "while :; do dd if=/dev/zero bs=4096 count=64 2>/dev/null | tr '\\0' 'x' | fold -w 100; usleep 20000; done")
    commands = [("logs", "-f", "loud"), ("attach", "--no-stdin", "--sig-proxy=false", "loud"), ("events",), ("stats", "loud")] * 4
    readers = [subprocess.Popen([DOCKER_DEBIAN, "-H", daemon.host, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL) for words in commands]
    try:
        time.sleep(0.5)  # they are connected and have read something
        for reader in readers:
            reader.send_signal(signal.SIGSTOP)
        began = resident_mb(pid)
        for _ in range(8):
            assert works(daemon)
        for index in range(300):  # news for those who watch
            daemon.request("POST", f"/containers/loud/rename?name=loud{index % 2}x" if index % 2 == 0 else "/containers/loud0x/rename?name=loud")
        assert daemon.docker("logs", "--tail", "1", "loud")
        samples = [daemon.json("GET", "/containers/loud/stats?stream=false&one-shot=1") for _ in range(3)]
        assert samples[-1]["cpu_stats"]["cpu_usage"]["total_usage"] > 0
        assert resident_mb(pid) - began < 32, "what nobody reads is not kept"
        shim, = daemon.shim_pids()
        assert resident_mb(shim) < 32
    finally:
        for reader in readers:
            reader.send_signal(signal.SIGCONT)
            reader.kill()
            reader.wait()
            reader.stdout.close()
    assert works(daemon)
    daemon.docker("rm", "-f", "loud")
