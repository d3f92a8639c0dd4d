"""A daemon that hangs with its sockets open: the shims do not wait for it for ever, and it finds its way back."""
import os
import signal
import time

from support import wait_for
from test_explain import ended, events
from test_health import CHECK, health

COUNT = "echo run; sleep 1000"


class Frozen:
    """The daemon, stopped for the length of a block."""

    def __init__(self, daemon):
        self.pid = daemon.process.pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


def runs_in(daemon, name):
    """The container's runs, counted in its log without asking the daemon."""
    log = daemon.data_root / "containers" / name / "log"
    return sum(path.read_bytes().count(b"run\\n") for path in log.glob("*json*"))


def processes_of(daemon, cid):
    found = [open(f"{path}/cgroup.procs").read().split() for path in daemon.cgroups() if path.endswith(cid)]
    return {int(pid) for pids in found for pid in pids}


def test_restarts_and_health_go_on_while_the_daemon_hangs(own_daemon):
    d = own_daemon
    cid = d.docker("run", "-d", "--name", "srv", "--restart", "always", *CHECK, "busybox", "sh", "-c", COUNT).strip()
    assert wait_for(lambda: health(d, "srv")["Status"] == "unhealthy", 10)
    first = d.inspect("srv")["State"]["Pid"]
    with Frozen(d):
        os.kill(first, signal.SIGKILL)
        assert wait_for(lambda: runs_in(d, cid) == 2, 12), "started again although the daemon says nothing"
        time.sleep(1.2)  # some probes
    assert wait_for(lambda: d.inspect("srv")["RestartCount"] == 1, 10)
    state = d.inspect("srv")["State"]
    assert state["Running"] and state["Pid"] not in (0, first) and os.path.exists(f"/proc/{state['Pid']}")
    actions = [e["Action"] for e in events(d, "srv")]
    assert [a for a in actions if a in ("start", "die")] == ["start", "die", "start"], actions
    assert wait_for(lambda: health(d, "srv")["Status"] == "unhealthy", 10), "of the new run"
    assert d.docker("exec", "srv", "echo", "in") == "in\n"
    # The daemon is in charge again: the next end is its own to deal with.
    os.kill(state["Pid"], signal.SIGKILL)
    assert wait_for(lambda: runs_in(d, cid) == 3, 4)
    d.docker("stop", "-t", "0", "srv")
    assert ended(d, "srv")["Sampan"]["Reason"] == "stop"
    d.docker("rm", "srv")


def test_a_daemon_that_hangs_for_a_moment_loses_nothing(own_daemon):
    d = own_daemon
    cid = d.docker("run", "-d", "--name", "srv", "--restart", "always", "busybox", "sh", "-c", COUNT).strip()
    first = d.inspect("srv")["State"]["Pid"]
    with Frozen(d):
        os.kill(first, signal.SIGKILL)
        time.sleep(1)
    assert wait_for(lambda: runs_in(d, cid) == 2, 5)
    time.sleep(5)
    assert runs_in(d, cid) == 2, "one of the two has started it, not both"
    assert d.inspect("srv")["RestartCount"] == 1
    d.docker("rm", "-f", "srv")


def test_a_limit_is_kept_while_the_daemon_hangs(own_daemon):
    d = own_daemon
    cid = d.docker("run", "-d", "--name", "once", "--restart", "on-failure:1", "busybox", "sh", "-c", COUNT).strip()
    first = d.inspect("once")["State"]["Pid"]
    with Frozen(d):
        os.kill(first, signal.SIGKILL)
        assert wait_for(lambda: runs_in(d, cid) == 2, 12)
        for pid in processes_of(d, cid):
            os.kill(pid, signal.SIGKILL)
        time.sleep(1)
    assert ended(d, "once")["ExitCode"] == 137 and d.inspect("once")["RestartCount"] == 1
    assert runs_in(d, cid) == 2
    d.docker("rm", "once")
