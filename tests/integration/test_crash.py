"""The daemon, a shim, or both are killed at one system call after the other of each operation.

strace counts the calls that change something (files, mounts, messages) and strikes at the n-th; nothing in the product
knows. After the restart a container is as it was before the operation or as it is after it, and never between.
SAMPAN_CRASH_STRIDE is the distance between two calls that are tried (1 is all of them).
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading

import pytest

from support import census, census_difference, sweep, wait_for

STRIDE = int(os.environ.get("SAMPAN_CRASH_STRIDE", "24"))
CALLS = "write,pwrite64,writev,rename,renameat,renameat2,fsync,fdatasync,ftruncate,unlink,unlinkat,mkdir,mkdirat,rmdir,mount,move_mount,umount2," \
        "sendmsg,sendto,symlinkat,clone,clone3,fchmod,fchown"
SLEEPER = {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "bridge", "CpuShares": 500}}


class Strike:
    """Kills whichever of the processes (or their children) comes first to its n-th call that changes something."""

    def __init__(self, pids, n):
        argv = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={CALLS}", "-e", f"inject={CALLS}:signal=KILL:when={n}"]
        for pid in pids:
            argv += ["-p", str(pid)]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in pids:
            line = self.process.stderr.readline()
            assert "attached" in line, line
        self.reader = threading.Thread(target=self.process.stderr.read, daemon=True)  # or its pipe would fill
        self.reader.start()

    def end(self):
        self.process.send_signal(signal.SIGINT)  # it lets go of what it traces
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:  # it waits for a thread of a process that is gone
            self.process.kill()
            self.process.wait()
        self.reader.join(20)


class Victims:
    """Who is killed, and how to find out."""

    def __init__(self, daemon, who):
        self.daemon, self.who = daemon, who

    def zygote(self):
        children = pathlib.Path(f"/proc/{self.daemon.process.pid}/task").glob("*/children")
        pids = [int(pid) for path in children for pid in path.read_text().split()]
        return next(pid for pid in pids if b"zygote" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())

    def pids(self, operation):
        shims = [self.zygote()] if operation == "start" else self.daemon.shim_pids()
        return {"daemon": [self.daemon.process.pid], "shim": shims, "both": [self.daemon.process.pid, *shims]}[self.who]

    def alive(self, pids):
        def running(pid):
            try:
                return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
            except OSError:
                return False
        return [pid for pid in pids if running(pid)]


class Case:
    """One container, one operation on it, and what is right afterwards."""

    def __init__(self, daemon, victims, operation):
        self.daemon, self.victims, self.operation = daemon, victims, operation
        self.calls = {
            "create": ("POST", "/containers/create?name=victim", SLEEPER, {"absent", "created"}, "created"),
            "start": ("POST", "/containers/victim/start", None, {"created", "running", "exited"}, "running"),
            "stop": ("POST", "/containers/victim/stop?t=0", None, {"running", "exited"}, "exited"),
            "exec": ("POST", "/exec/{exec}/start", {"Detach": True}, {"running"}, "running"),
            "rename": ("POST", "/containers/victim/rename?name=renamed", None, {"running"}, "running"),
            "update": ("POST", "/containers/victim/update", {"CpuShares": 700}, {"running"}, "running"),
            "remove": ("DELETE", "/containers/victim?force=1&v=1", None, {"running", "exited", "absent"}, "absent"),
        }

    def prepare(self):
        if self.operation != "create":
            self.ident = self.daemon.json("POST", "/containers/create?name=victim", SLEEPER)["Id"]
        if self.operation not in ("create", "start"):
            assert self.daemon.request("POST", "/containers/victim/start")[0] == 204
        self.exec_id = ""
        if self.operation == "exec":
            self.exec_id = self.daemon.json("POST", "/containers/victim/exec", {"Cmd": ["touch", "/mark"]})["Id"]

    def act(self):
        """The status of the answer; 0 when there was none."""
        method, path, body, _, _ = self.calls[self.operation]
        try:
            return self.daemon.request(method, path.format(exec=self.exec_id), body, timeout=40)[0]
        except Exception:  # the daemon died under the request
            return 0

    def state(self):
        names = ("victim", "renamed") if self.operation == "rename" else ("victim",)
        found = [name for name in names if self.daemon.request("GET", f"/containers/{name}/json")[0] == 200]
        if not found:
            return "absent", None
        assert len(found) == 1, f"it has both names: {found}"
        record = self.daemon.inspect(found[0])
        return record["State"]["Status"], record

    def check(self, answered, shim_died):
        _, _, _, allowed, after = self.calls[self.operation]
        status, record = self.state()
        if shim_died and "running" in allowed:
            allowed = allowed | {"exited"}
        if 200 <= answered < 300 and not shim_died:
            allowed = {after}
        assert status in allowed, f"{status}, not one of {sorted(allowed)} (answered {answered})"
        if not record:
            return
        state = record["State"]
        assert (state["Pid"] > 0) == (status == "running"), state
        if status == "exited":
            assert state["ExitCode"] != 0, state
        if status == "running":
            assert os.path.exists(f"/proc/{state['Pid']}"), "what runs is there"
            assert self.daemon.docker("exec", record["Name"][1:], "echo", "alive", timeout=20) == "alive\n"
            shares = pathlib.Path(f"/sys/fs/cgroup/cpu/sampan-{self.daemon.instance}/{record['Id']}/cpu.shares")
            if shares.exists():
                assert int(shares.read_text()) == record["HostConfig"]["CpuShares"], "the limit that is told is the one that holds"
        elif status == "created":
            assert self.daemon.request("POST", "/containers/victim/start")[0] == 204, "it can still be started"

    def finish(self):
        for name in ("victim", "renamed"):
            self.daemon.request("DELETE", f"/containers/{name}?force=1&v=1")
        self.daemon.request("DELETE", "/containers/victim?force=1&v=1")

    def strike(self, n):
        """False once the operation ended before its n-th call."""
        self.prepare()
        pids = self.victims.pids(self.operation)
        shims = self.daemon.shim_pids()
        strike = Strike(pids, n)
        try:
            answered = self.act()
            dead = set(pids) - set(self.victims.alive(pids))
            shim_died = bool(set(shims) - set(self.victims.alive(shims))) or (self.operation == "start" and self.victims.who != "daemon")
            hit = bool(dead) and self.operation not in ("stop", "remove") or self.daemon.process.poll() is not None or answered not in (201, 204, 200)
            if hit and self.victims.who == "both":
                for pid in self.victims.alive(pids):
                    os.kill(pid, signal.SIGKILL)
                shim_died = True
        finally:
            strike.end()
        if self.victims.who != "shim" and hit:
            wait_for(lambda: self.daemon.process.poll() is not None, 5)
        self.daemon.ensure_running()
        try:
            wait_for(lambda: self.state()[0] not in ("removing",), 5)
            if self.victims.who != "daemon":
                wait_for(lambda: self.settled(), 5)
            if self.operation not in ("stop", "remove"):  # it takes a moment to die
                shim_died = shim_died or set(shims) != set(self.victims.alive(shims))
            self.check(answered, shim_died)
        except AssertionError as error:
            raise AssertionError(f"{self.victims.who} killed in {self.operation} at call {n}: {error}") from error
        finally:
            self.finish()
        return hit

    def settled(self):
        """The daemon has heard of the shim's end."""
        shims = self.victims.alive(self.daemon.shim_pids())
        status, record = self.state()
        return status != "running" or shims and os.path.exists(f"/proc/{record['State']['Pid']}")


OPERATIONS = {"daemon": ("create", "start", "stop", "exec", "rename", "update", "remove"), "shim": ("start", "stop", "exec", "remove"),
              "both": ("start", "stop", "exec", "remove")}


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("who, operation", [(who, operation) for who, operations in OPERATIONS.items() for operation in operations])
def test_a_kill_at_any_call_leaves_before_or_after(own_daemon, who, operation):
    daemon = own_daemon
    case = Case(daemon, Victims(daemon, who), operation)
    daemon.docker("run", "--rm", "busybox", "true")
    before = census(daemon)
    n, misses = 1, 0
    while misses < 2 and n < 600:
        misses = 0 if case.strike(n) else misses + 1
        n += STRIDE
    assert n > STRIDE + 1, "nothing was struck"
    sweep(daemon)
    wait_for(lambda: not census_difference(before, census(daemon)), 10)
    assert not census_difference(before, census(daemon))
