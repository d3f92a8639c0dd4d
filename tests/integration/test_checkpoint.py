"""checkpoint and restore through CRIU. Where CRIU does not know the kernel only the refusals are tested; the virtual
machine (tests/guest) has a kernel that it knows."""
import functools
import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

from test_runtime import PROGRAMS, Runtime


@functools.cache
def criu_works():
    criu = shutil.which("criu")
    return bool(criu) and subprocess.run([criu, "check"], capture_output=True).returncode == 0


works = pytest.mark.skipif("not criu_works()", reason="criu is missing or does not know this kernel")


@pytest.fixture
def runtime(tmp_path):
    made = Runtime(PROGRAMS["sampan-runtime"], tmp_path)
    yield made
    made("delete", "--force", made.id, check=False)


def counting(runtime):
    """A container that counts in a file of a bind mount, in the host's network."""
    (runtime.home / "data").mkdir()
    runtime.spec("sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /data/n; sleep 0.05; done")
    config = runtime.bundle / "config.json"
    spec = json.loads(config.read_text())
    spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] != "network"]
    spec["mounts"] = [m for m in spec["mounts"] if m["destination"] != "/sys"]
    spec["mounts"].append({"destination": "/data", "type": "bind", "source": str(runtime.home / "data"), "options": ["rbind"]})
    config.write_text(json.dumps(spec))


def count(runtime, folder="data"):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            return int((runtime.home / folder / "n").read_text())
        except (OSError, ValueError):
            time.sleep(0.05)
    raise AssertionError("it never counted")


def wait_beyond(runtime, number, folder="data"):
    end = time.monotonic() + 20
    while count(runtime, folder) <= number:
        assert time.monotonic() < end, (count(runtime, folder), number)
        time.sleep(0.05)


def start(runtime):
    with open(os.devnull, "r+") as null:
        runtime("run", "--detach", "--bundle", str(runtime.bundle), runtime.id, stdin=null, stdout=null, stderr=null)


def restore(runtime, *words):
    with open(os.devnull, "r+") as null:
        runtime("restore", "--detach", "--bundle", str(runtime.bundle), "--image-path", str(runtime.home / "image"), *words, runtime.id,
                stdin=null, stdout=null, stderr=subprocess.PIPE)


@works
def test_a_restored_container_goes_on_where_it_was(runtime):
    counting(runtime)
    start(runtime)
    wait_beyond(runtime, 3)
    runtime("checkpoint", "--image-path", str(runtime.home / "image"), runtime.id)
    assert runtime("state", runtime.id, check=False).returncode == 1
    stopped_at = count(runtime)
    time.sleep(0.3)
    assert count(runtime) == stopped_at
    restore(runtime, "--pid-file", str(runtime.home / "pid"))
    wait_beyond(runtime, stopped_at)
    state = runtime.state()
    assert state["status"] == "running" and state["pid"] == int((runtime.home / "pid").read_text())
    assert runtime.cgroup in pathlib.Path(f"/proc/{state['pid']}/cgroup").read_text()
    assert runtime("exec", runtime.id, "sh", "-c", "echo inside").stdout == "inside\n"
    runtime("kill", runtime.id, "KILL")
    runtime.wait_for("stopped")
    runtime("delete", runtime.id)


@works
def test_leave_running(runtime):
    counting(runtime)
    start(runtime)
    wait_beyond(runtime, 1)
    runtime("checkpoint", "--leave-running", "--image-path", str(runtime.home / "image"), runtime.id)
    wait_beyond(runtime, count(runtime))
    assert runtime.state()["status"] == "running"


@works
def test_bind_mounts_come_from_the_configuration_not_from_the_image(runtime):
    counting(runtime)
    start(runtime)
    wait_beyond(runtime, 1)
    runtime("checkpoint", "--image-path", str(runtime.home / "image"), runtime.id)
    (runtime.home / "other").mkdir()
    shutil.copy(runtime.home / "data" / "n", runtime.home / "other" / "n")
    config = runtime.bundle / "config.json"
    config.write_text(config.read_text().replace(f'"{runtime.home}/data"', f'"{runtime.home}/other"'))
    stopped_at = count(runtime)
    restore(runtime)
    wait_beyond(runtime, stopped_at, "other")
    assert count(runtime) == stopped_at


def test_without_criu_it_says_so(runtime):
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    done = runtime("checkpoint", "--image-path", str(runtime.home / "image"), runtime.id, check=False, env={"PATH": "/nowhere"})
    assert done.returncode == 1 and "criu is not installed" in done.stderr
    assert runtime.state()["status"] == "running"
    done = runtime("restore", "--bundle", str(runtime.bundle), "--image-path", str(runtime.home / "image"), "other", check=False, env={"PATH": "/nowhere"})
    assert done.returncode == 1 and "criu is not installed" in done.stderr
    assert not (runtime.home / "state" / "other").exists()


def test_a_failing_criu_is_an_error_with_its_log_and_harms_nothing(runtime):
    fake = runtime.home / "bin"
    fake.mkdir()
    (fake / "criu").write_text('#!/bin/sh\nwhile [ "$1" != --work-dir ]; do shift; done\necho "(00.1) Error (x.c:1): no luck" > "$2/dump.log"\nexit 3\n')
    (fake / "criu").chmod(0o755)
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    done = runtime("checkpoint", "--image-path", str(runtime.home / "image"), runtime.id, check=False, env={"PATH": str(fake)})
    assert done.returncode == 1 and "no luck" in done.stderr and "dump.log" in done.stderr
    assert runtime.state()["status"] == "running"


def test_what_cannot_be_checkpointed(runtime):
    fake = runtime.home / "criu"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    runtime.spec("sleep", "100")
    runtime.detached("create")
    done = runtime("checkpoint", runtime.id, check=False, env={"PATH": str(runtime.home)}, cwd=runtime.home)
    assert done.returncode == 1 and "created state" in done.stderr


def test_cve_2026_119101_a_mount_that_is_not_where_it_says_is_refused(runtime):
    """An image's link moves the mount: on the way back it could change places with another."""
    fake = runtime.home / "criu"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    (runtime.bundle / "rootfs" / "real").mkdir()
    (runtime.bundle / "rootfs" / "link").symlink_to("real")
    for destination in ("/link", "/odd]:m7"):
        runtime.spec("sleep", "100")
        config = runtime.bundle / "config.json"
        spec = json.loads(config.read_text())
        spec["mounts"].append({"destination": destination, "type": "bind", "source": str(runtime.home), "options": ["rbind"]})
        config.write_text(json.dumps(spec))
        runtime.detached("run", "--detach")
        done = runtime("checkpoint", runtime.id, check=False, env={"PATH": str(runtime.home)}, cwd=runtime.home)
        assert done.returncode == 1 and destination in done.stderr and "not where" in done.stderr
        assert runtime.state()["status"] == "running"
        runtime("delete", "--force", runtime.id)
