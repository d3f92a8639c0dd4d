"""Health checks are the shim's: they go on while no daemon runs, and an unhealthy container can be started anew."""
import json
import time

from support import wait_for
from test_explain import events

CHECK = ["--health-cmd", "echo looked; test -e /tmp/good", "--health-interval", "200ms", "--health-timeout", "2s",
         "--health-retries", "2"]


def health(daemon, name):
    return daemon.inspect(name)["State"]["Health"]


def is_status(daemon, name, status):
    return wait_for(lambda: health(daemon, name)["Status"] == status, 10)


def test_health_changes_with_its_probes_and_keeps_five_results(daemon):
    daemon.docker("run", "-d", "--name", "hc", *CHECK, "busybox", "sleep", "1000")
    assert health(daemon, "hc")["Status"] == "starting"
    assert is_status(daemon, "hc", "unhealthy")
    assert health(daemon, "hc")["Log"][-1]["Output"] == "looked\n" and health(daemon, "hc")["Log"][-1]["ExitCode"] == 1
    assert "health check failed" in daemon.sampan("why", "hc")
    daemon.docker("exec", "hc", "touch", "/tmp/good")
    assert is_status(daemon, "hc", "healthy")
    assert health(daemon, "hc")["FailingStreak"] == 0 and len(health(daemon, "hc")["Log"]) <= 5
    actions = [e["Action"] for e in events(daemon, "hc")]
    assert "health_status: unhealthy" in actions and "health_status: healthy" in actions
    assert not [a for a in actions if a == "exec_die" and "touch" not in a][1:], "probes are no execs of a client"
    daemon.docker("rm", "-f", "hc")


def test_a_probe_that_takes_too_long_is_killed_and_counts(daemon):
    daemon.docker("run", "-d", "--name", "slow", "--health-cmd", "sleep 100", "--health-interval", "100ms",
                  "--health-timeout", "200ms", "--health-retries", "1", "busybox", "sleep", "1000")
    assert is_status(daemon, "slow", "unhealthy")
    last = health(daemon, "slow")["Log"][-1]
    assert last["ExitCode"] == -1 and "exceeded timeout (200 ms)" in last["Output"]
    daemon.docker("rm", "-f", "slow")


def test_health_goes_on_without_a_daemon(own_daemon):
    d = own_daemon
    d.docker("run", "-d", "--name", "hc", *CHECK, "busybox", "sh", "-c", "touch /tmp/good; sleep 2; rm /tmp/good; sleep 1000")
    assert is_status(d, "hc", "healthy")
    d.kill()
    killed_at = time.time()
    time.sleep(3.5)
    back_at = time.time()
    d.start()
    assert is_status(d, "hc", "unhealthy")
    turned = [e for e in events(d, "hc") if e["Action"] == "health_status: unhealthy"]
    assert len(turned) == 1 and killed_at < turned[0]["timeNano"] / 1e9 < back_at, "told with its real time"
    assert health(d, "hc")["FailingStreak"] > 2, "the probes of that time are counted"
    d.docker("rm", "-f", "hc")


def test_an_unhealthy_container_is_started_anew_when_asked(daemon):
    daemon.docker("run", "-d", "--name", "ill", "--label", "sampan.restart-unhealthy=true", "--restart", "on-failure:1",
                  *CHECK, "busybox", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done")
    assert wait_for(lambda: daemon.inspect("ill")["RestartCount"] == 1, 10)
    assert wait_for(lambda: daemon.inspect("ill")["State"]["Status"] == "exited", 10), "once is the limit"
    state = daemon.inspect("ill")["State"]
    assert state["Sampan"]["Reason"] == "unhealthy" and "health check failed" in state["Sampan"]["Explanation"]
    dies = [e["Actor"]["Attributes"] for e in events(daemon, "ill") if e["Action"] == "die"]
    assert [d["reason"] for d in dies] == ["unhealthy", "unhealthy"]
    daemon.docker("rm", "ill")


def test_a_probe_that_meets_a_pause_has_not_failed(daemon):
    daemon.docker("run", "-d", "--name", "cool", "--health-cmd", "sleep 0.4", "--health-interval", "100ms",
                  "--health-timeout", "900ms", "--health-retries", "1", "busybox", "sleep", "1000")
    assert is_status(daemon, "cool", "healthy")
    for pause in (1.5, 0.7, 2.2):  # longer than the timeout, and shorter
        daemon.docker("pause", "cool")
        time.sleep(pause)
        daemon.docker("unpause", "cool")
        time.sleep(0.6)
    assert health(daemon, "cool")["Status"] == "healthy" and health(daemon, "cool")["FailingStreak"] == 0
    assert not [e for e in events(daemon, "cool") if e["Action"] == "health_status: unhealthy"]
    daemon.docker("rm", "-f", "cool")
