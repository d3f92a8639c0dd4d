"""Containers of a user who is not root, with subordinate ids and a delegated control group, beside runc."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from test_runtime import PROGRAMS, Runtime  # noqa: E402

pytestmark = [pytest.mark.skipif("GUEST_RESULTS" not in os.environ, reason="runs in the virtual machine: ./dev guest"),
              pytest.mark.skipif(not shutil.which("newuidmap"), reason="newuidmap is not installed")]
USER, UID, FIRST = "daemon", 1, 100000
GROUP = pathlib.Path("/sys/fs/cgroup/delegated")
AS_USER = f'echo $$ >{GROUP}/session/cgroup.procs; exec setpriv --reuid {UID} --regid {UID} --clear-groups "$@"'


@pytest.fixture(scope="module")
def delegated():
    """What systemd gives a user's session: a control group of his own; and the ids below root's that are his."""
    for name in ("subuid", "subgid"):
        pathlib.Path("/etc", name).write_text(f"{USER}:{FIRST}:65536\n")
    (GROUP.parent / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    (GROUP / "session").mkdir(parents=True)
    for path in (GROUP, GROUP / "session", *(GROUP / f"cgroup.{name}" for name in ("procs", "subtree_control", "threads"))):
        os.chown(path, UID, UID)
    yield
    (GROUP / "session").rmdir()
    GROUP.rmdir()


class Rootless(Runtime):
    environment = {}

    def __call__(self, command, *words, check=True, state=True, **kwargs):
        for stream in ("stdin", "stdout", "stderr"):
            kwargs.setdefault(stream, subprocess.DEVNULL if stream == "stdin" else subprocess.PIPE)
        root = ["--root", str(self.home / "state")] if state else []
        done = subprocess.run(["sh", "-c", AS_USER, "sh", self.program, *root, command, *words], text=True, timeout=30,
                              env={**os.environ, **self.environment}, **kwargs)
        assert not check or done.returncode == 0, done.stderr or (self.home / "out").read_text()
        return done

    def write(self, *args, user=0, more=True, **changes):
        self.spec(*args, user={"uid": user, "gid": user})
        config = self.bundle / "config.json"
        spec = json.loads(config.read_text())
        ids = [{"containerID": 0, "hostID": UID, "size": 1}] + [{"containerID": 1, "hostID": FIRST, "size": 65536}] * more
        spec["linux"] |= {"uidMappings": ids, "gidMappings": ids, "cgroupsPath": "/delegated/box"}
        spec["linux"]["namespaces"].append({"type": "user"})
        spec["linux"]["resources"]["memory"] = {"limit": 64 << 20}
        spec.update(changes)
        config.write_text(json.dumps(spec))


@pytest.fixture(params=[name for name, program in PROGRAMS.items() if program])
def box(request, tmp_path, delegated):
    for path in (tmp_path, *tmp_path.parents):
        if str(path).startswith("/tmp/"):
            path.chmod(0o755)
    made = Rootless(PROGRAMS[request.param], tmp_path)
    made.ours = request.param == "sampan-runtime"
    for path in (tmp_path, made.bundle, *made.bundle.rglob("*")):
        os.chown(path, UID, UID, follow_symlinks=False)
    yield made
    made("delete", "--force", made.id, check=False)
    if not made.ours and (GROUP / "box").exists():
        (GROUP / "box").rmdir()  # runc sometimes leaves the group of a start that failed
    assert not (GROUP / "box").exists()


def test_subordinate_ids_are_the_containers_users(box):
    box.write("sh", "-c", "id -u; cat /proc/self/uid_map; echo x >/tmp/made", user=1000)
    (box.bundle / "rootfs/tmp").chmod(0o777)
    lines = box("run", "--bundle", str(box.bundle), box.id).stdout.splitlines()
    assert lines[0] == "1000" and [line.split() for line in lines[1:]] == [["0", "1", "1"], ["1", "100000", "65536"]]
    assert (box.bundle / "rootfs/tmp/made").stat().st_uid == FIRST + 999


def test_limits_are_written_in_a_delegated_group(box):
    box.write("sleep", "1000")
    box.detached("run", "--detach")
    group = GROUP / "box"
    assert ((group / "pids.max").read_text().strip(), (group / "memory.max").read_text().strip()) == ("77", str(64 << 20))
    assert str(box.state()["pid"]) in (group / "cgroup.procs").read_text().split()
    assert box("exec", box.id, "id").stdout.startswith("uid=0 gid=0")
    box("pause", box.id)
    assert box.state()["status"] == "paused"
    box("resume", box.id)
    box("update", "--pids-limit", "20", box.id)
    assert (group / "pids.max").read_text().strip() == "20"
    (row,) = [line for line in box("list").stdout.splitlines() if box.id in line]
    assert row.split()[-1] == USER


def test_ids_that_are_not_his_are_refused(box):
    box.write("true")
    config = box.bundle / "config.json"
    spec = json.loads(config.read_text())
    spec["linux"]["uidMappings"][1]["hostID"] = FIRST * 3
    config.write_text(json.dumps(spec))
    done = box("run", "--bundle", str(box.bundle), box.id, check=False)
    assert done.returncode == 1 and "newuidmap" in done.stderr


def test_hooks_run_and_get_the_state(box):
    hook = box.bundle / "rootfs/hook"
    hook.write_text('#!/bin/sh\n/bin/cat >"$1"\n')
    hook.chmod(0o755)
    hooks = {kind: [{"path": str(hook), "args": ["hook", str(box.bundle / kind)]}] for kind in ("createRuntime", "poststop")}
    box.write("true", hooks=hooks)
    box("run", "--bundle", str(box.bundle), box.id)
    seen = {kind: json.loads((box.bundle / kind).read_text()) for kind in hooks}
    assert {state["id"] for state in seen.values()} == {box.id} and seen["poststop"]["status"] == "stopped"
    assert (box.bundle / "poststop").stat().st_uid == UID


def test_state_is_kept_in_the_users_runtime_directory(box):
    folder = box.home / "xdg"
    folder.mkdir()
    os.chown(folder, UID, UID)
    box.environment = {"XDG_RUNTIME_DIR": str(folder)}
    box.write("sleep", "1000")
    null = subprocess.DEVNULL
    box("run", "--detach", "--bundle", str(box.bundle), box.id, state=False, stdout=null, stderr=null)
    try:
        (place,) = folder.iterdir()
        assert (place / box.id).is_dir() and place.stat().st_mode & 0o7777 == 0o1700, "sticky: no cleaner may take it"
    finally:
        box("delete", "--force", box.id, state=False)
