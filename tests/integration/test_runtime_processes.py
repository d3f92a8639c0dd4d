"""exec, kill, delete and run beside runc: processes that wait, that are left, and that nobody waits for."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

from test_runtime import runtime  # noqa: F401  (a fixture)
from test_runtime_cli import edit, ours_only


def command(runtime, *words):
    return [runtime.program, "--root", str(runtime.home / "state"), *words]


def processes(runtime):
    return json.loads(runtime("ps", "-f", "json", runtime.id).stdout) or []


def until(condition, what):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def started(runtime, *args):
    runtime.spec(*args)
    runtime.detached("run", "--detach")


def cgroup_dirs(runtime):
    """The container's directory in every hierarchy of this host."""
    v1 = [path for path in pathlib.Path("/sys/fs/cgroup").glob(f"*{runtime.cgroup}") if not path.parent.is_symlink()]
    return v1 or [pathlib.Path("/sys/fs/cgroup" + runtime.cgroup)]


# kill --all

def test_kill_all_reaches_every_process(runtime):
    started(runtime, "sh", "-c", "sleep 100 & sleep 100 & wait")
    until(lambda: len(processes(runtime)) == 3, "the children")
    runtime("kill", "--all", runtime.id, "KILL")
    until(lambda: processes(runtime) == [], "all are gone")
    runtime.wait_for("stopped")
    assert runtime("kill", "--all", runtime.id, "KILL", check=False).returncode == 0
    runtime("delete", runtime.id)


def test_kill_all_with_a_signal_that_some_catch(runtime):
    started(runtime, "sh", "-c", "trap 'echo > /tmp/init' USR1; (trap 'echo > /tmp/child; exit' USR1; echo > /tmp/ready; while :; do sleep 0.02; done) & "
                                 "while :; do sleep 0.02; done")
    tmp = runtime.bundle / "rootfs/tmp"
    until((tmp / "ready").exists, "the traps are set")
    runtime("kill", "--all", runtime.id, "USR1")
    until((tmp / "init").exists, "init has it")
    until((tmp / "child").exists, "its child has it")
    assert runtime.state()["status"] == "running"


def test_kill_without_all_is_for_init(runtime):
    started(runtime, "sh", "-c", "trap 'echo > /tmp/init' USR1; (trap 'echo > /tmp/child' USR1; echo > /tmp/ready; while :; do sleep 0.02; done) & "
                                 "while :; do sleep 0.02; done")
    tmp = runtime.bundle / "rootfs/tmp"
    until((tmp / "ready").exists, "the traps are set")
    runtime("kill", runtime.id, "USR1")
    until((tmp / "init").exists, "init has it")
    assert not (tmp / "child").exists()


# paused

def test_exec_into_a_paused_container_waits_for_it(runtime):
    started(runtime, "sleep", "100")
    runtime("pause", runtime.id)
    refused = runtime("exec", runtime.id, "true", check=False)
    assert refused.returncode == 255 and "use --ignore-paused to override" in refused.stderr
    with subprocess.Popen(command(runtime, "exec", "--ignore-paused", runtime.id, "sh", "-c", "echo ran"), stdout=subprocess.PIPE, text=True) as waiting:
        until(lambda: len(processes(runtime)) >= 2, "it is inside")
        assert waiting.poll() is None
        runtime("resume", runtime.id)
        assert waiting.communicate(timeout=10)[0] == "ran\n" and waiting.returncode == 0


def test_an_exec_that_is_killed_halfway_leaves_nothing_inside(runtime):
    ours_only(runtime)
    started(runtime, "sleep", "100")
    runtime("pause", runtime.id)
    with subprocess.Popen(command(runtime, "exec", "--ignore-paused", runtime.id, "sh", "-c", "echo > /tmp/ran; sleep 100")) as waiting:
        until(lambda: len(processes(runtime)) == 2, "it is inside")
        waiting.kill()
    runtime("resume", runtime.id)
    until(lambda: len(processes(runtime)) == 1, "it has gone")
    assert not (runtime.bundle / "rootfs/tmp/ran").exists()


def test_delete_of_a_paused_container_needs_force(runtime):
    started(runtime, "sleep", "100")
    runtime("pause", runtime.id)
    refused = runtime("delete", runtime.id, check=False)
    assert refused.returncode == 1 and "that is not stopped: paused" in refused.stderr
    assert runtime.state()["status"] == "paused"
    runtime("delete", "--force", runtime.id)
    assert runtime("state", runtime.id, check=False).returncode == 1
    assert not [path for path in cgroup_dirs(runtime) if path.exists()]


# run --keep

@pytest.mark.parametrize("keep", [True, False])
def test_run_keeps_the_container_when_it_is_told_to(runtime, keep):
    runtime.spec("sh", "-c", "exit 7")
    done = runtime("run", *(["--keep"] if keep else []), "--bundle", str(runtime.bundle), runtime.id, check=False)
    assert done.returncode == 7
    state = runtime("state", runtime.id, check=False)
    if not keep:
        assert state.returncode == 1
        return
    assert json.loads(state.stdout)["status"] == "stopped" and json.loads(state.stdout)["pid"] == 0
    runtime("delete", runtime.id)
    assert runtime("state", runtime.id, check=False).returncode == 1


# exec --cgroup

def places(runtime, *words):
    """Where an exec'd process is, below the container's own directories, by hierarchy."""
    text = runtime("exec", *words, runtime.id, "cat", "/proc/self/cgroup").stdout
    return {line.split(":")[1]: line.rstrip().split(":", 2)[2] for line in text.splitlines()}


def test_exec_into_a_control_group_below(runtime):
    started(runtime, "sleep", "100")
    own = places(runtime)
    for path in cgroup_dirs(runtime):
        (path / "sub").mkdir()
        for name in ("cpuset.cpus", "cpuset.mems"):  # version 1: nothing can enter where they are empty
            if path.parent.name == "cpuset":
                (path / "sub" / name).write_text((path / name).read_text())
    try:
        assert places(runtime, "--cgroup", "/") == own
        below = places(runtime, "--cgroup", "sub")
        held = [name for name in own if below[name] != own[name]]
        assert held and all(below[name].rstrip("/").endswith("/sub") for name in held)
        assert places(runtime, "--cgroup", "/sub/../sub") == below
        if pathlib.Path("/sys/fs/cgroup/memory").is_dir():
            one = places(runtime, "--cgroup", "memory:sub")
            assert [name for name in one if one[name] != own[name]] == ["memory"]
            two = places(runtime, "--cgroup", "memory,pids:sub", "--cgroup", "cpu:/")
            assert sorted(name for name in two if two[name] != own[name]) == ["memory", "pids"]
    finally:
        runtime("delete", "--force", runtime.id)
        for path in cgroup_dirs(runtime):
            for left in (path / "sub", path):
                if left.exists():
                    left.rmdir()


@pytest.mark.parametrize("words, reason", [
    (("..",), ".. is not a sub cgroup path"),
    (("gone",), "o such file or directory"),
    (("colour:sub",), "unknown controller colour"),
    (("a:b:c",), "invalid --cgroup argument: a:b:c"),
    (("a", "b"), "(missing <controller>: prefix)"),
])
def test_a_control_group_that_is_none_of_the_containers(runtime, words, reason):
    started(runtime, "sleep", "100")
    flags = [word for path in words for word in ("--cgroup", path)]
    done = runtime("exec", *flags, runtime.id, "true", check=False)
    assert done.returncode == 255 and reason in done.stderr
    assert len(processes(runtime)) == 1


# what is in a container's section holds for exec too

def test_exec_has_the_personality_of_the_container(runtime):
    ours_only(runtime)  # the reference has it from 1.2 on
    edit(runtime, lambda spec: (spec["process"].update(args=["sleep", "100"]), spec["linux"].update(personality={"domain": "LINUX32"})))
    runtime.detached("run", "--detach")
    assert runtime("exec", runtime.id, "cat", "/proc/self/personality").stdout.strip() == "00000008"


def test_exec_has_the_memory_policy_of_the_container(runtime):
    ours_only(runtime)  # the reference has it from 1.4 on
    if not pathlib.Path("/proc/self/numa_maps").exists():
        pytest.skip("this kernel has no memory policies")
    edit(runtime, lambda spec: (spec["process"].update(args=["sleep", "100"]),
                                spec["linux"].update(memoryPolicy={"mode": "MPOL_BIND", "nodes": "0"})))
    runtime.detached("run", "--detach")
    assert " bind:0 " in runtime("exec", runtime.id, "cat", "/proc/self/numa_maps").stdout


# devices

DEVICE = {"path": "/etc/device", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666}


def test_a_device_that_is_there_already_is_taken(runtime):
    edit(runtime, lambda spec: spec["linux"].update(devices=[DEVICE]))
    os.mknod(runtime.bundle / "rootfs/etc/device", 0o20666, os.makedev(1, 3))
    assert runtime("run", "--bundle", str(runtime.bundle), runtime.id).returncode == 0


@pytest.mark.parametrize("kind", ["file", "another device", "link"])
def test_another_file_in_the_place_of_a_device_is_an_error(runtime, kind):
    """The specification demands it; the reference lets the file stand."""
    ours_only(runtime)
    edit(runtime, lambda spec: spec["linux"].update(devices=[DEVICE]))
    path = runtime.bundle / "rootfs/etc/device"
    if kind == "file":
        path.write_text("kept")
    elif kind == "link":
        path.symlink_to("/etc/passwd")
    else:
        os.mknod(path, 0o20666, os.makedev(1, 5))
    before = path.lstat()
    done = runtime("run", "--bundle", str(runtime.bundle), runtime.id, check=False)
    assert done.returncode == 1 and "another file is in the place of the device" in done.stderr and "/etc/device" in done.stderr
    assert path.lstat() == before
    assert runtime("state", runtime.id, check=False).returncode == 1


# where control groups are

def test_a_relative_path_starts_beside_our_own_group(runtime):
    """As the reference has it on version 2, so that a delegated tree is not left."""
    if not pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists():
        pytest.skip("only where control groups are version 2 alone")
    base = pathlib.Path(f"/sys/fs/cgroup/rt-own-{os.getpid()}")
    (base / "leaf").mkdir(parents=True)
    edit(runtime, lambda spec: (spec["process"].update(args=["sleep", "100"]), spec["linux"].update(cgroupsPath="inner")))
    try:
        with open(runtime.home / "out", "w") as out:
            subprocess.run(["sh", "-c", f'echo $$ > {base}/leaf/cgroup.procs; exec "$@"', "-", *command(
                runtime, "run", "--detach", "--bundle", str(runtime.bundle), runtime.id)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True, timeout=30)
        assert int((base / "inner/cgroup.procs").read_text()) == runtime.state()["pid"]
        runtime("delete", "--force", runtime.id)
        assert not (base / "inner").exists()
    finally:
        runtime("delete", "--force", runtime.id, check=False)
        for path in (base / "leaf", base):
            path.rmdir()


# rootless

def test_list_names_the_owner(runtime):
    ours_only(runtime)  # the reference's rootless containers need the tools of the uidmap package
    with tempfile.TemporaryDirectory(prefix="rt-owner-") as name:
        home = pathlib.Path(name)
        home.chmod(0o755)
        edit(runtime, lambda spec: (spec["process"].update(args=["sleep", "100"]), spec["linux"].pop("resources"), spec["linux"].pop("cgroupsPath"),
                                    spec["linux"]["namespaces"].append({"type": "user"}),
                                    spec["linux"].update({f"{kind}Mappings": [{"containerID": 0, "hostID": 54321, "size": 1}] for kind in ("uid", "gid")}),
                                    spec.update(mounts=[m for m in spec["mounts"] if m["destination"] in ("/proc", "/dev")])))
        shutil.copytree(runtime.bundle, home / "bundle", symlinks=True)
        subprocess.run(["chown", "-R", "-h", "54321:54321", name], check=True)
        as_user = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups", runtime.program, "--root", f"{name}/state"]
        with open(home / "out", "w") as out:
            made = subprocess.run([*as_user, "run", "--detach", "--bundle", f"{name}/bundle", runtime.id], stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30)
        try:
            assert made.returncode == 0, (home / "out").read_text()
            listed = subprocess.run([*as_user, "list"], capture_output=True, text=True, timeout=30).stdout
            assert listed.split()[-1] == "#54321"
            by_root = json.loads(subprocess.run([runtime.program, "--root", f"{name}/state", "list", "-f", "json"], capture_output=True, text=True, timeout=30).stdout)
            assert by_root[0]["owner"] == "#54321"
        finally:
            subprocess.run([*as_user, "delete", "--force", runtime.id], capture_output=True, timeout=30)
