"""Why a container ended: inspect, events and `sampan why` tell it, whether a daemon was there or not."""
import json
import time
import urllib.parse

from support import wait_for

MEMORY_HOG = "x=a; while :; do x=$x$x; done"


def events(daemon, name, since="0"):
    until = f"{time.time():.6f}"
    filters = urllib.parse.quote(json.dumps({"container": [name]}))
    status, _, data = daemon.request("GET", f"/events?since={since}&until={until}&filters={filters}")
    assert status == 200, data
    return [json.loads(line) for line in data.splitlines() if line.strip()]


def ended(daemon, name):
    assert wait_for(lambda: daemon.inspect(name)["State"]["Status"] == "exited", 15)
    return daemon.inspect(name)["State"]


def run(daemon, *args):
    try:
        daemon.docker("run", "-d", *args)
    except Exception as error:  # a start that fails is a case, too
        return str(error)
    return ""


def test_memory_that_runs_out_is_named_with_its_limit(daemon):
    run(daemon, "--name", "hog", "-m", "16m", "--memory-swap", "16m", "busybox", "sh", "-c", MEMORY_HOG)
    state = ended(daemon, "hog")
    assert state["OOMKilled"] is True and state["ExitCode"] == 137
    assert state["Sampan"]["Reason"] == "oom" and state["Sampan"]["MemoryLimit"] == 16 << 20
    happened = events(daemon, "hog")
    oom = [e for e in happened if e["Action"] == "oom"]
    die = [e for e in happened if e["Action"] == "die"]
    assert len(oom) == 1 and oom[0]["Actor"]["Attributes"]["memoryLimit"] == str(16 << 20)
    assert die[0]["Actor"]["Attributes"]["reason"] == "oom" and die[0]["Actor"]["Attributes"]["exitCode"] == "137"
    assert oom[0]["timeNano"] <= die[0]["timeNano"]
    assert "16 MiB" in daemon.sampan("why", "hog")
    daemon.docker("rm", "hog")


def test_a_child_that_runs_out_of_memory_is_told_while_the_container_runs(daemon):
    run(daemon, "--name", "child", "-m", "16m", "--memory-swap", "16m", "busybox", "sh", "-c",
        f"(sh -c '{MEMORY_HOG}'); echo survived; sleep 1000")
    assert wait_for(lambda: daemon.inspect("child")["State"]["OOMKilled"], 15)
    state = daemon.inspect("child")["State"]
    assert state["Running"] and "16 MiB" in state["Sampan"]["Explanation"]
    assert any(e["Action"] == "oom" for e in events(daemon, "child"))
    daemon.docker("rm", "-f", "child")


def test_every_end_has_its_words(daemon):
    run(daemon, "--name", "code", "busybox", "sh", "-c", "echo good bye; exit 3")
    assert ended(daemon, "code")["Sampan"]["Reason"] == "exit"
    text = daemon.sampan("why", "code")
    assert "exit code 3" in text and "good bye" in text
    run(daemon, "--name", "segv", "--init", "busybox", "sh", "-c", "kill -SEGV $$; sleep 9")
    assert ended(daemon, "segv")["ExitCode"] == 139
    assert "SIGSEGV" in daemon.sampan("why", "segv")
    run(daemon, "--name", "stopped", "--stop-signal", "KILL", "busybox", "sleep", "1000")
    daemon.docker("stop", "stopped")
    assert ended(daemon, "stopped")["Sampan"]["Reason"] == "stop"
    assert "no such program" in run(daemon, "--name", "missing", "busybox", "no such program")
    state = daemon.inspect("missing")["State"]
    assert (state["Status"], state["ExitCode"], state["Sampan"]["Reason"]) == ("created", 127, "start")
    assert "no such program" in daemon.sampan("why", "missing")
    daemon.docker("create", "--name", "never", "busybox", "true")
    assert "never been started" in daemon.sampan("why", "never")
    run(daemon, "--name", "on", "busybox", "sleep", "1000")
    assert "It runs since" in daemon.sampan("why", "on")
    daemon.docker("pause", "on")
    assert "frozen" in daemon.sampan("why", "on")
    run(daemon, "--name", "loop", "--restart", "always", "busybox", "false")
    assert wait_for(lambda: daemon.inspect("loop")["State"]["Sampan"]["Reason"] == "restarting", 10)
    assert "waits for its restart" in daemon.inspect("loop")["State"]["Sampan"]["Explanation"]
    daemon.docker("rm", "-f", "code", "segv", "stopped", "missing", "never", "on", "loop")


def test_a_container_that_does_not_exist_has_no_reason(daemon):
    result = daemon.sampan("why", "nobody", check=False)
    assert result.code == 1 and "No such container: nobody" in result.err


def test_what_happened_without_a_daemon_is_told_with_its_real_time(own_daemon):
    d = own_daemon
    run(d, "--name", "hog", "-m", "16m", "--memory-swap", "16m", "busybox", "sh", "-c",
        f"sleep 0.5; (sh -c '{MEMORY_HOG}'); sleep 0.3; exit 7")
    run(d, "--name", "ex", "busybox", "sleep", "1000")
    d.docker("exec", "-d", "ex", "sh", "-c", "sleep 0.4; exit 5")
    d.kill()
    killed_at = time.time()
    time.sleep(2.5)
    back_at = time.time()
    d.start()
    state = ended(d, "hog")
    assert state["ExitCode"] == 7 and state["OOMKilled"] and state["Sampan"]["MemoryLimit"] == 16 << 20
    happened = {e["Action"]: e for e in events(d, "hog") + events(d, "ex")}
    for action in ("oom", "die", "exec_die"):
        when = happened[action]["timeNano"] / 1e9
        assert killed_at - 0.5 < when < back_at, (action, when, killed_at, back_at)
    assert happened["exec_die"]["Actor"]["Attributes"]["exitCode"] == "5"
    d.docker("rm", "-f", "ex", "hog")
