"""sampan-runtime below the engines of others: dockerd, containerd and Podman run real containers with it."""
import re

import pytest

import foreign
from support import run, wait_for
from test_terminal import Terminal

SERVE = ("sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done")
LIMITS = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || " \
         "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max"


def start(kind, rootfs_tar):
    if kind.missing():
        pytest.skip(f"not unpacked: {kind.missing()} (./dev itest fetches it)")
    made = kind(rootfs_tar)
    try:
        return made.start()
    except BaseException:
        made.stop()
        raise


@pytest.fixture(scope="module", params=[foreign.Dockerd, foreign.Podman], ids=["dockerd", "podman"])
def shared_engine(request, rootfs_tar):
    made = start(request.param, rootfs_tar)
    yield made
    assert made.stop() == []


@pytest.fixture
def engine(shared_engine):
    """Docker's command line, or Podman's which is the same; every test finds and leaves no container."""
    before = runtime_ids(shared_engine)
    yield shared_engine
    shared_engine.remove_containers()
    assert wait_for(lambda: runtime_ids(shared_engine) <= before, 10), runtime_ids(shared_engine) - before


@pytest.fixture(scope="module")
def shared_containerd(rootfs_tar):
    made = start(foreign.Containerd, rootfs_tar)
    yield made
    assert made.stop() == []


@pytest.fixture
def containerd(shared_containerd):
    yield shared_containerd
    shared_containerd.remove_containers()
    assert not runtime_ids(shared_containerd)


def runtime_ids(engine):
    """The containers that our runtime knows for this engine."""
    return set(run([foreign.RUNTIME, "--root", engine.runtime_root, "list", "-q"]).split())


def image_of(engine):
    return "localhost/busybox:latest" if isinstance(engine, foreign.Podman) else "busybox:latest"


def started(engine, *flags):
    """A container that runs until it is told to end, and has said so."""
    name = engine.run("-d", *flags, image_of(engine), *SERVE).strip()
    assert wait_for(lambda: "ready" in engine("logs", name), 10)
    return name


def status(engine, name):
    return engine("inspect", "--format", "{{.State.Status}}", name).strip()


def talk(terminal, code):
    """A shell at a terminal tells its name, follows a new size and ends. Docker's client may lose the first size."""
    terminal.expect("/ # ")
    terminal.send("tty\n")
    terminal.expect("/dev/pts/0\r")
    terminal.expect("/ # ")
    terminal.send(f"until stty size 2>/dev/null | grep '44 88'; do sleep 0.05; done; exit {code}\n")
    terminal.follows(44, 88, "44 88\r")
    assert terminal.wait() == code


def test_run_gives_both_streams_and_the_exit_code(engine):
    done = engine.run("--rm", image_of(engine), "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (done, done.err, done.code) == ("out\n", "err\n", 7)


def test_standard_input_reaches_the_container_and_its_end_does(engine):
    assert engine.run("--rm", "-i", image_of(engine), "cat", input=b"one\ntwo\n") == "one\ntwo\n"


@pytest.mark.parametrize("program, code, words", [("no-such-program", 127, "executable file not found"),
                                                  ("/etc/passwd", 126, "ermission denied")])
def test_a_program_that_cannot_start_has_docker_s_exit_code(engine, program, code, words):
    done = engine.run("--rm", image_of(engine), program, check=False)
    assert done.code == code and words in done.err


def test_limits_are_the_container_s_and_update_changes_them(engine):
    name = started(engine, "--memory", "64m", "--pids-limit", "33", "--cpus", "0.5")
    assert re.sub(r"\s100000$", "", engine("exec", name, "sh", "-c", LIMITS).strip()).split() == ["67108864", "33", "50000"]
    engine("update", "--memory", "80m", "--memory-swap", "160m", "--cpus", "0.7", name)
    assert re.sub(r"\s100000$", "", engine("exec", name, "sh", "-c", LIMITS).strip()).split() == ["83886080", "33", "70000"]


def test_too_much_memory_kills(engine):
    name = engine.run("-d", "--memory", "20m", "--memory-swap", "20m", image_of(engine), "tail", "/dev/zero").strip()
    assert engine("wait", name).strip() == "137"
    if isinstance(engine, foreign.Dockerd):  # Podman's monitor looks for it only in version 2 of control groups
        assert engine("inspect", "--format", "{{.State.OOMKilled}}", name).strip() == "true"


def test_exec_has_its_own_streams_user_environment_and_exit_code(engine):
    name = started(engine)
    assert engine("exec", "-i", name, "cat", input=b"fed") == "fed"
    done = engine("exec", "--user", "1000:2000", "--env", "A=b", "--workdir", "/tmp", name, "sh", "-c", "echo $(id -u) $(id -g) $A $PWD; exit 4",
                  check=False)
    assert (done, done.code) == ("1000 2000 b /tmp\n", 4)
    assert engine("exec", name, "no-such-program", check=False).code in (126, 127)
    engine("exec", "-d", name, "touch", "/tmp/made")
    assert wait_for(lambda: engine("exec", name, "ls", "/tmp") == "made\n", 5)


def test_pause_stops_it_and_unpause_lets_it_go_on(engine):
    name = started(engine)
    engine("pause", name)
    assert status(engine, name) == "paused"
    engine("unpause", name)
    assert status(engine, name) == "running"
    assert "sleep" in engine("top", name)


def test_stop_start_kill_and_remove(engine):
    name = started(engine)
    assert name in runtime_ids(engine)
    engine("stop", "--time", "5", name)
    assert engine("wait", name).strip() == "3"
    assert name not in runtime_ids(engine)
    engine("start", name)
    engine("kill", name)
    assert engine("wait", name).strip() == "137"
    engine("rm", name)
    assert engine("logs", name, check=False).code != 0


def test_a_paused_container_can_be_removed_by_force(engine):
    name = started(engine)
    engine("pause", name)
    engine("rm", "--force", name)
    assert name not in engine("ps", "-aq", "--no-trunc")


def test_a_terminal_follows_the_size_of_ours(engine):
    terminal = Terminal(engine.run_argv("--rm", "-it", image_of(engine), "sh"))
    talk(terminal, 6)


def test_exec_gives_a_terminal_of_its_own(engine):
    name = started(engine)
    terminal = Terminal(engine.argv("exec", "-it", name, "sh"))
    talk(terminal, 5)


def test_what_confines_a_container_is_there(engine):
    script = "id -u; ulimit -n; cat /proc/sys/net/ipv4/ip_forward; pwd; touch /run/file && touch /file || unshare -m true || cat /proc/kcore || " \
             "grep -E 'CapEff|Seccomp:' /proc/self/status"
    done = engine.run("--rm", "--read-only", "--tmpfs", "/run:mode=1777", "--user", "1000:1000", "--ulimit", "nofile=99", "--sysctl",
                      "net.ipv4.ip_forward=1", "--workdir", "/tmp", image_of(engine), "sh", "-c", script)
    assert done.split() == ["1000", "99", "1", "/tmp", "CapEff:", "0000000000000000", "Seccomp:", "2"]
    assert "Read-only file system" in done.err and "Operation not permitted" in done.err


def test_privileged_may_mount(engine):
    assert engine.run("--rm", "--privileged", image_of(engine), "sh", "-c", "mount -t tmpfs none /tmp && grep -c ' /tmp tmpfs' /proc/mounts") == "1\n"


def test_a_bind_mount_carries_both_ways(engine):
    shared = engine.home / "shared"
    shared.mkdir(exist_ok=True)
    (shared / "in").write_text("from outside\n")
    engine.run("--rm", "-v", f"{shared}:/shared", image_of(engine), "sh", "-c", "cat /shared/in > /shared/out")
    assert (shared / "out").read_text() == "from outside\n"
    done = engine.run("--rm", "-v", f"{shared}:/shared:ro", image_of(engine), "touch", "/shared/no", check=False)
    assert done.code == 1 and "Read-only file system" in done.err


def test_dockerd_s_hook_connects_the_container_to_its_bridge(engine):
    if not isinstance(engine, foreign.Dockerd):
        pytest.skip("Podman's network programs are further packages")
    addresses = engine("run", "--rm", image_of(engine), "ip", "-4", "-o", "addr", "show", "eth0")
    assert "inet 172." in addresses


def task_status(containerd, name):
    rows = [line.split() for line in containerd("task", "ls").splitlines()]
    return next((row[2] for row in rows if row[0] == name), None)


def serving(containerd, name, *flags):
    log = containerd.home / f"{name}.log"
    containerd.run(name, *SERVE, flags=("--detach", "--log-uri", f"file://{log}", *flags))
    assert wait_for(lambda: log.exists() and log.read_text() == "ready\n", 10)


def test_containerd_runs_and_gives_the_exit_code(containerd):
    done = containerd.run("one", "sh", "-c", "echo out; exit 7", flags=("--rm",), check=False)
    assert (done, done.code) == ("out\n", 7)
    done = containerd.run("two", "no-such-program", flags=("--rm",), check=False)
    assert done.code == 1 and 'exec: "no-such-program": executable file not found in $PATH' in done.err


def test_containerd_follows_a_task_through_its_life(containerd):
    serving(containerd, "task", "--memory-limit", str(64 << 20), "--cpu-quota", "50000", "--cpu-period", "100000")
    assert runtime_ids(containerd) == {"task"} and task_status(containerd, "task") == "RUNNING"
    done = containerd("task", "exec", "--exec-id", "x", "task", "sh", "-c", "echo in; exit 4", check=False)
    assert (done, done.code) == ("in\n", 4)
    assert str(64 << 20) in containerd("task", "metrics", "task")
    containerd("task", "pause", "task")
    assert task_status(containerd, "task") == "PAUSED"
    containerd("task", "resume", "task")
    assert len(containerd("task", "ps", "task").splitlines()) >= 2
    containerd("task", "kill", "--signal", "SIGTERM", "task")
    assert wait_for(lambda: task_status(containerd, "task") == "STOPPED", 10)
    assert "non-zero exit code 3" in containerd("task", "rm", "task").err
    assert not runtime_ids(containerd)


def test_containerd_s_tasks_have_terminals(containerd):
    terminal = Terminal(containerd.run_argv("tty", "sh", flags=("--rm", "--tty")))
    talk(terminal, 6)
    serving(containerd, "host")
    terminal = Terminal(containerd.argv("task", "exec", "--tty", "--exec-id", "y", "host", "sh"))
    talk(terminal, 5)


def test_containerd_removes_a_running_or_paused_task_by_force(containerd):
    for name in ("running", "paused"):
        serving(containerd, name)
    containerd("task", "pause", "paused")
    for name in ("running", "paused"):
        containerd("task", "rm", "--force", name)
    assert not runtime_ids(containerd)


def test_buildah_builds_with_our_runtime(rootfs_tar):
    if foreign.Buildah.missing():
        pytest.skip(f"not unpacked: {foreign.Buildah.missing()} (./dev itest fetches it)")
    buildah = foreign.Buildah(rootfs_tar)
    try:
        done = buildah.build("FROM scratch\nADD busybox.tar /\nENV PATH=/bin\nRUN echo made > /made\nRUN cat /made && id -u\n")
        assert done.code == 0, done.err
        assert "made\n0\n" in done
        done = buildah.build("FROM scratch\nADD busybox.tar /\nENV PATH=/bin\nRUN exit 5\n")
        assert done.code == 5 and "exit status 5" in done.err
    finally:
        left = buildah.stop()
    assert left == []
