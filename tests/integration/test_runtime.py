"""sampan-runtime as a drop-in for runc: every case runs on both where runc is installed."""
import array
import errno
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

from support import BUILD

CAPABILITIES = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE"]
PROGRAMS = {"sampan-runtime": str(BUILD / "bin" / "sampan-runtime"), "runc": shutil.which("runc")}


def mount(destination, kind, source, *options):
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def make_spec(args, cgroup):
    return {
        "ociVersion": "1.0.2",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": args, "cwd": "/", "env": ["PATH=/bin"],
                    "capabilities": {name: CAPABILITIES for name in ("bounding", "effective", "permitted")}},
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [mount("/proc", "proc", "proc"),
                   mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755", "size=65536k"),
                   mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
                   mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro")],
        "linux": {"cgroupsPath": cgroup, "namespaces": [{"type": t} for t in ("mount", "pid", "network", "ipc", "uts", "cgroup")],
                  "resources": {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 77}},
                  "maskedPaths": ["/proc/keys"], "readonlyPaths": ["/proc/sys"]},
    }


class Runtime:
    """One program, one bundle, one container id."""

    def __init__(self, program, home):
        self.program, self.home, self.id = program, home, f"rt{os.getpid()}"
        self.bundle = home / "bundle"
        for name in ("bin", "proc", "sys", "dev", "etc", "tmp"):
            (self.bundle / "rootfs" / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", self.bundle / "rootfs/bin/busybox")
        for tool in ("sh", "cat", "id", "sleep", "true", "tty", "hostname", "ls"):
            (self.bundle / "rootfs/bin" / tool).symlink_to("busybox")
        self.cgroup = f"/sampan-rt-{os.getpid()}"

    def spec(self, *args, **changes):
        spec = make_spec(list(args), self.cgroup)
        for key, value in changes.items():
            spec["process"][key] = value
        (self.bundle / "config.json").write_text(json.dumps(spec))

    def __call__(self, command, *words, check=True, **kwargs):
        argv = [self.program, "--root", str(self.home / "state"), command, *words]
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.PIPE)
        done = subprocess.run(argv, text=True, timeout=30, **kwargs)
        assert not check or done.returncode == 0, done.stderr
        return done

    def detached(self, command, *words, check=True):
        """For what outlives the command: a pipe would be held open by it."""
        with open(self.home / "out", "w") as out:
            self(command, *words, "--bundle", str(self.bundle), self.id, stdout=out, stderr=out, check=check)

    def state(self):
        return json.loads(self("state", self.id).stdout)

    def wait_for(self, status):
        end = time.monotonic() + 10
        while self.state()["status"] != status:
            assert time.monotonic() < end, self.state()
            time.sleep(0.01)


OLD_KERNEL = str(BUILD / "tests" / "sampan-runtime.old")  # without the newer system calls: tests/fault/old_kernel.c


@pytest.fixture(params=[*(name for name, program in PROGRAMS.items() if program), "old kernel"])
def runtime(request, tmp_path):
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    made = Runtime(PROGRAMS.get(request.param, OLD_KERNEL), tmp_path)
    yield made
    made("delete", "--force", made.id, check=False)
    assert pathlib.Path("/proc/self/mountinfo").read_text() == mounts
    assert not list(pathlib.Path("/sys/fs/cgroup").glob(f"*{made.cgroup}"))


def test_run_gives_output_and_exit_code(runtime):
    runtime.spec("sh", "-c", "echo $(hostname) $$; exit 7")
    done = runtime("run", "--bundle", str(runtime.bundle), runtime.id, check=False)
    assert (done.stdout, done.returncode) == ("box 1\n", 7)
    assert runtime("state", runtime.id, check=False).returncode == 1


def test_life_from_create_to_delete(runtime):
    runtime.spec("sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.02; done")
    pid_file = runtime.home / "pid"
    runtime.detached("create", "--pid-file", str(pid_file))
    state = runtime.state()
    assert state["status"] == "created" and state["pid"] == int(pid_file.read_text())
    assert set(state) >= {"ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "owner"}
    again = runtime("create", "--bundle", str(runtime.bundle), runtime.id, check=False)
    assert again.returncode == 1 and "already exists" in again.stderr
    runtime("start", runtime.id)
    assert runtime.state()["status"] == "running"
    assert runtime("start", runtime.id, check=False).returncode == 1
    assert runtime("exec", runtime.id, "sh", "-c", "cat /proc/1/cmdline | grep -c trap").stdout == "1\n"
    assert runtime("exec", runtime.id, "sh", "-c", "exit 9", check=False).returncode == 9
    assert json.loads(runtime("ps", "--format", "json", runtime.id).stdout)[0] == state["pid"]
    runtime("pause", runtime.id)
    assert runtime.state()["status"] == "paused"
    runtime("resume", runtime.id)
    refused = runtime("delete", runtime.id, check=False)
    assert refused.returncode == 1 and "not stopped" in refused.stderr
    runtime("kill", runtime.id, "TERM")
    runtime.wait_for("stopped")
    assert runtime("kill", runtime.id, check=False).returncode == 1
    runtime("delete", runtime.id)
    assert runtime.id not in runtime("list", "--quiet").stdout


def test_errors_are_json_in_the_log(runtime):
    runtime.spec("no-such-program")
    log = runtime.home / "log"
    done = subprocess.run([runtime.program, "--root", str(runtime.home / "state"), "--log", str(log), "--log-format", "json", "run",
                           "--bundle", str(runtime.bundle), runtime.id], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    entry = json.loads(log.read_text().splitlines()[-1])
    assert entry["level"] == "error" and entry["time"]
    assert 'exec: "no-such-program": executable file not found in $PATH' in entry["msg"]


def test_update_changes_a_running_container(runtime):
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    limit = next(p for p in (pathlib.Path(f"/sys/fs/cgroup/pids{runtime.cgroup}/pids.max"),
                             pathlib.Path(f"/sys/fs/cgroup{runtime.cgroup}/pids.max")) if p.exists())
    assert limit.read_text().strip() == "77"
    runtime("update", "--pids-limit", "55", runtime.id)
    assert limit.read_text().strip() == "55"
    event = json.loads(runtime("events", "--stats", runtime.id).stdout)
    assert event["type"] == "stats" and event["data"]["pids"] == {"current": 1, "limit": 55}


def test_console_socket_receives_the_terminal(runtime):
    runtime.spec("sh", "-c", "tty; ls /dev/console", terminal=True)
    path = str(runtime.home / "console.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        runtime.detached("create", "--console-socket", path)
        connection, _ = listener.accept()
        with connection:
            _, control, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
    master = array.array("i", control[0][2][:4])[0]
    runtime("start", runtime.id)
    seen = b""
    while b"console" not in seen:
        seen += os.read(master, 4096)
    os.close(master)
    assert b"/dev/pts/0" in seen


def test_a_terminal_without_a_socket_cannot_be_detached(runtime):
    runtime.spec("sh", terminal=True)
    done = runtime("create", "--bundle", str(runtime.bundle), runtime.id, check=False)
    assert done.returncode == 1 and "console socket" in done.stderr


def test_preserved_descriptors_and_no_others(runtime):
    runtime.spec("sh", "-c", "echo through >&3; ls /proc/1/fd; true")
    reader, writer = os.pipe()
    argv = [runtime.program, "--root", str(runtime.home / "state"), "run", "--preserve-fds", "1", "--bundle", str(runtime.bundle), runtime.id]
    saved = os.dup(3) if pathlib.Path("/proc/self/fd/3").exists() else None
    os.dup2(writer, 3)
    try:
        done = subprocess.run(argv, capture_output=True, text=True, pass_fds=(3,), timeout=30)
    finally:
        os.dup2(saved, 3) if saved is not None else os.close(3)
    assert done.stdout.split() == ["0", "1", "2", "3"], done.stderr
    assert os.read(reader, 100) == b"through\n"


def test_signals_are_forwarded_in_the_foreground(runtime):
    runtime.spec("sh", "-c", "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.02; done")
    argv = [runtime.program, "--root", str(runtime.home / "state"), "run", "--bundle", str(runtime.bundle), runtime.id]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "caught\n"
        assert process.wait(10) == 4


def test_the_program_cannot_be_overwritten_from_inside(runtime):
    """CVE-2019-5736: whoever sees the waiting init can open its program, but never for writing, running or not."""
    if "runc" in runtime.program:
        pytest.skip("runc protects itself by other means")
    runtime.spec("true")
    runtime.detached("create")
    held = os.open(f"/proc/{runtime.state()['pid']}/exe", os.O_PATH)
    runtime("delete", "--force", runtime.id)
    if runtime.program == OLD_KERNEL:  # a sealed copy in memory
        program = os.open(f"/proc/self/fd/{held}", os.O_WRONLY)
        with pytest.raises(PermissionError):
            os.write(program, b"x")
        os.close(program)
        os.close(held)
        return
    end = time.monotonic() + 10
    while True:  # ETXTBSY as long as anybody else runs the same file
        with pytest.raises(OSError) as refused:
            os.open(f"/proc/self/fd/{held}", os.O_WRONLY)
        if refused.value.errno != errno.ETXTBSY or time.monotonic() > end:
            break
    os.close(held)
    assert refused.value.errno == errno.EROFS
