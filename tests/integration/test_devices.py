"""Devices by name: CDI files of a directory of the test's own, over --device, --gpus and the API."""
import json
import pathlib
import tempfile

import pytest

from support import Daemon, sweep

HOOK = """#!/bin/sh
cat >/dev/null
echo hooked > {marker}
"""


@pytest.fixture(scope="module")
def described(scratch, rootfs_tar):
    """A daemon with two directories of descriptions."""
    home = pathlib.Path(tempfile.mkdtemp(dir=scratch, prefix="cdi"))
    dirs = [home / "etc", home / "run"]
    for path in dirs:
        path.mkdir()
    daemon = Daemon(home / "d", args=[f"--cdi-spec-dir={dirs[0]}", f"--cdi-spec-dir={dirs[1]}"])
    daemon.cdi_dirs = dirs
    daemon.start()
    daemon.import_busybox(rootfs_tar)
    yield daemon
    sweep(daemon)
    daemon.end()


@pytest.fixture
def d(described):
    for path in described.cdi_dirs:
        for file in path.iterdir():
            file.unlink()
    return described


def describe(d, name, kind, devices, edits=None, index=0, version="0.7.0"):
    spec = {"cdiVersion": version, "kind": kind, "containerEdits": edits or {},
            "devices": [{"name": n, "containerEdits": e} for n, e in devices.items()]}
    (d.cdi_dirs[index] / name).write_text(json.dumps(spec))


def test_a_named_device_brings_its_node_environment_mount_group_and_hook(d, tmp_path):
    hook, marker, shared = tmp_path / "hook", tmp_path / "marker", tmp_path / "shared"
    hook.write_text(HOOK.format(marker=marker))
    hook.chmod(0o755)
    shared.mkdir()
    (shared / "file").write_text("from the vendor\n")
    describe(d, "acme.json", "acme.com/card", {"0": {
        "env": ["CARD=zero"],
        "deviceNodes": [{"path": "/dev/card0", "hostPath": "/dev/null", "permissions": "rw", "fileMode": 0o640}],
        "mounts": [{"hostPath": str(shared), "containerPath": "/opt/acme", "options": ["ro"]}],
        "hooks": [{"hookName": "createRuntime", "path": str(hook), "args": ["hook"]}],
        "additionalGids": [4711]}}, {"env": ["ACME=1"]})
    out = d.sampan("run", "--rm", "--device", "acme.com/card=0", "busybox", "sh", "-c",
                   "echo $ACME $CARD; echo x > /dev/card0 && echo written; stat -c '%t:%T %a' /dev/card0; "
                   "cat /opt/acme/file; touch /opt/acme/x 2>/dev/null || echo read-only; id -G")
    assert out.splitlines()[:5] == ["1 zero", "written", "1:3 640", "from the vendor", "read-only"]
    assert "4711" in out.splitlines()[5].split()
    assert marker.read_text() == "hooked\n"


def test_requests_over_the_api_and_what_info_shows(d):
    describe(d, "acme.json", "acme.com/card", {"0": {"env": ["CARD=zero"]}, "1": {"env": ["SECOND=one"]}})
    describe(d, "acme.json", "acme.com/card", {"1": {"env": ["SECOND=override"]}}, index=1)
    (d.cdi_dirs[0] / "broken.yaml").write_text("kind: nonsense\n")
    info = d.json("GET", "/v1.51/info")
    assert info["CDISpecDirs"] == [str(path) for path in d.cdi_dirs]
    assert info["DiscoveredDevices"] == [{"Source": "cdi", "ID": f"acme.com/card={n}"} for n in "01"]
    assert "DiscoveredDevices" not in d.json("GET", "/v1.49/info")
    body = {"Image": "busybox", "Cmd": ["env"], "HostConfig": {"DeviceRequests": [
        {"Driver": "cdi", "DeviceIDs": ["acme.com/card=0", "acme.com/card=1"]}]}}
    created = d.json("POST", "/containers/create?name=two", body)
    d.docker("start", "-a", "two")
    out = d.docker("logs", "two").splitlines()
    assert "CARD=zero" in out and "SECOND=override" in out
    assert d.inspect("two")["HostConfig"]["DeviceRequests"][0]["Driver"] == "cdi"
    d.docker("rm", created["Id"])


def test_a_device_that_nobody_describes_and_one_that_two_files_describe(d):
    (d.cdi_dirs[0] / "broken.yaml").write_text("kind: nonsense\n")
    describe(d, "a.json", "acme.com/card", {"0": {"env": ["A=1"]}})
    describe(d, "b.json", "acme.com/card", {"0": {"env": ["A=2"]}})
    status, _, data = d.request("POST", "/containers/create?name=none", {
        "Image": "busybox", "HostConfig": {"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["acme.com/card=0"]}]}})
    assert status == 201, data
    status, _, data = d.request("POST", "/containers/none/start")
    message = json.loads(data)["message"]
    assert status == 400 and "CDI device injection failed: unresolvable CDI devices acme.com/card=0" in message
    assert "conflicting device" in message and "broken.yaml: cdiVersion" in message
    d.docker("rm", "none")


def test_gpus_are_those_of_nvidia_com(d):
    with pytest.raises(Exception) as refused:
        d.docker("run", "--rm", "--gpus", "all", "busybox", "true")
    assert 'could not select device driver "" with capabilities: [[gpu]]' in str(refused.value)
    describe(d, "nvidia.json", "nvidia.com/gpu", {n: {"env": [f"GPU{n}=yes"]} for n in "01"})
    gpus = lambda words: sorted(line for line in d.docker("run", "--rm", "--gpus", words, "busybox", "env").splitlines()
                                if line.startswith("GPU"))
    assert gpus("all") == ["GPU0=yes", "GPU1=yes"]
    assert gpus("1") == ["GPU0=yes"]
    assert gpus("device=1") == ["GPU1=yes"]
    with pytest.raises(Exception) as refused:
        gpus("3")
    assert "unresolvable CDI devices nvidia.com/gpu=2" in str(refused.value)
    sweep(d)
