"""sampan-runtime --systemd-cgroup, beside runc, with a real systemd as the machine's first process: tests/guest/run --systemd."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from support import wait_for  # noqa: E402
from test_checkpoint import counting, count, criu_works, wait_beyond  # noqa: E402
from test_runtime import PROGRAMS, Runtime  # noqa: E402

SYSTEMD = pathlib.Path("/run/systemd/system").exists() and pathlib.Path("/proc/1/comm").read_text().strip() == "systemd"
pytestmark = pytest.mark.skipif("GUEST_RESULTS" not in os.environ or not SYSTEMD, reason="needs systemd: tests/guest/run --systemd")
SLICE, SCOPE = "sampantest-pods.slice", "cri-box.scope"
PLACE = f"/sampantest.slice/{SLICE}/{SCOPE}"
MIB = 1 << 20


def systemctl(*words, check=True):
    return subprocess.run(["systemctl", "--no-pager", *words], check=check, capture_output=True, text=True, timeout=30).stdout


def unit(name=SCOPE):
    return dict(line.split("=", 1) for line in systemctl("show", name).splitlines() if "=" in line)


class OnSystemd(Runtime):
    def __init__(self, program, home):
        super().__init__(program, home)
        self.cgroup = f"{SLICE}:cri:box"
        self.directory = pathlib.Path("/sys/fs/cgroup" + PLACE)

    def __call__(self, command, *words, check=True, **kwargs):
        for stream in ("stdin", "stdout", "stderr"):
            kwargs.setdefault(stream, subprocess.DEVNULL if stream == "stdin" else subprocess.PIPE)
        done = subprocess.run([self.program, "--root", str(self.home / "state"), "--systemd-cgroup", command, *words], text=True,
                              timeout=30, **kwargs)
        assert not check or done.returncode == 0, done.stderr or (self.home / "out").read_text()
        return done

    def write(self, *args, annotations=None, **resources):
        self.spec(*args)
        config = self.bundle / "config.json"
        spec = json.loads(config.read_text())
        spec["linux"]["resources"].update(resources)
        spec["annotations"] = annotations or {}
        config.write_text(json.dumps(spec))

    def run(self, *args, **changes):
        self.write(*args, **changes)
        self.detached("run", "--detach")
        return self

    def read(self, name):
        return (self.directory / name).read_text().strip()

    def place_of(self, pid):
        return pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip().removeprefix("0::")


@pytest.fixture(params=[name for name, program in PROGRAMS.items() if program])
def box(request, tmp_path):
    made = OnSystemd(PROGRAMS[request.param], tmp_path)
    made.ours = request.param == "sampan-runtime"
    yield made
    made("delete", "--force", made.id, check=False)
    assert wait_for(lambda: not made.directory.exists(), 5)
    if unit()["LoadState"] != "not-found":
        systemctl("reset-failed", SCOPE, check=False)
        assert not made.ours, "systemd keeps nothing of it"  # runc leaves the failed unit of one that systemd had to kill


@pytest.fixture
def own(tmp_path):
    made = OnSystemd(PROGRAMS["sampan-runtime"], tmp_path)
    yield made
    made("delete", "--force", made.id, check=False)
    assert wait_for(lambda: not made.directory.exists() and unit()["LoadState"] == "not-found", 5)


def test_a_container_is_a_scope_with_its_limits(box):
    box.run("sleep", "1000", memory={"limit": 64 * MIB, "reservation": 32 * MIB}, cpu={"shares": 512, "quota": 50000, "period": 100000, "cpus": "1"})
    shown = unit()
    assert (shown["ActiveState"], shown["SubState"], shown["Slice"], shown["ControlGroup"]) == ("active", "running", SLICE, PLACE)
    assert (shown["Delegate"], shown["MemoryMax"], shown["MemoryLow"]) == ("yes", str(64 * MIB), str(32 * MIB))
    weight = "59" if box.ours else shown["CPUWeight"]  # runc converts shares as it did before version 1.3
    assert (shown["CPUWeight"], shown["CPUQuotaPerSecUSec"], shown["AllowedCPUs"], shown["TasksMax"]) == (weight, "500ms", "1", "77")
    assert box.place_of(box.state()["pid"]) == PLACE
    files = {"memory.max": str(64 * MIB), "memory.low": str(32 * MIB), "cpu.weight": weight, "cpu.max": "50000 100000", "cpuset.cpus": "1",
             "pids.max": "77"}
    assert {name: box.read(name) for name in files} == files
    box("exec", box.id, "true")
    assert box("exec", box.id, "cat", "/proc/self/cgroup").stdout == "0::/\n"


def test_limits_survive_a_reload_of_systemd(box):
    box.run("sleep", "1000", memory={"limit": 64 * MIB}, unified={"memory.high": str(48 * MIB), "cpu.weight": "33"})
    box("update", "--memory", str(32 * MIB), "--pids-limit", "20", box.id)
    systemctl("daemon-reload")
    files = {"memory.max": str(32 * MIB), "memory.high": str(48 * MIB), "cpu.weight": "33", "pids.max": "20"}
    assert {name: box.read(name) for name in files} == files
    shown = unit()
    assert (shown["MemoryMax"], shown["MemoryHigh"], shown["TasksMax"]) == (str(32 * MIB), str(48 * MIB), "20")
    devices = box("exec", box.id, "sh", "-c", "echo x >/dev/null && echo written").stdout
    assert devices == "written\n", "its devices are still allowed"


def test_pause_resume_and_delete(box):
    box.run("sleep", "1000")
    box("pause", box.id)
    assert box.read("cgroup.freeze") == "1" and box.state()["status"] == "paused"
    box("resume", box.id)
    assert box.read("cgroup.freeze") == "0" and box.state()["status"] == "running"
    box("delete", "--force", box.id)
    assert not box.directory.exists() and unit()["LoadState"] == "not-found"


def test_stopped_by_systemd_it_is_stopped(box):
    box.run("sleep", "1000", annotations={"org.systemd.property.TimeoutStopUSec": "uint64 1000000"})
    assert unit()["TimeoutStopUSec"] == "1s"
    systemctl("stop", SCOPE)
    assert wait_for(lambda: box.state()["status"] == "stopped", 5)
    box("delete", box.id)


def test_a_scope_is_gone_when_its_container_ended(box):
    box.write("sh", "-c", "exit 3")
    assert box("run", "--bundle", str(box.bundle), box.id, check=False).returncode == 3
    assert wait_for(lambda: unit()["LoadState"] == "not-found" and not box.directory.exists(), 5)


def test_out_of_memory_leaves_no_failed_unit(box):
    box.write("sh", "-c", "cat /dev/zero | head -c 100m | tail -c 100m >/dev/null; tail /dev/zero", memory={"limit": 8 * MIB, "swap": 8 * MIB})
    (box.bundle / "rootfs/bin/tail").symlink_to("busybox")
    (box.bundle / "rootfs/bin/head").symlink_to("busybox")
    assert box("run", "--bundle", str(box.bundle), box.id, check=False).returncode == 137
    assert wait_for(lambda: unit()["LoadState"] == "not-found", 5)


def test_a_second_container_in_the_same_scope_is_refused(own):
    own.run("sleep", "1000")
    before = own.read("cgroup.procs")
    with open(own.home / "out", "w") as out:
        second = own("run", "--detach", "--bundle", str(own.bundle), own.id + "b", check=False, stdout=out, stderr=out)
    assert second.returncode != 0 and SCOPE in (own.home / "out").read_text()
    assert own.read("cgroup.procs") == before and unit()["ActiveState"] == "active"
    assert own.state()["status"] == "running"


def test_a_slice_that_is_no_slice_is_an_error(own):
    own.cgroup = "nothing:cri:box"
    own.write("true")
    assert own("run", "--bundle", str(own.bundle), own.id, check=False).returncode == 1
    assert unit()["LoadState"] == "not-found"


def test_denied_devices_stay_denied(box):
    """fuse is allowed by nothing: neither systemd's filter nor the runtime's may let it through, before or after a reload."""
    box.run("sleep", "1000")
    node = f"/proc/{box.state()['pid']}/root/dev/fuse"
    os.mknod(node, 0o20666, os.makedev(10, 229))
    null = f"/proc/{box.state()['pid']}/root/dev/other-null"
    os.mknod(null, 0o20666, os.makedev(1, 3))
    for _ in range(2):
        assert "not permitted" in box("exec", box.id, "cat", "/dev/fuse", check=False).stderr
        assert box("exec", box.id, "cat", "/dev/other-null").returncode == 0
        systemctl("daemon-reload")


@pytest.mark.skipif("not criu_works()", reason="criu is missing or does not know this kernel")
def test_checkpoint_and_restore_into_a_scope(own):
    counting(own)
    null = subprocess.DEVNULL
    own("run", "--detach", "--bundle", str(own.bundle), own.id, stdout=null, stderr=null)
    wait_beyond(own, 2)
    own("checkpoint", "--image-path", str(own.home / "image"), own.id)
    assert wait_for(lambda: unit()["LoadState"] == "not-found", 5)
    stood = count(own)
    own("restore", "--detach", "--image-path", str(own.home / "image"), "--bundle", str(own.bundle), own.id, stdout=null, stderr=null)
    wait_beyond(own, stood)
    assert unit()["ActiveState"] == "active" and own.place_of(own.state()["pid"]) == PLACE
    assert own.read("pids.max") == "77"
