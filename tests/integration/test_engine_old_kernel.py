"""The engine where the kernel lacks the newer system calls (tests/fault/old_kernel.c)."""
import pathlib

import pytest

from support import BIN, Daemon, wait_for

OLD_KERNEL = BIN.parent / "tests" / "old_kernel"


@pytest.fixture
def old(tmp_path, rootfs_tar):
    daemon = Daemon(tmp_path / "d", wrapper=[OLD_KERNEL])
    daemon.start()
    daemon.import_busybox(rootfs_tar)
    yield daemon
    daemon.request("DELETE", "/containers/box?force=1")
    daemon.end()


def test_containers_live_as_elsewhere(old, tmp_path):
    assert old.docker("run", "--rm", "busybox", "echo", "hi") == "hi\n"
    assert old.docker("run", "--rm", "--network", "none", "busybox", "sh", "-c", "exit 7", check=False).code == 7
    (tmp_path / "data").mkdir()
    old.docker("run", "-d", "--name", "box", "-v", f"{tmp_path}/data:/data", "busybox", "sh", "-c", "echo one > /data/f; cat /data/f; sleep 1000")
    assert (old.docker("exec", "box", "cat", "/data/f"), old.docker("exec", "box", "false", check=False).code) == ("one\n", 1)
    first = old.inspect("box")["State"]["Pid"]
    old.docker("restart", "-t", "0", "box")
    assert old.inspect("box")["State"]["Pid"] != first
    assert wait_for(lambda: old.docker("logs", "box") == "one\none\n", 5)
    old.docker("stop", "-t", "0", "box")
    assert old.inspect("box")["State"]["ExitCode"] == 137 and not pathlib.Path(f"/proc/{first}").exists()


def test_an_exit_reaches_the_next_daemon(old):
    old.docker("run", "-d", "--name", "box", "busybox", "sleep", "1000")
    old.kill()
    old.start()
    assert old.inspect("box")["State"]["Running"]
    old.docker("kill", "box")
    assert wait_for(lambda: not old.inspect("box")["State"]["Running"], 5)
