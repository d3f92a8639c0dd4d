"""Restart policies go on while no daemon runs: the shim starts its container again, and the next daemon is told."""
import os
import signal
import time

from support import free_port, wait_for
from test_explain import ended, events
from test_network import answers


def test_a_server_that_dies_without_a_daemon_serves_again_at_its_port(own_daemon):
    d = own_daemon
    port = free_port()
    d.docker("run", "-d", "--name", "web", "--restart", "unless-stopped", "-p", f"{port}:80", "busybox", "sh", "-c",
             "mkdir -p /w; echo hello > /w/index.html; exec httpd -f -p 80 -h /w")
    assert wait_for(lambda: answers("127.0.0.1", port), 5)
    before = d.inspect("web")
    d.kill()
    killed_at = time.time()
    os.kill(before["State"]["Pid"], signal.SIGKILL)
    assert wait_for(lambda: answers("127.0.0.1", port), 10), "started again with nobody there"
    back_at = time.time()
    d.start()
    assert wait_for(lambda: d.inspect("web")["RestartCount"] == 1, 5)
    after = d.inspect("web")
    assert after["State"]["Running"] and after["State"]["Pid"] != before["State"]["Pid"]
    assert os.path.exists(f"/proc/{after['State']['Pid']}")
    address = lambda details: details["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    assert address(after) == address(before)
    times = {e["Action"]: e["timeNano"] / 1e9 for e in events(d, "web")}
    assert killed_at - 0.1 < times["die"] <= times["start"] < back_at
    assert d.docker("exec", "web", "echo", "in") == "in\n"
    d.docker("stop", "-t", "0", "web")
    assert ended(d, "web")["Sampan"]["Reason"] == "stop"
    assert not answers("127.0.0.1", port)


def test_a_limited_policy_ends_without_a_daemon_too(own_daemon):
    d = own_daemon
    d.docker("run", "-d", "--name", "twice", "--restart", "on-failure:2", "busybox", "sh", "-c", "echo run; sleep 0.3; exit 4")
    d.kill()
    time.sleep(2.5)
    d.start()
    state = ended(d, "twice")
    assert state["ExitCode"] == 4 and d.inspect("twice")["RestartCount"] == 2
    assert d.docker("logs", "twice") == "run\n" * 3
    assert [e["Action"] for e in events(d, "twice") if e["Action"] in ("start", "die")] == ["start", "die"] * 3
    d.docker("rm", "twice")


def test_a_stop_that_was_asked_for_is_not_undone(own_daemon):
    d = own_daemon
    d.docker("run", "-d", "--name", "quit", "--restart", "always", "busybox", "sh", "-c",
             "trap 'sleep 0.8; exit 0' TERM; while :; do sleep 0.1; done")
    status = d.request("POST", "/containers/quit/kill?signal=TERM")[0]
    assert status == 204
    d.kill()
    time.sleep(1.8)
    assert not d.shim_pids(), "nothing runs on"
    d.start(wait=True)
    d.docker("rm", "-f", "quit")


def test_a_policy_that_was_changed_while_it_ran_is_the_shims_too(own_daemon):
    d = own_daemon
    d.docker("run", "-d", "--name", "late", "busybox", "sh", "-c", "echo run; sleep 1000")
    d.docker("run", "-d", "--name", "early", "--restart", "always", "-m", "64m", "busybox", "sh", "-c", "echo run; sleep 1000")
    d.docker("update", "--restart", "always", "-m", "32m", "--memory-swap", "32m", "late")
    d.docker("update", "--restart", "no", "early")
    pids = [d.inspect(name)["State"]["Pid"] for name in ("late", "early")]
    d.kill()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    time.sleep(1.5)
    d.start()
    assert wait_for(lambda: d.inspect("late")["RestartCount"] == 1, 5)
    assert d.inspect("late")["State"]["Running"] and d.docker("logs", "late") == "run\n" * 2
    limit = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true"
    assert d.docker("exec", "late", "sh", "-c", limit).split() == [str(32 << 20)], "the limit that was set meanwhile"
    assert ended(d, "early")["ExitCode"] == 137 and d.docker("logs", "early") == "run\n"
    d.docker("rm", "-f", "late", "early")


def test_a_restart_that_fails_is_tried_again_until_it_works(own_daemon, tmp_path):
    d = own_daemon
    source = tmp_path / "needed"
    source.write_text("here")
    cid = d.docker("run", "-d", "--name", "srv", "--restart", "always", "-v", f"{source}:/needed", "busybox", "sh", "-c",
                   "echo run; sleep 1000").strip()
    pid = d.inspect("srv")["State"]["Pid"]
    log = d.data_root / "containers" / cid / "log"
    runs = lambda: sum(path.read_bytes().count(b"run\\n") for path in log.glob("*json*"))
    d.kill()
    source.unlink()
    os.kill(pid, signal.SIGKILL)
    time.sleep(1)
    assert runs() == 1 and d.shim_pids(), "the shim waits for its next try"
    source.write_text("here again")
    assert wait_for(lambda: runs() == 2, 10)
    d.start()
    assert wait_for(lambda: d.inspect("srv")["RestartCount"] == 1, 5) and d.inspect("srv")["State"]["Running"]
    assert d.docker("exec", "srv", "cat", "/needed") == "here again"
    d.docker("rm", "-f", "srv")


def test_the_delays_go_on_where_the_shim_was(own_daemon):
    d = own_daemon
    d.docker("run", "-d", "--name", "loop", "--restart", "always", "busybox", "sh", "-c", "exit 3")
    d.kill()
    time.sleep(3.5)  # 0.1 + 0.2 + 0.4 + 0.8 + 1.6 are over, the next is 3.2 s
    d.start()
    count = lambda: d.inspect("loop")["RestartCount"]
    assert wait_for(lambda: count() >= 4, 3)
    before = count()
    time.sleep(1.2)
    assert count() <= before + 1, "a daemon that began at 100 ms would have done three"
    d.docker("rm", "-f", "loop")
