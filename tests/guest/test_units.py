"""Unit tests that meet the kernel, on the kernel and the control groups of the virtual machine."""
import os
import pathlib
import subprocess

import pytest

UNITS = pathlib.Path(__file__).resolve().parents[2] / "build" / "release" / "unit"

pytestmark = pytest.mark.skipif("GUEST_RESULTS" not in os.environ, reason="runs in the virtual machine: ./dev guest")


@pytest.mark.parametrize("name", ["sys_test", "cgroup_test", "runtime_test"])
def test_unit(name, tmp_path):
    done = subprocess.run([UNITS / name, "--gtest_brief=1"], cwd=tmp_path, stdin=subprocess.DEVNULL, text=True, timeout=100,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
