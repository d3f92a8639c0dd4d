"""Controllers that the hosts of the other tests lack: those of version 1 mounted beside version 2, huge pages, rdma."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from test_runtime import PROGRAMS, Runtime  # noqa: E402

pytestmark = pytest.mark.skipif("GUEST_RESULTS" not in os.environ, reason="runs in the virtual machine: ./dev guest")
ROOT = pathlib.Path("/sys/fs/cgroup")
BOTH = ("hugetlb", "perf_event", "rdma")  # known to version 2 too: there they must be in nobody's hands


@pytest.fixture(params=[name for name, program in PROGRAMS.items() if program])
def box(request, tmp_path):
    made = Runtime(PROGRAMS[request.param], tmp_path)
    yield made
    made("delete", "--force", made.id, check=False)


def start(box, **resources):
    box.spec("sleep", "1000")
    config = box.bundle / "config.json"
    spec = json.loads(config.read_text())
    spec["linux"]["resources"].update(resources)
    config.write_text(json.dumps(spec))
    box.detached("run", "--detach")


@pytest.fixture
def hybrid(tmp_path):
    """A host that has some controllers of version 1: the folder with a mount point for each."""
    control = ROOT / "cgroup.subtree_control"
    given = control.read_text().split()
    for name in BOTH:
        if name in given:
            control.write_text(f"-{name}")
    folder = tmp_path / "v1"
    for name in ("net_cls,net_prio", *BOTH):
        (folder / name).mkdir(parents=True)
        subprocess.run(["mount", "-t", "cgroup", "-o", name, "none", folder / name], check=True)
    yield folder
    for mount in folder.iterdir():
        subprocess.run(["umount", mount], check=True)


def test_version_one_controllers_beside_version_two(hybrid, tmp_path):
    box = Runtime(PROGRAMS["sampan-runtime"], tmp_path)  # runc finds no devices controller here
    start(box, network={"classID": 0x100001, "priorities": [{"name": "lo", "priority": 5}]},
          hugepageLimits=[{"pageSize": "2MB", "limit": 4 << 20}])
    own = {name: hybrid / name / box.cgroup.lstrip("/") for name in ("net_cls,net_prio", *BOTH)}
    assert (own["net_cls,net_prio"] / "net_cls.classid").read_text().strip() == str(0x100001)
    assert "lo 5" in (own["net_cls,net_prio"] / "net_prio.ifpriomap").read_text().splitlines()
    assert (own["hugetlb"] / "hugetlb.2MB.limit_in_bytes").read_text().strip() == str(4 << 20)
    pid = str(box.state()["pid"])
    for name, directory in own.items():
        assert pid in (directory / "cgroup.procs").read_text().split(), name
    assert (ROOT / box.cgroup.lstrip("/") / "pids.max").read_text().strip() == "77", "the others stay with version 2"
    box("exec", box.id, "true")
    box("delete", "--force", box.id)
    assert not [directory for directory in own.values() if directory.exists()]


def test_version_two_huge_pages(box):
    given = {"hugetlb.2MB.max": str(6 << 20)}
    start(box, hugepageLimits=[{"pageSize": "2MB", "limit": 6 << 20}])
    assert {name: (ROOT / box.cgroup.lstrip("/") / name).read_text().strip() for name in given} == given


def test_a_limit_for_a_device_that_is_not_there_is_an_error(box):
    box.spec("true")
    config = box.bundle / "config.json"
    spec = json.loads(config.read_text())
    spec["linux"]["resources"]["rdma"] = {"mlx5_0": {"hcaHandles": 3, "hcaObjects": 100}}
    config.write_text(json.dumps(spec))
    done = box("run", "--bundle", str(box.bundle), box.id, check=False)
    assert done.returncode == 1 and "rdma" in done.stderr and "no such device" in done.stderr.lower()
    assert not (ROOT / box.cgroup.lstrip("/")).exists()


def test_huge_pages_beyond_the_limit_are_refused(tmp_path):
    """Two of two can be had; three are refused when they are reserved, before the first one is touched."""
    box = Runtime(PROGRAMS["sampan-runtime"], tmp_path)
    pool = pathlib.Path("/proc/sys/vm/nr_hugepages")
    pool.write_text("4")
    try:
        if int(pool.read_text()) < 4:
            pytest.skip("this machine has no 4 huge pages")
        start(box, hugepageLimits=[{"pageSize": "2MB", "limit": 4 << 20}])
        directory = ROOT / box.cgroup.lstrip("/")
        touch = ("import ctypes,mmap,os,sys\nopen(sys.argv[1]+'/cgroup.procs','w').write('0')\n"
                 "m=mmap.mmap(-1,int(sys.argv[2])<<21,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS|0x40000)\n"
                 "[m.__setitem__(i<<21,1) for i in range(int(sys.argv[2]))]")
        had, refused = (subprocess.run([sys.executable, "-c", touch, directory, pages], capture_output=True, text=True) for pages in "23")
        assert had.returncode == 0, had.stderr
        assert refused.returncode == 1 and "Cannot allocate memory" in refused.stderr
    finally:
        box("delete", "--force", box.id, check=False)
        pool.write_text("0")
