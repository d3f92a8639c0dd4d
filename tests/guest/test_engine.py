"""The engine on a host with control groups version 2 alone: limits, pause, statistics and memory that runs out, seen in
the kernel's files. By the API, not the docker command: an emulated processor is slow to start that."""
import concurrent.futures
import datetime
import json
import os
import pathlib
import sys
import time
import urllib.parse

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from support import Daemon, UnixConnection, census, census_difference, make_busybox_tar, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif("GUEST_RESULTS" not in os.environ, reason="runs in the virtual machine: ./dev guest")
MIB = 1 << 20
LOOP = ["sh", "-c", "while :; do sleep 0.05; done"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    home = tmp_path_factory.mktemp("engine")
    daemon = Daemon(home / "d")
    daemon.start(wait=False)
    daemon.wait_ready(60)  # the kernel loads what the firewall needs, module by module
    daemon.import_busybox(make_busybox_tar(home / "busybox.tar"))
    yield daemon
    daemon.end()


class Box:
    """One container and the directory of its control group."""
    made = 0

    def __init__(self, engine, command, **host_config):
        Box.made += 1
        self.engine, self.name = engine, f"box{os.getpid()}-{Box.made}"
        body = {"Image": "busybox", "Cmd": command, "Healthcheck": host_config.pop("Healthcheck", None)}
        made = engine.json("POST", f"/containers/create?name={self.name}",
                           {**body, "HostConfig": {"NetworkMode": "none", **host_config}}, expect=201)
        self.warnings = made["Warnings"]

    def start(self):
        self.post("start", expect=204)
        own = pathlib.Path(f"/proc/{self.inspect()['State']['Pid']}/cgroup").read_text().strip()
        self.cgroup = pathlib.Path("/sys/fs/cgroup" + own.removeprefix("0::"))
        return self

    def post(self, verb, body=None, **options):
        return self.engine.json("POST", f"/containers/{self.name}/{verb}", body, **options)

    def inspect(self):
        return self.engine.inspect(self.name)

    def read(self, name):
        return (self.cgroup / name).read_text().strip()

    def exec(self, *command):
        made = self.post("exec", {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True})
        status, _, raw = self.engine.request("POST", f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False})
        assert status == 200, raw
        return raw[8:].decode(), self.engine.json("GET", f"/exec/{made['Id']}/json")["ExitCode"]


@pytest.fixture
def box(engine):
    boxes = []

    def make(command=LOOP, **host_config):
        boxes.append(Box(engine, command, **host_config))
        return boxes[-1]

    engine.ensure_running()
    before = census(engine)
    yield make
    engine.ensure_running()
    for one in boxes:
        engine.request("DELETE", f"/containers/{one.name}?force=1&v=1")
    assert wait_for(lambda: not census_difference(before, census(engine)), 10), census_difference(before, census(engine))


def test_every_limit_reaches_its_file(box):
    one = box(Memory=64 * MIB, MemorySwap=96 * MIB, MemoryReservation=32 * MIB, NanoCpus=500_000_000, CpuShares=512, CpusetCpus="0",
              PidsLimit=50, BlkioDeviceWriteBps=[{"Path": "/dev/vda", "Rate": 32 * MIB}],
              BlkioDeviceReadIOps=[{"Path": "/dev/vda", "Rate": 900}]).start()
    files = {"memory.max": str(64 * MIB), "memory.swap.max": str(32 * MIB), "memory.low": str(32 * MIB), "cpu.max": "50000 100000",
             "cpu.weight": "59", "cpuset.cpus": "0", "pids.max": "50"}
    assert {name: one.read(name) for name in files} == files
    assert one.read("io.max").split()[1:] == ["rbps=max", f"wbps={32 * MIB}", "riops=900", "wiops=max"]


def test_an_update_changes_a_running_container(box):
    one = box(Memory=64 * MIB, MemorySwap=64 * MIB).start()
    one.post("update", {"Memory": 128 * MIB, "MemorySwap": -1, "CpuShares": 1024, "NanoCpus": 250_000_000, "PidsLimit": 40, "CpusetCpus": "1"})
    files = {"memory.max": str(128 * MIB), "memory.swap.max": "max", "cpu.max": "25000 100000", "cpu.weight": "100", "pids.max": "40",
             "cpuset.cpus": "1"}
    assert {name: one.read(name) for name in files} == files
    assert one.inspect()["HostConfig"]["Memory"] == 128 * MIB


def test_a_paused_container_is_frozen_and_goes_on(box, engine):
    one = box(["sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done"]).start()
    lines = lambda: engine.request("GET", f"/containers/{one.name}/logs?stdout=1")[2].count(b"\n")
    assert wait_for(lambda: lines() > 2, 10)
    one.post("pause", expect=204)
    assert one.read("cgroup.freeze") == "1" and "frozen 1" in one.read("cgroup.events")
    assert one.inspect()["State"]["Status"] == "paused"
    still = lines()
    time.sleep(0.2)
    assert lines() == still
    assert engine.request("POST", f"/containers/{one.name}/exec", {"Cmd": ["true"]})[0] == 409
    one.post("unpause", expect=204)
    assert wait_for(lambda: lines() > still, 10) and one.read("cgroup.freeze") == "0"


def test_a_paused_container_is_still_paused_for_the_next_daemon(box, engine):
    one = box().start()
    one.post("pause", expect=204)
    engine.kill()
    engine.start()
    assert one.inspect()["State"]["Status"] == "paused"
    one.post("unpause", expect=204)
    assert one.exec("echo", "back") == ("back\n", 0)


def test_memory_that_runs_out_is_told(box, engine):
    began = int(time.time()) - 1
    one = box(["sh", "-c", "tail /dev/zero"], Memory=8 * MIB, MemorySwap=8 * MIB)
    one.post("start", expect=204)
    assert one.post("wait")["StatusCode"] == 137
    assert one.inspect()["State"]["OOMKilled"] is True
    _, _, raw = engine.request("GET", f"/events?since={began}&until={int(time.time()) + 1}&filters=" + '{"event":["oom"]}'.replace('"', "%22"))
    assert one.name in raw.decode()


def test_memory_that_runs_out_in_a_child_leaves_the_container_running(box, engine):
    one = box(["sh", "-c", "sh -c 'tail /dev/zero'; echo survived; sleep 1000"], Memory=8 * MIB, MemorySwap=8 * MIB).start()
    assert wait_for(lambda: b"survived" in engine.request("GET", f"/containers/{one.name}/logs?stdout=1")[2], 15)
    assert one.inspect()["State"]["Running"] is True


def test_statistics_in_the_form_of_version_two(box, engine):
    script = "dd if=/dev/zero of=/f bs=1M count=8 conv=fsync 2>/dev/null; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo done; sleep 1000"
    one = box(["sh", "-c", script], Memory=64 * MIB).start()
    assert wait_for(lambda: b"done" in engine.request("GET", f"/containers/{one.name}/logs?stdout=1")[2], 20)
    stats = engine.json("GET", f"/containers/{one.name}/stats?stream=0&one-shot=1")
    cpu, memory, blkio = stats["cpu_stats"], stats["memory_stats"], stats["blkio_stats"]
    assert 0 < cpu["cpu_usage"]["total_usage"] < cpu["system_cpu_usage"] and "percpu_usage" not in cpu["cpu_usage"]
    assert cpu["cpu_usage"]["usage_in_kernelmode"] > 0 and cpu["online_cpus"] == os.cpu_count()
    assert 8 * MIB < memory["usage"] < memory["limit"] == 64 * MIB
    assert memory["stats"]["inactive_file"] + memory["stats"]["active_file"] >= 8 * MIB and "total_inactive_file" not in memory["stats"]
    written = [entry["value"] for entry in blkio["io_service_bytes_recursive"] if entry["op"].lower() == "write"]
    assert sum(written) >= 8 * MIB
    assert stats["pids_stats"]["current"] == 1


def test_a_command_inside_shares_limits_and_is_listed(box, engine):
    one = box(["sleep", "1000"], PidsLimit=50).start()  # processes that come and go would be listed once only
    assert one.exec("cat", "/proc/self/cgroup") == ("0::/\n", 0), "the namespace's own root"
    assert one.exec("cat", "/sys/fs/cgroup/pids.max") == ("50\n", 0)
    assert one.exec("sh", "-c", "echo 9 > /sys/fs/cgroup/pids.max")[1] != 0
    rows = engine.json("GET", f"/containers/{one.name}/top?ps_args=-o%20pid,comm")["Processes"]
    assert sorted(int(row[0]) for row in rows) == sorted(map(int, one.read("cgroup.procs").split()))


def test_a_restarted_container_has_its_limits_again(box):
    one = box(Memory=64 * MIB, PidsLimit=30).start()
    one.post("restart?t=0", expect=204)
    one.cgroup = pathlib.Path("/sys/fs/cgroup" + pathlib.Path(f"/proc/{one.inspect()['State']['Pid']}/cgroup").read_text().strip()[3:])
    assert (one.read("memory.max"), one.read("pids.max")) == (str(64 * MIB), "30")


def test_a_fork_bomb_ends_with_its_container(box):
    # A shell that cannot fork gives up: what it has left behind stays, and process 1 forks no more.
    bomb = "sh -c 'b() { sleep 1000 & b & b; }; b' 2>/dev/null; exec sleep 1000"
    one = box(["sh", "-c", bomb], PidsLimit=40).start()
    assert wait_for(lambda: int(one.read("pids.current")) >= 30, 15)
    one.post("kill", expect=204)
    assert wait_for(lambda: not one.cgroup.exists() or "populated 0" in one.read("cgroup.events"), 15)


def test_the_engine_says_what_the_host_has(engine):
    info = engine.json("GET", "/info")
    assert (info["CgroupVersion"], info["CgroupDriver"]) == ("2", "cgroupfs")
    assert [info[name] for name in ("MemoryLimit", "SwapLimit", "CpuCfsQuota", "CPUShares", "CPUSet", "PidsLimit")] == [True] * 6
    assert info["OomKillDisable"] is False


DAY = 86400


@pytest.fixture
def clock():
    """Steps the machine's clock; it is right again afterwards."""
    ahead = time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    yield lambda seconds: time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME) + seconds)
    time.clock_settime(time.CLOCK_REALTIME, ahead + time.clock_gettime(time.CLOCK_MONOTONIC))


def seconds_of(text):
    """A time of the API in seconds since 1970."""
    return datetime.datetime.fromisoformat(text[:19] + "+00:00").timestamp()


@pytest.mark.parametrize("step", (DAY, -DAY))
def test_a_stepped_clock_changes_no_waiting(engine, box, clock, step):
    """Stop timeouts, restarts, health checks and waits go by the clock that nobody sets."""
    restarted = box(["sh", "-c", "exit 1"], RestartPolicy={"Name": "always"})
    restarted.post("start", expect=204)
    asleep = box(["sh", "-c", "sleep 6; exit 7"]).start()
    deaf = box(["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]).start()
    checked = box(Healthcheck={"Test": ["CMD", "true"], "Interval": 500_000_000}).start()
    runs = lambda: restarted.inspect()["RestartCount"]
    probes = lambda: [entry["Start"] for entry in checked.inspect()["State"]["Health"]["Log"]]
    assert wait_for(lambda: runs() >= 2 and probes(), 20)
    before = runs()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(asleep.post, "wait")
        began = time.monotonic()
        stopping = pool.submit(deaf.post, "stop?t=4")
        time.sleep(0.5)
        clock(step)
        stepped = time.time()
        stopping.result(timeout=60)
        assert 3.5 < time.monotonic() - began < 30, "the timeout neither ended at once nor never"
        assert waiting.result(timeout=60)["StatusCode"] == 7
    assert wait_for(lambda: runs() > before, 30), "the restarts go on"
    assert wait_for(lambda: probes() and seconds_of(probes()[-1]) >= int(stepped), 20), "the checks go on"
    assert checked.inspect()["State"]["Health"]["Status"] == "healthy"
    for one, code in ((asleep, 7), (deaf, 137)):
        state = one.inspect()["State"]
        assert state["ExitCode"] == code
        assert abs(seconds_of(state["FinishedAt"]) - stepped) < 60, "the time of the end is that of the clock as it was then"
    delays = restarted.inspect()["RestartCount"]
    assert delays < 40, "the back-off was not taken for over"


@pytest.mark.parametrize("step", (DAY, -DAY))
def test_a_stepped_clock_loses_no_line_and_no_event(engine, box, clock, step):
    one = box(["sh", "-c", "i=0; while :; do echo line $i; i=$((i+1)); sleep 0.1; done"]).start()
    began = int(time.time()) - 5
    lines = lambda since: engine.request("GET", f"/containers/{one.name}/logs?stdout=1&since={since}")[2].count(b"line")
    assert wait_for(lambda: lines(0) > 3, 20)
    events = UnixConnection(engine.socket, 30)
    events.request("GET", f"/events?since={began}&filters=" + urllib.parse.quote(json.dumps({"container": [one.name]})))
    stream = events.getresponse()
    assert json.loads(stream.readline())["Action"] == "create"
    clock(step)
    stepped = int(time.time())
    assert wait_for(lambda: lines(0) > 10, 20)
    assert wait_for(lambda: 0 < lines(stepped if step > 0 else 0) <= lines(0), 20)
    one.post("kill", expect=204)
    seen = []
    while "die" not in seen:
        seen.append(json.loads(stream.readline())["Action"])
    events.close()
    numbers = [int(word) for word in engine.request("GET", f"/containers/{one.name}/logs?stdout=1")[2].decode(errors="ignore").split() if word.isdigit()]
    assert numbers == list(range(len(numbers))), "each line once, in order"
