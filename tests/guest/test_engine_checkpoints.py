"""Checkpoints through the engine: a container goes on where it was, with its mounts, its network and its streams. In the
virtual machine, whose kernel CRIU knows."""
import os
import pathlib
import re
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from support import Daemon, make_busybox_tar, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif("GUEST_RESULTS" not in os.environ, reason="runs in the virtual machine: ./dev guest")
COUNT = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /data/n; echo line $i; sleep 0.05; done"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    home = tmp_path_factory.mktemp("engine")
    daemon = Daemon(home / "d", ["--experimental"])
    daemon.start(wait=False)
    daemon.wait_ready(60)
    daemon.import_busybox(make_busybox_tar(home / "busybox.tar"))
    yield daemon
    daemon.end()


class Box:
    def __init__(self, engine, data, **host_config):
        self.engine, self.name, self.data = engine, f"box{time.monotonic_ns()}", data
        data.mkdir()
        engine.json("POST", f"/containers/create?name={self.name}",
                    {"Image": "busybox", "Cmd": COUNT, "HostConfig": {"Binds": [f"{data}:/data"], **host_config}}, expect=201)
        self.post("start", expect=204)

    def post(self, verb, body=None, **options):
        return self.engine.json("POST", f"/containers/{self.name}/{verb}", body, **options)

    def state(self):
        return self.engine.inspect(self.name)["State"]

    def count(self):
        try:
            return int((self.data / "n").read_text())
        except (OSError, ValueError):
            return 0

    def goes_on(self, beyond=0):
        beyond = beyond or self.count()
        assert wait_for(lambda: self.count() > beyond + 1, 20), (self.count(), self.state())

    def logs(self):
        raw = self.engine.request("GET", f"/containers/{self.name}/logs?stdout=1")[2]
        return [int(number) for number in re.findall(rb"line (\d+)\n", raw)]

    def names(self):
        return [row["Name"] for row in self.engine.json("GET", f"/containers/{self.name}/checkpoints")]


@pytest.fixture
def box(engine, tmp_path):
    boxes = []

    def make(**host_config):
        boxes.append(Box(engine, tmp_path / f"data{len(boxes)}", **host_config))
        boxes[-1].goes_on()
        return boxes[-1]

    yield make
    for one in boxes:
        engine.request("DELETE", f"/containers/{one.name}?force=1&v=1")


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_a_container_goes_on_where_it_was(box, network):
    one = box(NetworkMode=network, Memory=64 << 20, RestartPolicy={"Name": "always"})
    one.post("checkpoints", {"CheckpointID": "first", "Exit": True}, expect=201)
    state = one.state()
    assert (state["Running"], state["ExitCode"]) == (False, 137)
    stopped_at = one.count()
    assert one.names() == ["first"]
    one.post("start?checkpoint=first", expect=204)
    one.goes_on(stopped_at)
    assert wait_for(lambda: one.logs()[-1] > stopped_at, 10)
    lines = one.logs()
    assert lines == list(range(1, len(lines) + 1)), "no line is lost, none is there twice"
    pid = one.state()["Pid"]
    group = pathlib.Path("/sys/fs/cgroup" + pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip()[3:])
    assert (group / "memory.max").read_text().strip() == str(64 << 20)
    made = one.post("exec", {"Cmd": ["sh", "-c", "echo inside; ip addr show"], "AttachStdout": True})
    seen = one.engine.request("POST", f"/exec/{made['Id']}/start", {"Detach": False})[2].decode(errors="replace")
    address = one.engine.inspect(one.name)["NetworkSettings"]["Networks"][network]["IPAddress"]
    assert "inside" in seen and (network == "none" or address and address in seen)
    one.post("kill", expect=204)
    assert wait_for(lambda: not one.state()["Running"], 10) and one.state()["ExitCode"] == 137


def test_one_that_is_left_running_can_be_restored_later_more_than_once(box):
    one = box(NetworkMode="none")
    one.post("checkpoints", {"CheckpointID": "first"}, expect=201)
    one.goes_on()
    for _ in range(2):
        one.post("kill", expect=204)
        assert wait_for(lambda: not one.state()["Running"], 10)
        before = one.count()
        one.post("start?checkpoint=first", expect=204)
        assert wait_for(lambda: one.count() < before, 10), "it goes on from the checkpoint, not from its end"
        one.goes_on()
    status, _, text = one.engine.request("POST", f"/containers/{one.name}/checkpoints", {"CheckpointID": "first"})
    assert status == 500 and f"checkpoint with name first already exists for container {one.name}" in text.decode()
    one.engine.json("DELETE", f"/containers/{one.name}/checkpoints/first", expect=204)
    assert one.names() == []
    one.post("kill", expect=204)
    assert wait_for(lambda: not one.state()["Running"], 10)
    status, _, text = one.engine.request("POST", f"/containers/{one.name}/start?checkpoint=first")
    assert status == 500 and f"checkpoint first does not exist for container {one.name}" in text.decode()


def test_the_docker_command_and_a_directory_of_its_own(box, tmp_path):
    one = box(NetworkMode="none")
    docker = lambda *words: one.engine.docker(*words, check=False, timeout=60)
    done = docker("checkpoint", "create", "--checkpoint-dir", str(tmp_path / "place"), one.name, "kept")
    assert (done.code, done) == (0, "kept\n"), done.err
    assert "kept" in docker("checkpoint", "ls", "--checkpoint-dir", str(tmp_path / "place"), one.name)
    assert one.names() == [] and (tmp_path / "place" / "kept" / "inventory.img").exists()
    stopped_at = one.count()
    status, _, _ = one.engine.request("POST", f"/containers/{one.name}/start?checkpoint=kept&checkpoint-dir={tmp_path}/place")
    assert status == 204
    one.goes_on(stopped_at)


def test_a_restored_container_is_the_next_daemons_too(box, engine):
    one = box(NetworkMode="none")
    one.post("checkpoints", {"CheckpointID": "first", "Exit": True}, expect=201)
    one.post("start?checkpoint=first", expect=204)
    engine.kill()
    engine.start()
    one.goes_on()
    assert one.state()["Running"]
