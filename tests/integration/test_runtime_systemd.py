"""sampan-runtime --systemd-cgroup against a bus of the test's own and a systemd that writes down what it is asked."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from test_runtime import PROGRAMS, Runtime

pytest.importorskip("dbus", reason="python3-dbus is not installed")
pytest.importorskip("gi", reason="python3-gi is not installed")
DAEMON = shutil.which("dbus-daemon") or pytest.skip("dbus-daemon is not installed", allow_module_level=True)
SLICE, SCOPE = f"sampanrt{os.getpid()}-pods.slice", "cri-box.scope"
PLACE = f"/sampanrt{os.getpid()}.slice/{SLICE}/{SCOPE}"


def hierarchies():
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return sorted({line.split()[4] for line in lines if line.split(" - ")[1].split()[0] in ("cgroup", "cgroup2")})


@pytest.fixture(scope="module")
def bus(tmp_path_factory):
    home = tmp_path_factory.mktemp("bus")
    address = f"unix:path={home}/socket"
    daemon = subprocess.Popen([DAEMON, "--session", "--nofork", "--nopidfile", f"--address={address}", "--print-address=1"],
                              stdout=subprocess.PIPE, text=True)
    assert daemon.stdout.readline()
    fake = subprocess.Popen([sys.executable, pathlib.Path(__file__).with_name("fake_systemd.py"), address, home / "calls"],
                            stdout=subprocess.PIPE, text=True)
    assert fake.stdout.readline().startswith("ready")
    yield home, address
    for process in (fake, daemon):
        process.kill()
        process.wait()


class OnSystemd(Runtime):
    def __init__(self, home, bus_home, address):
        super().__init__(PROGRAMS["sampan-runtime"], home)
        self.bus, self.cgroup = bus_home, f"{SLICE}:cri:box"
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address}

    def call(self, *args):
        return subprocess.run([self.program, "--root", self.home / "state", "--systemd-cgroup", *args],
                              env=self.environment, capture_output=True, text=True, timeout=20)

    def write_spec(self, **changes):
        self.spec("sleep", "60")
        config = self.bundle / "config.json"
        spec = json.loads(config.read_text())
        spec["linux"]["resources"]["memory"] = {"limit": 64 << 20}
        spec.update(changes)
        config.write_text(json.dumps(spec))

    def create(self):
        # Not captured: the container keeps these streams.
        with open(self.home / "log", "w") as log:
            done = subprocess.run([self.program, "--root", self.home / "state", "--systemd-cgroup", "create", "-b",
                                   self.bundle, self.id], env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log, timeout=20)
        return done.returncode, (self.home / "log").read_text()

    def calls(self, name=None):
        path = self.bus / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for call in map(json.loads, lines) if name in (None, call["call"])]


@pytest.fixture
def box(bus, tmp_path):
    home, address = bus
    for name in ("calls", "outcome"):
        (home / name).unlink(missing_ok=True)
    box = OnSystemd(tmp_path, home, address)
    yield box
    box.call("delete", "--force", box.id)
    left = [root + PLACE for root in hierarchies() if os.path.exists(root + PLACE)]
    for root in hierarchies():  # the slices are systemd's to remove
        for path in (PLACE, os.path.dirname(PLACE), os.path.dirname(os.path.dirname(PLACE))):
            if os.path.exists(root + path):
                os.rmdir(root + path)
    assert not left


def test_a_container_lives_in_a_scope(box):
    box.write_spec(annotations={"org.systemd.property.TimeoutStopSec": "7",
                                "org.systemd.property.CollectMode": "'inactive-or-failed'"})
    code, text = box.create()
    assert code == 0, text
    (start,) = box.calls("StartTransientUnit")
    properties = {name: entry["value"] for name, entry in start["properties"].items()}
    assert (start["unit"], start["mode"], start["aux"]) == (SCOPE, "replace", 0)
    assert properties["Slice"] == SLICE
    assert properties["Delegate"] is True and properties["DefaultDependencies"] is False
    assert properties["TimeoutStopUSec"] == 7000000 and properties["CollectMode"] == "inactive-or-failed"
    assert properties["DevicePolicy"] == "strict" or properties["DevicePolicy"] == "auto"
    assert properties.get("MemoryMax", properties.get("MemoryLimit")) == 64 << 20
    assert "TasksMax" not in properties, "the placeholder would count"
    assert start["alive"] == [True]
    assert not os.path.exists(f"/proc/{properties['PIDs'][0]}"), "the placeholder is gone"
    (limit,) = box.calls("SetUnitProperties")
    assert limit["properties"]["TasksMax"]["value"] == 77 and limit["runtime"] is True

    state = json.loads(box.call("state", box.id).stdout)
    assert state["status"] == "created"
    paths = pathlib.Path(f"/proc/{state['pid']}/cgroup").read_text().splitlines()
    assert paths and all(line.split(":", 2)[2] == PLACE for line in paths)
    limits = [pathlib.Path(root + PLACE, "pids.max") for root in hierarchies()]
    assert [path.read_text().strip() for path in limits if path.exists()] == ["77"]

    assert box.call("start", box.id).returncode == 0
    assert box.call("update", "--memory", "32M", box.id).returncode == 0
    changed = box.calls("SetUnitProperties")[-1]["properties"]
    assert changed.get("MemoryMax", changed.get("MemoryLimit"))["value"] == 32 << 20
    assert box.call("delete", "--force", box.id).returncode == 0
    assert [call["unit"] for call in box.calls("StopUnit")] == [SCOPE]
    assert box.calls()[-1]["call"] == "ResetFailedUnit"
    assert not any(os.path.exists(root + PLACE) for root in hierarchies())


def test_one_task_is_enough(box):
    box.write_spec()
    config = box.bundle / "config.json"
    spec = json.loads(config.read_text())
    spec["linux"]["resources"]["pids"] = {"limit": 1}
    config.write_text(json.dumps(spec))
    code, text = box.create()
    assert code == 0, text


@pytest.mark.parametrize("outcome, words", [("failed", "got `failed`"), ("exists", "already loaded")])
def test_a_scope_that_does_not_start_is_told_and_leaves_nothing(box, outcome, words):
    (box.bus / "outcome").write_text(outcome)
    box.write_spec()
    code, text = box.create()
    assert code != 0 and words in text and SCOPE in text
    attempts = box.calls("StartTransientUnit")
    assert len(attempts) == (2 if outcome == "exists" else 1), "what failed is reset and tried once more"
    for attempt in attempts:
        assert not os.path.exists(f"/proc/{attempt['properties']['PIDs']['value'][0]}")
    assert box.calls("ResetFailedUnit") and not box.calls("StopUnit"), "another's unit is not stopped"
    assert box.call("state", box.id).returncode != 0


def test_a_failed_create_stops_its_scope(box):
    box.write_spec(root={"path": "nothing"})
    code, _ = box.create()
    assert code != 0
    started, stopped = box.calls("StartTransientUnit"), box.calls("StopUnit")
    assert len(started) == len(stopped)


@pytest.mark.parametrize("place, annotations, words", [
    ("/a/b", {}, "slice:prefix:name"),
    ("a--b.slice:x:y", {}, "invalid slice name"),
    (None, {"org.systemd.property.ExecStop": "'/bin/sh'"}, "ExecStop"),
    (None, {"org.systemd.property.KillSignal": "'x"}, "value parse error"),
])
def test_what_systemd_could_not_take_is_refused_before_it_is_asked(box, place, annotations, words):
    box.cgroup = place or box.cgroup
    box.write_spec(annotations=annotations)
    code, text = box.create()
    assert code != 0 and words in text
    assert not box.calls()


def test_without_a_bus_the_error_says_so(box):
    box.environment["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent"
    box.write_spec()
    code, text = box.create()
    assert code != 0 and "unable to connect to the system bus" in text
