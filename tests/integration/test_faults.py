"""The n-th system call of a command fails, for every n: what fails says so, and nothing leaks.

Every SAMPAN_FAULT_STRIDE-th call is tried (1 is all of them); tests/fault/fail_syscall.c does the tracing.
"""
import contextlib
import ctypes
import os
import pathlib
import re
import subprocess
import time

import pytest

from support import BUILD
from test_runtime import PROGRAMS, Runtime

TRACER = pathlib.Path(os.environ.get("SAMPAN_FAIL_SYSCALL", BUILD / "tests" / "fail_syscall"))
STRIDE = int(os.environ.get("SAMPAN_FAULT_STRIDE", "5"))
PR_SET_CHILD_SUBREAPER = 36


class Faults(Runtime):
    """A container whose commands run under the tracer."""

    def __init__(self, home):
        super().__init__(os.environ.get("SAMPAN_RUNTIME", PROGRAMS["sampan-runtime"]), home)
        text = pathlib.Path("/proc/self/mountinfo").read_text()
        self.hierarchies = [line.split()[4] for line in text.splitlines() if re.search(r" - cgroup2? ", line)]
        self.pid_file = home / "pid"
        self.output = home / "out"
        self.report = home / "report"
        self.known_children = set()
        self.known_children = self.children()
        self.output.touch()
        self.report.touch()

    def mounts(self):
        """Those that have to do with this container: others come and go on the host."""
        return [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if str(self.home) in line]

    def traced(self, n, mode, command, *words, beside=None):
        """Returns the exit status, the number of calls, and what was hit; the output is in self.output."""
        extra = ["-a", str(beside)] if beside else []
        argv = [str(TRACER), "-n", str(n), "-m", mode, "-o", str(self.report), *extra, "--",
                self.program, "--root", str(self.home / "state"), command, *words]
        with open(self.output, "w") as out:
            status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30).returncode
        count, _, hit = self.report.read_text().strip().partition(" ")
        return status, int(count), hit

    def said(self):
        return self.output.read_text()

    def cgroups(self):
        """This container's directories, in every hierarchy."""
        return [point + self.cgroup for point in self.hierarchies if os.path.exists(point + self.cgroup)]

    def files(self):
        """Names of everything below the test's directory that a run could have left."""
        found = set()
        for top, dirs, names in os.walk(self.home):
            if top.endswith("/.seccomp-cache"):
                continue
            found.update(os.path.join(top, name) for name in dirs + names if name != ".seccomp-cache")
        return found

    def children(self):
        """Those that were not there before the test: the daemons of other tests are somebody else's to reap."""
        path = pathlib.Path(f"/proc/self/task/{os.getpid()}/children")
        return {int(pid) for pid in path.read_text().split()} - self.known_children

    def reap(self, timeout=5.0, spare=()):
        """Reaps what was orphaned; returns the children that are still there at the end of the time."""
        end = time.monotonic() + timeout
        while True:
            for pid in self.children():
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass
            left = self.children() - set(spare)
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.001)

    def assert_clean(self, files, what, spare=()):
        assert not self.reap(spare=spare), f"{what}: processes are left"
        assert self.files() - files == set(), what
        assert self.cgroups() == [], what
        assert self.mounts() == [], what

    def force_delete(self):
        return self("delete", "--force", self.id, check=False)

    @contextlib.contextmanager
    def deleted_after(self, files, what):
        """Whatever is found wrong inside, the container is deleted; and of that nothing may be left."""
        try:
            yield
        finally:
            done = self.force_delete()
        assert done.returncode == 0, f"{what}: {done.stderr}"
        self.assert_clean(files, what)

    def assert_honest(self, status, mode, hit, what):
        """A killed program says so by its status; a failed one has words; EINTR is never a failure."""
        if mode == "kill" and hit.endswith("program"):
            assert status == 128 + 9, what
        elif mode == "eintr":
            assert status == 0, what
        elif status and not (mode == "kill" and status == 128 + 9):  # a killed child is like a killed container
            assert re.search(r"[a-z]{3}", self.said()), what


@pytest.fixture
def faults(tmp_path):
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    made = Faults(tmp_path)
    (tmp_path / "state").mkdir()
    yield made
    made.force_delete()
    made.reap()
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


MODES = ("error", "kill", "eintr")


def sweep(one, mode):
    """Counts with no fault, then strikes call after call; the problems are told together."""
    count = one(0, mode)
    stride = max(1, STRIDE // 4) if mode == "eintr" else STRIDE
    problems = []
    for n in range(1, count + 1, stride):
        try:
            one(n, mode)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            problems.append(str(error))
    assert not problems, f"{len(problems)} of {count} calls:\n" + "\n".join(problems)


def describe(faults, n, mode, status, hit):
    return f"call {n} ({mode}: {hit}) status {status}: {faults.said()[:300]!r}"


@pytest.mark.parametrize("mode", MODES)
def test_create_survives_each_failing_call(faults, mode):
    faults.spec("true")
    files = faults.files()

    def one(n, mode):
        status, count, hit = faults.traced(n, mode, "create", "--pid-file", str(faults.pid_file), "--bundle",
                                           str(faults.bundle), faults.id)
        what = describe(faults, n, mode, status, hit)
        try:
            faults.assert_honest(status, mode, hit, what)
            if status == 0:
                state = faults.state()
                if state["status"] != "stopped" or not hit.endswith("child"):  # init can die after it was made
                    assert state["status"] == "created" and state["pid"] == int(faults.pid_file.read_text()), what
            elif status != 128 + 9:
                faults.assert_clean(files, "before delete, " + what)
        finally:
            done = faults.force_delete()
            faults.pid_file.unlink(missing_ok=True)
        assert done.returncode == 0, f"{what}: {done.stderr}"
        for name in faults.home.glob("pid.tmp*"):  # a killed program cannot take back its half-written file
            assert mode == "kill" and name.unlink() is None, what
        faults.assert_clean(files, what)
        return count

    sweep(one, mode)


@pytest.mark.parametrize("mode", MODES)
def test_run_survives_each_failing_call(faults, mode):
    faults.spec("sh", "-c", "exit 7")
    files = faults.files()

    def one(n, mode):
        status, count, hit = faults.traced(n, mode, "run", "--bundle", str(faults.bundle), faults.id)
        what = describe(faults, n, mode, status, hit)
        with faults.deleted_after(files, what):
            if status != 7:
                assert status != 0, what
                assert mode != "eintr", what
                faults.assert_honest(status, mode, hit, what)
            if status != 128 + 9 and not (status == 7 and faults.said()):  # what cannot be removed is a warning
                faults.assert_clean(files, "before delete, " + what)
        return count

    sweep(one, mode)


@pytest.mark.parametrize("mode", MODES)
def test_start_survives_each_failing_call_of_either_side(faults, mode):
    faults.spec("true")
    files = faults.files()

    def one(n, mode):
        faults.detached("create")
        pid = faults.state()["pid"]
        status, count, hit = faults.traced(n, mode, "start", faults.id, beside=pid)
        what = describe(faults, n, mode, status, hit)
        with faults.deleted_after(files, what):
            faults.assert_honest(status, mode, hit, what)
        return count

    sweep(one, mode)


@pytest.mark.parametrize("mode", MODES)
def test_exec_survives_each_failing_call(faults, mode):
    faults.spec("sleep", "1000")
    faults.detached("run", "--detach")
    init = faults.state()["pid"]
    files = faults.files()

    def members():
        return {int(pid) for top in faults.cgroups() for pid in pathlib.Path(top, "cgroup.procs").read_text().split()}

    def one(n, mode):
        status, count, hit = faults.traced(n, mode, "exec", faults.id, "sh", "-c", "exit 7")
        what = describe(faults, n, mode, status, hit)
        if status != 7:
            assert status != 0 and mode != "eintr", what
            faults.assert_honest(status, mode, hit, what)
        assert not faults.reap(spare={init}), what
        assert members() == {init}, what
        assert faults.files() - files == set(), what
        assert faults.mounts() == [], what
        return count

    sweep(one, mode)


@pytest.mark.parametrize("mode", MODES)
def test_delete_can_be_repeated_after_each_failing_call(faults, mode):
    faults.spec("sleep", "1000")
    files = faults.files()

    def one(n, mode):
        faults.detached("create")
        status, count, hit = faults.traced(n, mode, "delete", "--force", faults.id)
        what = describe(faults, n, mode, status, hit)
        faults.assert_honest(status, mode, hit, what)
        if status == 0:
            faults.assert_clean(files, "after the first delete, " + what)
        done = faults.force_delete()
        assert done.returncode == 0, f"{what}: {done.stderr}"
        faults.assert_clean(files, what)
        return count

    sweep(one, mode)
