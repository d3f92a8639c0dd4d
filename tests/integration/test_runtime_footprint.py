"""What sampan-runtime costs and leaves behind: nothing that grows, and a container may be as small as a megabyte."""
import json
import pathlib

import pytest

from test_runtime import PROGRAMS, Runtime


@pytest.fixture
def runtime(tmp_path):
    made = Runtime(PROGRAMS["sampan-runtime"], tmp_path)
    yield made
    made("delete", "--force", made.id, check=False)


def limit_memory(runtime, size):
    config = runtime.bundle / "config.json"
    spec = json.loads(config.read_text())
    spec["linux"]["resources"]["memory"] = {"limit": size}
    config.write_text(json.dumps(spec))


def census():
    """Mounts, control groups and open files of the whole machine."""
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    cgroups = sorted(str(path) for root in pathlib.Path("/sys/fs/cgroup").iterdir() if root.is_dir() for path in root.glob("*sampan-rt*"))
    return mounts, cgroups


def test_run_create_and_exec_work_in_a_memory_limit_of_one_mebibyte(runtime):
    runtime.spec("true")
    limit_memory(runtime, 1 << 20)
    for _ in range(5):
        runtime("run", "--bundle", str(runtime.bundle), runtime.id)
    runtime.spec("sleep", "100")
    limit_memory(runtime, 1 << 20)
    runtime.detached("create")
    runtime("start", runtime.id)
    assert runtime("exec", runtime.id, "true").returncode == 0


def test_a_hundred_runs_leave_nothing_behind(runtime):
    runtime.spec("true")
    runtime("run", "--bundle", str(runtime.bundle), runtime.id)
    before, files = census(), sorted(str(path) for path in (runtime.home / "state").rglob("*"))
    for _ in range(100):
        runtime("run", "--bundle", str(runtime.bundle), runtime.id)
    assert census() == before
    assert sorted(str(path) for path in (runtime.home / "state").rglob("*")) == files


def test_a_limit_that_cannot_be_is_an_error_and_leaves_nothing(runtime):
    runtime.spec("true")
    config = runtime.bundle / "config.json"
    spec = json.loads(config.read_text())
    spec["linux"]["resources"]["cpu"] = {"cpus": "4095"}
    config.write_text(json.dumps(spec))
    before = census()
    done = runtime("run", "--bundle", str(runtime.bundle), runtime.id, check=False)
    assert done.returncode == 1 and "cpuset.cpus" in done.stderr, done.stderr
    assert census() == before and not (runtime.home / "state" / runtime.id).exists()
