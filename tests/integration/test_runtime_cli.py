"""The command line of sampan-runtime beside runc's: what is printed, what is refused, and the exit codes."""
import json
import os
import pathlib
import re
import select
import subprocess
import time

import pytest

from test_runtime import PROGRAMS, mount, runtime  # noqa: F401  (runtime is a fixture)


def call(runtime, *argv, **kwargs):
    """The program with global options of the test's own."""
    return subprocess.run([runtime.program, *argv], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL, **kwargs)


def limit_file(runtime, controller, v1, v2):
    for path in (f"/sys/fs/cgroup/{controller}{runtime.cgroup}/{v1}", f"/sys/fs/cgroup{runtime.cgroup}/{v2}"):
        if pathlib.Path(path).exists():
            return pathlib.Path(path)
    pytest.skip(f"this host has no {v1} or {v2}")


def edit(runtime, change):
    runtime.spec("true")
    path = runtime.bundle / "config.json"
    spec = json.loads(path.read_text())
    change(spec)
    path.write_text(json.dumps(spec))


def ours_only(runtime):
    if runtime.program != PROGRAMS["sampan-runtime"]:
        pytest.skip("sampan-runtime's own")


# features

def features(runtime):
    return json.loads(runtime("features").stdout)


def test_features_have_the_layout_of_the_specification(runtime):
    said = features(runtime)
    assert said["ociVersionMin"] == "1.0.0" and said["ociVersionMax"].startswith("1.")
    assert said["hooks"] == ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
    assert {"bind", "ro", "rro", "tmpcopyup", "rprivate"} <= set(said["mountOptions"])
    assert said["mountOptions"] == sorted(said["mountOptions"])
    assert {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_TRAP"} <= set(said["linux"]["seccomp"]["actions"])
    assert "SCMP_CMP_MASKED_EQ" in said["linux"]["seccomp"]["operators"]
    assert "SCMP_ARCH_X86_64" in said["linux"]["seccomp"]["archs"]
    assert said["linux"]["capabilities"][0] == "CAP_CHOWN"
    assert re.fullmatch(r"\d+\.\d+\.\d+", said["annotations"]["io.github.seccomp.libseccomp.version"])


def test_features_tell_of_this_kernel(runtime):
    ours_only(runtime)
    linux = features(runtime)["linux"]
    filesystems = pathlib.Path("/proc/filesystems").read_text().split()
    assert linux["cgroup"]["v1"] == ("cgroup" in filesystems) and linux["cgroup"]["v2"] == ("cgroup2" in filesystems)
    apparmor = pathlib.Path("/sys/module/apparmor/parameters/enabled")
    assert linux["apparmor"]["enabled"] == (apparmor.exists() and apparmor.read_text().strip() == "Y")
    assert linux["selinux"]["enabled"] == pathlib.Path("/sys/fs/selinux/enforce").exists()
    last = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert len(linux["capabilities"]) == last + 1
    names = {"mnt": "mount", "net": "network"}
    kinds = {names.get(n, n) for n in os.listdir("/proc/self/ns") if not n.endswith("_for_children")}
    assert set(linux["namespaces"]) == kinds


def test_every_mount_option_of_the_features_is_taken(runtime):
    ours_only(runtime)
    options = set(features(runtime)["mountOptions"]) - {"bind", "rbind", "remount", "idmap", "ridmap"}
    edit(runtime, lambda spec: spec["mounts"].extend(
        mount(f"/tmp/{option}", "tmpfs", "tmpfs", option) for option in sorted(options)))
    runtime("run", "--bundle", str(runtime.bundle), runtime.id)


def test_every_seccomp_flag_and_action_of_the_features_is_taken(runtime):
    ours_only(runtime)
    said = features(runtime)["linux"]["seccomp"]
    assert set(said["supportedFlags"]) <= set(said["knownFlags"])
    rules = [{"names": [f"epoll_{n}"], "action": action} for n, action in
             zip(("create", "create1", "ctl", "wait", "pwait", "pwait2"), [a for a in said["actions"] if a not in
                 ("SCMP_ACT_ALLOW", "SCMP_ACT_NOTIFY")])]
    flags = [f for f in said["supportedFlags"] if "RECV" not in f]
    edit(runtime, lambda spec: spec["linux"].update(
        seccomp={"defaultAction": "SCMP_ACT_ALLOW", "flags": flags, "syscalls": rules}))
    runtime("run", "--bundle", str(runtime.bundle), runtime.id)


# errors

def remove(key, *path):
    def change(spec):
        for name in path:
            spec = spec[name]
        del spec[key]
    return change


BAD_SPECS = {
    "no process": (remove("process"), "process property must not be empty"),
    "no arguments": (lambda s: s["process"].update(args=[]), "args must not be empty"),
    "no cwd": (remove("cwd", "process"), "Cwd property must not be empty"),
    "relative cwd": (lambda s: s["process"].update(cwd="here"), "Cwd must be an absolute path"),
    "no root": (remove("root"), "root must be specified"),
    "missing rootfs": (lambda s: s["root"].update(path="gone"), "/gone: no such file or directory"),
    "namespace twice": (lambda s: s["linux"]["namespaces"].append({"type": "pid"}), 'duplicated ns {"pid" ""}'),
    "unknown namespace": (lambda s: s["linux"]["namespaces"].append({"type": "colour"}), "colour"),
    "arguments of a wrong type": (lambda s: s["process"].update(args=3), "process.args"),
    "user of a wrong type": (lambda s: s["process"]["user"].update(uid="x"), "process.user.uid"),
}


@pytest.mark.parametrize("case", BAD_SPECS)
def test_a_bad_specification_is_refused_in_known_words(runtime, case):
    change, words = BAD_SPECS[case]
    edit(runtime, change)
    done = runtime("create", "--bundle", str(runtime.bundle), runtime.id, check=False)
    assert done.returncode == 1 and words in done.stderr.replace('\\"', '"')
    name = "runc" if "runc" in runtime.program else "sampan-runtime"
    assert f"{name} create failed: " in done.stderr
    assert runtime("state", runtime.id, check=False).returncode == 1


def test_a_missing_or_broken_bundle(runtime):
    nowhere = runtime("run", "--bundle", "/nonexistent", runtime.id, check=False)
    assert nowhere.returncode == 1 and "chdir /nonexistent: no such file or directory" in nowhere.stderr
    (runtime.home / "empty").mkdir()
    empty = runtime("run", "--bundle", str(runtime.home / "empty"), runtime.id, check=False)
    assert empty.returncode == 1 and "JSON specification file config.json not found" in empty.stderr
    (runtime.home / "empty/config.json").write_text("{bad")
    assert runtime("run", "--bundle", str(runtime.home / "empty"), runtime.id, check=False).returncode == 1


@pytest.mark.parametrize("command", ["state", "start", "kill", "delete", "pause", "resume", "ps", "events", "update"])
def test_an_unknown_container(runtime, command):
    done = runtime(command, "nobody", check=False)
    assert done.returncode == 1 and "container does not exist" in done.stderr


def test_exec_that_fails_exits_with_255(runtime):
    unknown = runtime("exec", "nobody", "true", check=False)
    assert unknown.returncode == 255 and "exec failed: container does not exist" in unknown.stderr
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    missing = runtime("exec", runtime.id, "no-such-program", check=False)
    assert missing.returncode == 255 and "executable file not found in $PATH" in missing.stderr


def test_deleting_nobody_by_force_is_success(runtime):
    assert runtime("delete", "--force", "nobody", check=False).returncode == 0


USAGE = {
    "state": ([], '"state" requires exactly 1 argument(s)'),
    "state a b": (["a", "b"], '"state" requires exactly 1 argument(s)'),
    "create": ([], '"create" requires exactly 1 argument(s)'),
    "list a": (["a"], '"list" requires exactly 0 argument(s)'),
    "kill": ([], '"kill" requires a minimum of 1 argument(s)'),
    "kill a b c": (["a", "b", "c"], '"kill" requires a maximum of 2 argument(s)'),
    "exec": ([], '"exec" requires a minimum of 1 argument(s)'),
    "ps": ([], '"ps" requires a minimum of 1 argument(s)'),
    "state --frob": (["--frob", "x"], "flag provided but not defined: -frob"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_shows_the_help_and_says_why(runtime, case):
    words, reason = USAGE[case]
    command = case.split()[0]
    done = runtime(command, *words, check=False)
    assert done.returncode == 1 and reason in done.stderr.replace('\\"', '"')
    assert done.stdout.startswith("Incorrect Usage") and f" {command} - " in done.stdout


def test_unknown_commands_and_global_options(runtime):
    unknown = call(runtime, "frob")
    assert unknown.returncode == 3 and "No help topic for 'frob'" in unknown.stderr
    option = call(runtime, "--frob", "list")
    assert option.returncode == 1 and option.stdout.startswith("Incorrect Usage. flag provided but not defined: -frob")
    log = call(runtime, "--log", "/nonexistent/log", "list")
    assert log.returncode == 1 and "nonexistent/log" in log.stderr
    form = call(runtime, "--log-format", "xml", "list")
    assert form.returncode == 1 and "invalid log-format: xml" in form.stderr


@pytest.mark.parametrize("command", ["create", "start", "run", "exec", "kill", "delete", "state", "list", "ps", "pause",
                                     "resume", "update", "events", "features", "spec"])
def test_every_command_has_help(runtime, command):
    for words in ([command, "--help"], [command, "-h"], ["help", command]):
        done = call(runtime, *words)
        assert done.returncode == 0 and "USAGE:" in done.stdout and f" {command} - " in done.stdout


def test_version(runtime):
    done = call(runtime, "--version")
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines()[1:])
    assert done.returncode == 0 and " version " in done.stdout.splitlines()[0]
    assert lines["spec"].startswith("1.") and re.fullmatch(r"\d+\.\d+\.\d+", lines["libseccomp"])


# update

def stored_resources(runtime):
    return json.loads((runtime.home / "state" / runtime.id / "state.json").read_text().splitlines()[1])["linux"]["resources"]


def test_update_by_flags(runtime):
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    runtime("update", "--memory", "64M", "--pids-limit", "40", "--cpu-quota", "50000", "--cpu-period", "100000",
            "--cpuset-cpus", "0", runtime.id)
    assert limit_file(runtime, "memory", "memory.limit_in_bytes", "memory.max").read_text().strip() == str(64 << 20)
    assert limit_file(runtime, "pids", "pids.max", "pids.max").read_text().strip() == "40"
    assert limit_file(runtime, "cpuset", "cpuset.cpus", "cpuset.cpus").read_text().strip() == "0"
    assert "50000" in limit_file(runtime, "cpu", "cpu.cfs_quota_us", "cpu.max").read_text()
    if runtime.program == PROGRAMS["sampan-runtime"]:
        stored = stored_resources(runtime)
        assert stored["memory"]["limit"] == 64 << 20 and stored["pids"]["limit"] == 40 and stored["cpu"]["quota"] == 50000
        assert stored["devices"]
        runtime("update", "--cpu-share", "512", runtime.id)
        assert stored_resources(runtime)["cpu"] == {**stored["cpu"], "shares": 512}


UPDATES = {  # flag: its value, the files of version 1 and 2 with what they hold then (several: by file, by the reference's version)
    "cpu-burst": ("20000", "cpu/cpu.cfs_burst_us", "20000", "cpu.max.burst", "20000"),
    "cpu-idle": ("1", "cpu/cpu.idle", "1", "cpu.idle", "1"),
    "cpu-share": ("512", "cpu/cpu.shares", "512", "cpu.weight", ("59", "20")),
    "cpu-rt-period": ("500000", "cpu/cpu.rt_period_us", "500000", None, None),
    "cpu-rt-runtime": ("0", "cpu/cpu.rt_runtime_us", "0", None, None),
    "blkio-weight": ("300", ("blkio/blkio.weight", "blkio/blkio.bfq.weight"), "300", ("io.bfq.weight", "io.weight"), ("300", "2930")),
    "memory-reservation": ("32M", "memory/memory.soft_limit_in_bytes", str(32 << 20), "memory.low", str(32 << 20)),
    "cpuset-mems": ("0", "cpuset/cpuset.mems", "0", "cpuset.mems", "0"),
}


def first_file(runtime, v1, v2):
    """The file of this host, and whether it is of version 2."""
    for version_2, names in ((False, v1), (True, v2)):
        for name in [names] if isinstance(names, str) else names or []:
            controller, _, file = name.rpartition("/")
            path = pathlib.Path("/sys/fs/cgroup", controller, runtime.cgroup.lstrip("/"), file)
            if path.exists():
                return path, version_2
    pytest.skip(f"this host has neither of {v1}, {v2}")


@pytest.mark.parametrize("flag", UPDATES)
def test_update_of_one_limit(runtime, flag):
    value, v1, told_v1, v2, told_v2 = UPDATES[flag]
    if flag == "cpu-idle" and "runc" in runtime.program:
        pytest.skip("this reference has no --cpu-idle")
    edit(runtime, lambda spec: (spec["process"].update(args=["sleep", "100"]),
                                spec["linux"]["resources"].update(cpu={"period": 100000, "quota": 50000})))
    runtime.detached("run", "--detach")
    path, version_2 = first_file(runtime, v1, v2)
    done = runtime("update", f"--{flag}", value, runtime.id, check=False)
    if done.returncode and "flag provided but not defined" in done.stderr:
        pytest.skip(f"this reference has no --{flag}")
    assert done.returncode == 0, done.stderr
    told = told_v2 if version_2 else told_v1
    assert path.read_text().split()[-1] in ([told] if isinstance(told, str) else told)


def test_update_of_memory_and_swap(runtime):
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    path = limit_file(runtime, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max")
    swap_alone = path.name == "memory.swap.max"  # version 2 counts it apart
    runtime("update", "--memory", "64M", "--memory-swap", "96M", runtime.id)
    assert path.read_text().strip() == str((32 if swap_alone else 96) << 20)
    runtime("update", "--memory", "128M", "--memory-swap", "160M", runtime.id)  # both above what was: the order matters
    assert path.read_text().strip() == str((32 if swap_alone else 160) << 20)
    runtime("update", "--memory", "32M", "--memory-swap", "48M", runtime.id)
    assert path.read_text().strip() == str((16 if swap_alone else 48) << 20)
    runtime("update", "--memory-swap", "-1", runtime.id)
    assert path.read_text().strip() in ("max", str((1 << 63) - 4096))
    wrong = runtime("update", "--memory", "64M", "--memory-swap", "32M", runtime.id, check=False)
    assert wrong.returncode == 1


@pytest.mark.parametrize("flag, value", [("cpu-rt-runtime", "999999999"), ("blkio-weight", "2000"), ("cpu-burst", "-1"), ("cpu-burst", "200000"),
                                         ("memory-swap", "x")])
def test_update_of_one_limit_to_what_cannot_be(runtime, flag, value):
    edit(runtime, lambda spec: (spec["process"].update(args=["sleep", "100"]),
                                spec["linux"]["resources"].update(cpu={"period": 100000, "quota": 50000})))
    runtime.detached("run", "--detach")
    if flag in ("cpu-rt-runtime", "blkio-weight"):  # the reference passes over what this kernel does not have
        first_file(runtime, *UPDATES[flag][1:4:2])
    assert runtime("update", f"--{flag}", value, runtime.id, check=False).returncode == 1


@pytest.mark.parametrize("source", ["-", "file"])
def test_update_by_json(runtime, source):
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    path = runtime.home / "resources.json"
    path.write_text(json.dumps({"memory": {"limit": 0, "reservation": 32 << 20}, "cpu": {"shares": 0, "quota": 0},
                                "pids": {"limit": 33}}))
    with open(path) as stdin:
        runtime("update", "--resources", "-" if source == "-" else str(path), runtime.id, stdin=stdin)
    assert limit_file(runtime, "pids", "pids.max", "pids.max").read_text().strip() == "33"
    assert limit_file(runtime, "memory", "memory.soft_limit_in_bytes", "memory.low").read_text().strip() == str(32 << 20)


@pytest.mark.parametrize("words", [("--memory", "10x"), ("--cpu-quota", "many"), ("--cpuset-cpus", "999")])
def test_update_refuses_what_is_no_limit(runtime, words):
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    assert runtime("update", *words, runtime.id, check=False).returncode == 1


# events

def test_events_have_the_layout_of_the_reference(runtime):
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    event = json.loads(runtime("events", "--stats", runtime.id).stdout)
    assert (event["type"], event["id"]) == ("stats", runtime.id)
    data = event["data"]
    assert set(data) == {"cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"}
    assert set(data["memory"]) >= {"usage", "swap", "kernel", "kernelTCP", "raw"}
    assert data["memory"]["usage"]["limit"] > 1 << 40 and data["memory"]["usage"]["usage"] > 0
    assert data["cpu"]["usage"]["total"] > 0 and {"kernel", "user"} <= set(data["cpu"]["usage"])
    assert data["pids"] == {"current": 1, "limit": 77}


def test_events_tell_at_once_when_memory_runs_out(runtime):
    edit(runtime, lambda spec: (
        spec["process"].update(args=["sh", "-c", "read x; cat /dev/zero | busybox tail -c 1000000000 > /dev/null; read x"]),
        spec["linux"]["resources"].update(memory={"limit": 16 << 20, "swap": 16 << 20},
                                          devices=[{"allow": True, "access": "rwm"}])))
    fifo = runtime.home / "fifo"
    os.mkfifo(fifo)
    holder = os.open(fifo, os.O_RDWR)
    with open(runtime.home / "out", "w") as out:
        runtime("run", "--detach", "--bundle", str(runtime.bundle), runtime.id, stdin=holder, stdout=out, stderr=out)
    argv = [runtime.program, "--root", str(runtime.home / "state"), "events", "--interval", "300ms", runtime.id]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as events:
        assert json.loads(events.stdout.readline())["type"] == "stats"  # it watches from here on
        os.write(holder, b"go\n")
        kinds = []
        while "oom" not in kinds:
            assert select.select([events.stdout], [], [], 10)[0], kinds
            kinds.append(json.loads(events.stdout.readline())["type"])
        runtime("delete", "--force", runtime.id)
        events.communicate(timeout=10)
        assert events.returncode == 0
    os.close(holder)


def test_events_wants_a_positive_interval(runtime):
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    done = runtime("events", "--interval", "0s", runtime.id, check=False)
    assert done.returncode == 1 and "duration interval must be greater than 0" in done.stderr


# list, ps, spec

def test_list_is_a_table(runtime):
    assert runtime("list").stdout == "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n"
    assert runtime("list", "--format", "json").stdout.strip() == "null"
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    heading, line = runtime("list").stdout.splitlines()
    row = json.loads(runtime("list", "--format", "json").stdout)[0]
    cells = [row["id"], str(row["pid"]), "running", str(runtime.bundle), row["created"], "root"]
    assert line.split() == cells
    expected = "".join(cell.ljust(max(12, len(cell) + 3)) for cell in cells[:-1]) + "root"
    assert line == expected and heading.index("CREATED") == line.index(row["created"])
    assert runtime("list", "-q").stdout == runtime.id + "\n"
    assert "invalid format option" in runtime("list", "--format", "xml", check=False).stderr


def test_ps_takes_the_options_of_ps(runtime):
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    pid = runtime.state()["pid"]
    lines = runtime("ps", runtime.id).stdout.splitlines()
    assert lines[0].split()[:3] == ["UID", "PID", "PPID"] and lines[1].split()[1] == str(pid) and len(lines) == 2
    assert [line.split() for line in runtime("ps", runtime.id, "-o", "pid,comm").stdout.splitlines()] == [
        ["PID", "COMMAND"], [str(pid), "sleep"]]
    assert json.loads(runtime("ps", "-f", "json", runtime.id).stdout) == [pid]
    blind = runtime("ps", runtime.id, "-o", "comm", check=False)
    assert blind.returncode == 1 and "couldn't find PID field in ps output" in blind.stderr
    assert runtime("ps", "-f", "xml", runtime.id, check=False).returncode == 1


@pytest.mark.parametrize("name", ["TERM", "SIGTERM", "term", "15"])
def test_kill_takes_names_and_numbers(runtime, name):
    runtime.spec("sh", "-c", "trap 'exit 3' TERM; echo > /tmp/ready; while :; do sleep 0.02; done")
    runtime.detached("run", "--detach")
    end = time.monotonic() + 10
    while not (runtime.bundle / "rootfs/tmp/ready").exists():  # before its trap init does not hear it
        assert time.monotonic() < end
        time.sleep(0.01)
    assert runtime("kill", runtime.id, "NONSENSE", check=False).returncode == 1
    runtime("kill", runtime.id, name)
    runtime.wait_for("stopped")


@pytest.mark.parametrize("rootless", [(), ("--rootless",)])
def test_spec_makes_a_bundle_to_start_from(runtime, rootless):
    home = runtime.home / "new"
    home.mkdir()
    runtime("spec", *rootless, "--bundle", str(home))
    spec = json.loads((home / "config.json").read_text())
    kinds = [space["type"] for space in spec["linux"]["namespaces"]]
    sys_mount = next(entry for entry in spec["mounts"] if entry["destination"] == "/sys")
    if rootless:
        assert "user" in kinds and "network" not in kinds and "resources" not in spec["linux"]
        assert spec["linux"]["uidMappings"] == [{"containerID": 0, "hostID": 0, "size": 1}]
        assert sys_mount["options"] == ["rbind", "nosuid", "noexec", "nodev", "ro"]
        assert not [o for entry in spec["mounts"] for o in entry.get("options", []) if o.startswith("gid=")]
    else:
        assert "user" not in kinds and "network" in kinds and sys_mount["type"] == "sysfs"
    again = runtime("spec", "--bundle", str(home), check=False)
    assert again.returncode == 1 and "exists. Remove it first" in again.stderr


def test_exec_adds_a_capability_where_the_user_can_have_it(runtime):
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")

    def sets(*words):
        text = runtime("exec", *words, runtime.id, "cat", "/proc/self/status").stdout
        return {name: int(value, 16) for name, value in re.findall(r"Cap(\w+):\s+(\w+)", text)}
    bit = 1 << 25  # CAP_SYS_TIME
    plain, added, user = sets(), sets("--cap", "CAP_SYS_TIME"), sets("--cap", "CAP_SYS_TIME", "--user", "5")
    assert not plain["Bnd"] & bit
    assert all(added[name] & bit for name in ("Eff", "Prm", "Bnd")) and not added["Inh"] & bit
    assert user["Bnd"] & bit and user["Eff"] == user["Amb"] == 0


def test_exec_takes_a_process_environment_and_groups(runtime):
    runtime.spec("sleep", "100")
    runtime.detached("run", "--detach")
    path = runtime.home / "process.json"
    path.write_text(json.dumps({"args": ["sh", "-c", "echo $X $(id -u) $(id -g)"], "cwd": "/", "env": ["X=1", "PATH=/bin"],
                                "user": {"uid": 3, "gid": 4}}))
    assert runtime("exec", "--process", str(path), runtime.id).stdout == "1 3 4\n"
    said = runtime("exec", "-e", "A=b", "-e", "C=d", "--cwd", "/bin", runtime.id, "sh", "-c", "echo $A $C $(pwd)")
    assert said.stdout.split()[:2] == ["b", "d"]
    groups = runtime("exec", "--user", "5:6", "-g", "7", "-g", "8", runtime.id, "id", "-G").stdout.split()
    assert groups == ["6", "7", "8"]
    runtime("pause", runtime.id)
    paused = runtime("exec", runtime.id, "true", check=False)
    assert paused.returncode == 255 and "use --ignore-paused to override" in paused.stderr
    runtime("resume", runtime.id)


def test_descriptors_of_a_service_manager_are_passed_on(runtime):
    """As sd_listen_fds(3) has it: meant for this process only when LISTEN_PID says so."""
    runtime.spec("sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; echo through >&3; ls /proc/1/fd; true")
    reader, writer = os.pipe()
    script = f'exec 3>&{writer} {writer}>&-; LISTEN_FDS=1 LISTEN_PID=$1 exec "$2" --root "$3" run --bundle "$4" "$5"'
    for pid in ("$$", "1"):
        done = subprocess.run(["bash", "-c", script.replace("$1", pid), "-", "", runtime.program, str(runtime.home / "state"),
                               str(runtime.bundle), runtime.id], capture_output=True, text=True, timeout=30, pass_fds=(writer,),
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
        words = done.stdout.split()
        if pid == "$$":
            assert words[:2] == ["1", "1"] and words[2:] == ["0", "1", "2", "3"]
            assert os.read(reader, 100) == b"through\n"
        else:
            assert words == ["0", "1", "2"]
    os.close(reader)
    os.close(writer)
