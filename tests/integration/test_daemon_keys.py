"""Keys of daemon.json by what they do to containers: gateways, no bridge, an end that stops containers, memory pressure, logs."""
import json
import pathlib
import time

import pytest

from support import Daemon, sweep, wait_for


@pytest.fixture
def configured(tmp_path_factory, rootfs_tar):
    """Makes a daemon with a configuration and busybox in it."""
    made = []

    def make(config):
        daemon = Daemon(tmp_path_factory.mktemp("k"))
        (daemon.home / "daemon.json").write_text(json.dumps(config))
        daemon.args = ["--config-file", str(daemon.home / "daemon.json")]
        made.append(daemon)
        daemon.start()
        daemon.import_busybox(rootfs_tar)
        return daemon

    yield make
    for daemon in made:
        daemon.ensure_running()
        sweep(daemon)
        daemon.end()


def test_without_live_restore_an_orderly_end_stops_containers_and_policies_bring_them_back(configured):
    daemon = configured({"live-restore": False})
    assert daemon.json("GET", "/info")["LiveRestoreEnabled"] is False
    def run(name, script, *options):
        daemon.docker("run", "-d", "--name", name, "--network=none", *options, "busybox", "sh", "-c", script)
    trap = "trap 'echo told; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    run("polite", trap)
    run("again", trap, "--restart", "unless-stopped")
    run("always", trap, "--restart", "always")
    run("gone", trap, "--rm")
    run("by-hand", trap, "--restart", "unless-stopped")
    daemon.docker("stop", "-t", "5", "by-hand")
    run("deaf", "trap '' TERM; echo ready; while :; do sleep 0.05; done", "--stop-timeout", "1")
    for name in ("polite", "again", "always", "deaf"):
        assert wait_for(lambda: "ready" in daemon.docker("logs", name), 5)
    began = time.monotonic()
    daemon.stop()
    assert time.monotonic() - began < 8
    assert not daemon.shim_pids()
    daemon.start()
    running = lambda: set(daemon.docker("ps", "--format", "{{.Names}}").split())
    assert wait_for(lambda: running() == {"again", "always"}, 5), running()
    assert daemon.inspect("polite")["State"]["ExitCode"] == 7
    assert daemon.docker("logs", "polite").split() == ["ready", "told"]
    assert daemon.inspect("deaf")["State"]["ExitCode"] == 137
    assert daemon.inspect("by-hand")["State"]["Status"] == "exited"
    assert daemon.request("GET", "/containers/gone/json")[0] == 404
    # A crash stops nothing.
    daemon.kill()
    daemon.start()
    assert running() == {"again", "always"}


def test_containers_are_not_cut_short_by_the_shutdown_timeout(configured):
    daemon = configured({"live-restore": False, "shutdown-timeout": 1})
    daemon.docker("run", "-d", "--name", "slow", "--network=none", "busybox", "sh", "-c",
                  "trap 'sleep 2; exit 5' TERM; echo ready; while :; do sleep 0.05; done")
    assert wait_for(lambda: "ready" in daemon.docker("logs", "slow"), 5)
    daemon.stop()
    daemon.start()
    assert daemon.inspect("slow")["State"]["ExitCode"] == 5


def test_no_bridge_leaves_containers_alone_by_default(configured):
    daemon = configured({"bridge": "none"})
    names = {network["Name"] for network in daemon.json("GET", "/networks")}
    assert names == {"host", "none"}
    daemon.docker("run", "--name", "alone", "busybox", "sh", "-c", "ls /sys/class/net")
    assert daemon.docker("logs", "alone").split() == ["lo"]
    assert daemon.inspect("alone")["HostConfig"]["NetworkMode"] == "none"
    refused = daemon.docker("run", "--rm", "--network", "bridge", "busybox", "true", check=False)
    assert refused.code == 125 and "network bridge not found" in refused.err
    daemon.docker("network", "create", "own")
    assert "eth0" in daemon.docker("run", "--rm", "--network", "own", "busybox", "ls", "/sys/class/net")
    daemon.docker("network", "rm", "own")


def test_gateways_are_what_the_configuration_says(configured):
    daemon = configured({"bip": "10.197.0.1/24", "default-gateway": "10.197.0.2", "host-gateway-ips": ["192.0.2.9", "2001:db8::9"]})
    out = daemon.docker("run", "--rm", "--add-host", "there:host-gateway", "busybox", "sh", "-c", "ip route; ip -4 -o addr show eth0; cat /etc/hosts")
    assert "default via 10.197.0.2" in out
    assert "10.197.0.3/24" in out, "the gateway's address is nobody's"
    assert "192.0.2.9\tthere" in out and "2001:db8::9\tthere" in out


def test_a_gateway_outside_the_bridge_stops_the_start(tmp_path):
    daemon = Daemon(tmp_path)
    (daemon.home / "daemon.json").write_text(json.dumps({"bip": "10.197.0.1/24", "default-gateway": "10.1.1.1"}))
    daemon.args = ["--config-file", str(daemon.home / "daemon.json")]
    daemon.start(wait=False)
    assert daemon.process.wait(timeout=20) == 1
    assert "default gateway 10.1.1.1 is not in the bridge's subnet 10.197.0.0/24" in daemon.log.read_text()


def test_the_daemons_share_of_memory_pressure_is_not_its_containers(configured):
    daemon = configured({"oom-score-adjust": 150, "node-generic-resources": ["gpu=a", "gpu=b", "ssd=3"]})
    assert pathlib.Path(f"/proc/{daemon.process.pid}/oom_score_adj").read_text() == "150\n"
    daemon.docker("run", "-d", "--name", "one", "--network=none", "busybox", "sleep", "100")
    assert daemon.docker("exec", "one", "cat", "/proc/1/oom_score_adj").strip() == "0"
    assert daemon.docker("exec", "one", "cat", "/proc/self/oom_score_adj").strip() == "0"
    assert daemon.json("GET", "/info")["GenericResources"] == [
        {"NamedResourceSpec": {"Kind": "gpu", "Value": "a"}}, {"NamedResourceSpec": {"Kind": "gpu", "Value": "b"}},
        {"DiscreteResourceSpec": {"Kind": "ssd", "Value": 3}}]


def test_options_of_the_default_log_driver_go_with_it_and_with_no_other(configured):
    daemon = configured({"log-driver": "local", "log-opts": {"max-size": "5m", "max-file": "2"}})
    def log_config(*options):
        daemon.docker("run", "--name", "one", "--network=none", *options, "busybox", "echo", "hi")
        facts = daemon.inspect("one")["HostConfig"]["LogConfig"]
        shown = daemon.docker("logs", "one")
        daemon.docker("rm", "one")
        assert shown == "hi\n"
        return facts
    assert daemon.json("GET", "/info")["LoggingDriver"] == "local"
    assert log_config() == {"Type": "local", "Config": {"max-file": "2", "max-size": "5m"}}
    assert log_config("--log-opt", "max-size=1m") == {"Type": "local", "Config": {"max-file": "2", "max-size": "1m"}}
    assert log_config("--log-driver", "local", "--log-opt", "max-file=4") == {"Type": "local", "Config": {"max-file": "4", "max-size": "5m"}}
    assert log_config("--log-driver", "json-file") == {"Type": "json-file", "Config": {}}
