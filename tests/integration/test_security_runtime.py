"""Disclosed vulnerabilities of container runtimes, as properties: the host leaking into a container, identities, control
groups, and what proc and sys tell. Every test also does the legitimate thing that the attack resembles."""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile

import pytest

import hostile as shared
import support
from hostile import Box, bind, box, canary, hostile  # noqa: F401 (fixtures)

HERE = pathlib.Path(__file__).parent


def test_every_required_case_exists():
    text = "".join(path.read_text() for path in HERE.glob("test_security*.py"))
    defined = re.findall(r"^def (test_\w+)", text, re.M)
    assert len(defined) == len(set(defined))
    missing = {case: name for case, name in shared.REQUIRED.items() if name not in defined}
    assert not missing


# --- the host leaking into the container ---

def begin_watching(box, hostile, mode="peek", **options):
    (box.rootfs / "hostile").write_bytes(hostile.read_bytes())
    (box.rootfs / "hostile").chmod(0o755)
    box.background(("/hostile", mode, "2"), **options)
    said = box.home / "out"
    assert support.wait_for(lambda: "watching" in said.read_text(), 5)
    return said


def watched_execs(box, hostile, mode, program, **options):
    """Execs again and again while the container's first process attacks; what that process said."""
    said = begin_watching(box, hostile, mode, **options)
    rounds = 0
    while "seen" not in said.read_text():
        box("exec", box.id, *program, check=False)
        rounds += 1
    assert rounds >= 10
    return said.read_text()


def test_cve_2016_9962_joining_processes_show_nothing(box, hostile):
    said = watched_execs(box, hostile, "peek", ["true"])
    assert "LEAK" not in said, said
    assert int(re.search(r"refused (\d+)", said)[1]) > 100, said  # it did meet them on their way
    box.remove()
    said = watched_execs(box, hostile, "peek", ["sh", "-c", "exec 7< /etc/passwd; sleep 0.05"])
    assert "LEAK descriptor" in said  # of a program that has one: the attack sees what there is to see


def test_cve_2016_9962_not_even_to_root_of_a_user_namespace(open_box, hostile):
    """Who may trace every process of the container's own user namespace cannot trace one that is still coming in."""
    def powerful(spec):
        user_namespace(spec)
        for kind in spec["process"]["capabilities"]:
            spec["process"]["capabilities"][kind] = [*shared.DOCKER_CAPABILITIES, "CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH"]
    said = watched_execs(open_box, hostile, "peek", ["true"], change=powerful)
    assert "LEAK" not in said, said[:2000]
    assert int(re.search(r"refused (\d+)", said)[1]) > 100, said


def test_cve_2016_9962_a_waiting_init_shows_nothing(box, hostile, tmp_path):
    """A created container waits for its start beside another that shares the pid namespace."""
    said = begin_watching(box, hostile)
    (tmp_path / "second").mkdir()
    second = Box(tmp_path / "second")
    second.id, second.cgroup = second.id + "-second", second.cgroup + "-second"

    def beside(spec):
        pid = next(n for n in spec["linux"]["namespaces"] if n["type"] == "pid")
        pid["path"] = f"/proc/{box.state()['pid']}/ns/pid"
    started = 0
    try:
        while "seen" not in said.read_text():  # then the first one ends, and with it the pid namespace
            second.configure("true", change=beside)
            second.detached("create", check=False)
            started += second("start", second.id, check=False).returncode == 0
            second.remove()
    finally:
        second.remove()
    assert started > 10 and "LEAK" not in said.read_text(), said.read_text()[:2000]
    assert int(re.search(r"refused (\d+)", said.read_text())[1]) > 100


def test_cve_2020_15257_no_abstract_sockets(box):
    """They are open to everybody who shares the network namespace, whatever the file system's rights say."""
    def abstract():
        return {line.split()[-1] for line in pathlib.Path("/proc/net/unix").read_text().splitlines() if line.split()[-1].startswith("@")}
    before = abstract()
    box.configure("sleep 9", change=lambda s: s["linux"].update(namespaces=[n for n in s["linux"]["namespaces"] if n["type"] != "network"]))
    box.detached("create")
    assert abstract() <= before
    box("start", box.id)
    assert abstract() <= before
    assert box.exec("grep -c @ /proc/net/unix", check=False).stdout == f"{len(before)}\n"
    for path in [box.home / "state", *(box.home / "state").rglob("*")]:
        assert path.is_symlink() or stat.S_IMODE(path.lstat().st_mode) & (0o066 if path.is_dir() else 0o077) == 0, path


def test_cve_2019_5736_the_runtime_cannot_be_overwritten(box, canary, hostile):
    (box.rootfs / "bin/again").write_text("#!/proc/self/exe\n")
    (box.rootfs / "bin/again").chmod(0o755)
    said = watched_execs(box, hostile, "overwrite", ["/bin/again"])
    assert "LEAK" not in said, said
    canary.check()  # it compares the program as well
    box.remove()
    assert box.run("echo fine").stdout == "fine\n"


def test_cve_2024_21626_no_working_directory_through_descriptors(box, canary):
    """A caller may have left a host directory open; no number leads a working directory to it."""
    (box.rootfs / "magic").symlink_to("/proc/self/fd/9")
    leaked = os.open(canary.path, os.O_RDONLY | os.O_DIRECTORY)
    saved = os.dup(9) if pathlib.Path("/proc/self/fd/9").exists() else None
    os.dup2(leaked, 9)
    places = [f"/proc/self/fd/{n}" for n in [*range(24), 100, 1023]] + ["/magic", "/proc/1/fd/9", "/proc/thread-self/fd/9/dir"]
    try:
        for cwd in places:
            done = box.run("pwd; ls; cat ../secret ../../secret secret", cwd=cwd, pass_fds=(9,))
            assert "secret" not in done.stdout, (cwd, done.stdout)
            assert done.returncode != 0 or done.stdout.startswith("/"), (cwd, done.stdout)
        box.background(("sh", "-c", "while :; do sleep 1; done"))
        for cwd in places:
            done = box("exec", "--cwd", cwd, box.id, "sh", "-c", "pwd; ls; cat ../secret secret", check=False, pass_fds=(9,))
            assert "secret" not in done.stdout, (cwd, done.stdout)
            assert done.returncode != 0 or done.stdout.startswith("/"), (cwd, done.stdout)
        assert box.exec("ls /proc/1/fd").stdout.split() == ["0", "1", "2"]
        assert box("exec", "--cwd", "/etc", box.id, "pwd", pass_fds=(9,)).stdout == "/etc\n"
    finally:
        os.dup2(saved, 9) if saved is not None else os.close(9)
        os.close(leaked)


HOSTILE_PASSWD = "".join(f"{name}:x:0:0::/:/bin/sh\n" for name in (
    "4294967296", "4294967295", "18446744073709551616", "-1", "1234", "00", "+0", "2147483648")) + "user:x:1000:1000::/:/bin/sh\n"


def ids_of(text):
    fields = dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))
    return fields["Uid"].split()[0], fields["Gid"].split()[0], fields


def test_cve_2016_3697_digits_are_never_a_name(box):
    (box.rootfs / "etc/passwd").write_text(HOSTILE_PASSWD)
    (box.rootfs / "etc/group").write_text(HOSTILE_PASSWD.replace("::/:/bin/sh", ""))
    box.background()
    for user in ("4294967296", "4294967295", "18446744073709551616", "1000:4294967296", "1000:18446744073709551616"):
        done = box.exec("--user", user, "cat /proc/self/status", check=False)
        assert done.returncode != 0 and "Uid" not in done.stdout, user
    for user, uid in (("1234", "1234"), ("2147483648", "2147483648"), ("user", "1000")):
        assert ids_of(box.exec("--user", user, "cat /proc/self/status").stdout)[0] == uid


def test_cve_2026_46680_digits_are_never_a_name_in_the_engine(docker, tmp_path):
    import io
    import tarfile
    image = support.make_busybox_tar(tmp_path / "hostile.tar")
    with tarfile.open(image, "a") as tar:
        info = tarfile.TarInfo("etc/passwd")
        info.size = len(HOSTILE_PASSWD)
        tar.addfile(info, io.BytesIO(HOSTILE_PASSWD.encode()))
    docker("import", str(image), "hostile:passwd")
    try:
        done = docker("run", "--rm", "-u", "4294967296", "hostile:passwd", "/bin/id", check=False)
        assert done.code != 0 and "uid=0" not in done
        assert "uid=1234" in docker("run", "--rm", "-u", "1234", "hostile:passwd", "/bin/id")
        assert "uid=1000" in docker("run", "--rm", "-u", "user", "hostile:passwd", "/bin/id")
    finally:
        docker("rmi", "-f", "hostile:passwd")


def test_cve_2024_40635_ids_do_not_wrap(box):
    box.background()
    for value in (0, 1, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 2):
        uid, gid, _ = ids_of(box.exec("--user", f"{value}:{value}", "cat /proc/self/status").stdout)
        assert (int(uid), int(gid)) == (value, value)
    for value in (2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64, 2**64 + 1, -1):
        for user in (f"{value}", f"1000:{value}"):
            assert box.exec("--user", user, "id", check=False).returncode != 0, user
    box.remove()
    for value in (2**32, 2**64, -1):
        assert box.run("id", user={"uid": value, "gid": 0}).returncode != 0
        assert box.run("id", user={"uid": 0, "gid": value}).returncode != 0


def test_cve_2026_30892_exec_runs_as_the_user_asked_for(box):
    box.background()
    forms = [("user", 1000, 1000), ("user:extra", 1000, 2000), ("1000:extra", 1000, 2000), ("user:7", 1000, 7), ("0:0", 0, 0),
             ("root:user", 0, 1000), ("7", 7, 0), ("7:8", 7, 8), ("root", 0, 0)]
    forms += [(f"{n * 7919 % 100003}:{n * 104729 % 65521}", n * 7919 % 100003, n * 104729 % 65521) for n in range(1, 20)]
    for user, uid, gid in forms:
        fields = ids_of(box.exec("--user", user, "cat /proc/self/status").stdout)[2]
        assert set(fields["Uid"].split()) == {str(uid)} and set(fields["Gid"].split()) == {str(gid)}, user


def test_cve_2022_36109_the_primary_group_is_supplementary_too(box):
    def groups(done):
        return set(ids_of(done.stdout)[2]["Groups"].split())
    status = "cat /proc/self/status"
    assert groups(box.run(status, user={"uid": 1000, "gid": 1000, "additionalGids": [7]})) == {"7", "1000"}
    assert groups(box.run(status, user={"uid": 1000, "gid": 1000})) == {"1000"}
    box.background()
    assert groups(box.exec("--user", "user", status)) == {"1000", "2000"}
    assert groups(box.exec("--user", "1000:1000", status)) >= {"1000"}
    assert ids_of(box.exec("--user", "1000", status).stdout)[1] in groups(box.exec("--user", "1000", status))
    assert groups(box.exec("--user", "user:7", status)) == {"7"}


def test_cve_2022_24769_nothing_is_inheritable_or_ambient(box):
    def sets(done):
        return {name: int(value, 16) for name, value in re.findall(r"^Cap(\w+):\s*(\w+)", done.stdout, re.M)}
    status = "cat /proc/self/status"
    all_of_docker = 0xa80425fb
    ran = sets(box.run(status))
    assert ran == {"Inh": 0, "Amb": 0, "Prm": all_of_docker, "Eff": all_of_docker, "Bnd": all_of_docker}
    assert sets(box.run(status, user={"uid": 1000, "gid": 1000})) == {**ran, "Prm": 0, "Eff": 0}
    box.background()
    assert sets(box.exec(status)) == ran
    assert sets(box.exec("--user", "user", status)) == {**ran, "Prm": 0, "Eff": 0}
    assert sets(box.exec("--cap", "CAP_SYS_PTRACE", status))["Inh"] == 0
    box.remove()

    def inheritable(spec):
        for name in ("inheritable", "ambient"):
            spec["process"]["capabilities"][name] = ["CAP_CHOWN"]
    asked = sets(box.run(status, change=inheritable, user={"uid": 1000, "gid": 1000}))
    assert asked["Inh"] == asked["Amb"] == asked["Eff"] == 1


def test_cve_2021_43784_long_strings_are_strings(box, canary):
    """A length that wraps must not make a path into further settings."""
    long = "/" + "a/" * 40000 + "x"
    for options in (dict(mounts=[bind(canary.path, long)]), dict(mounts=[bind(long, "/mnt")]), dict(cwd=long),
                    dict(change=lambda s: s["linux"]["namespaces"].append({"type": "user", "path": long})),
                    dict(change=lambda s: s.update(hostname="h" * 70000))):
        done = box.run("echo ran; readlink /proc/self/ns/user", **options)
        assert done.returncode == 1 and "ran" not in done.stdout, options.keys()
        assert not (box.rootfs / "a").exists() and not (canary.path / "a").exists()
    value = "v" * 100000
    box.configure("echo ${#LONG}", env=["PATH=/bin", f"LONG={value}"])
    assert box.run().stdout == "100000\n"


def hook_at(kind, path, *args, env=()):
    def change(spec):
        spec["hooks"] = {kind: [{"path": str(path), "args": ["hook", *map(str, args)], "env": list(env)}]}
        spec["process"]["env"] = ["PATH=/bin", "LD_PRELOAD=/x.so", "LD_LIBRARY_PATH=/lib-of-the-image"]
    return change


HOST_HOOKS = ("prestart", "createRuntime", "createContainer")


def test_cve_2026_84042_helpers_are_not_looked_up_in_the_container(box):
    program = box.rootfs / "only-inside"
    program.write_text(f"#!/bin/sh\necho escaped > {box.home}/escaped\n")
    program.chmod(0o755)
    for kind in HOST_HOOKS:
        for path in ("/only-inside", "only-inside", "./only-inside"):
            assert box.run("echo ran", change=hook_at(kind, path)).returncode == 1, (kind, path)
            assert not (box.home / "escaped").exists()
    assert box.run("echo ran", change=hook_at("createRuntime", "/bin/true")).stdout == "ran\n"


def test_cve_2024_0132_hooks_have_an_environment_of_their_own(box):
    seen = box.home / "seen"
    box.rootfs.joinpath("x.so").write_text("not a library")
    for kind in (*HOST_HOOKS, "poststart", "poststop"):
        change = hook_at(kind, "/bin/busybox", "-c", "", env=["MINE=1"])

        def with_script(spec, change=change, kind=kind):
            change(spec)
            spec["hooks"][kind][0]["args"] = ["sh", "-c", f"tr '\\0' '\\n' < /proc/self/environ > {seen}; readlink /proc/self/cwd >> {seen}"]
        environment = {**os.environ, "OF_THE_CALLER": "1", "LD_PRELOAD": ""}
        done = box.run("echo $LD_PRELOAD", change=with_script, env=environment)
        assert done.stdout == "/x.so\n", (kind, done.stderr)
        assert seen.read_text().split() == ["MINE=1", "/"], kind
        seen.unlink()


# --- control groups ---

def group_lines(pid):
    return [line.split(":", 2)[2] for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
            if line.split(":")[1]]


def test_cve_2023_6476_processes_stay_below_their_control_group(box):
    own = box.cgroup
    for path in (f"{own}/../../escape", "../escape", f"{own}/..", "..", f"{own}/./x"):
        done = box.run("echo ran", change=lambda s, path=path: s["linux"].update(cgroupsPath=path))
        assert done.returncode == 1 and "ran" not in done.stdout, path
        assert not list(pathlib.Path("/sys/fs/cgroup").glob("*/escape"))
    annotations = {"run.oci.systemd.subgroup": "../..", "io.kubernetes.cri-o.cgroup2-mount-hierarchy-rw": "true",
                   "org.systemd.property.Slice": "'system.slice'", "cgroupsPath": "/"}
    box.background(change=lambda s: s.update(annotations=annotations))
    pid = box.state()["pid"]
    controlled = [g for g in group_lines(pid) if own in g]
    assert controlled and all(g == own or g.startswith(own + "/") for g in controlled)
    with subprocess.Popen([box.program, "--root", str(box.home / "state"), "exec", "--pid-file", str(box.home / "pid"), box.id,
                           "sleep", "5"], stdin=subprocess.DEVNULL) as process:
        assert support.wait_for(lambda: (box.home / "pid").exists() and (box.home / "pid").read_text(), 5)
        assert group_lines((box.home / "pid").read_text()) == group_lines(pid)
        box("kill", box.id, "KILL")
        process.wait(5)


@pytest.fixture
def open_box():
    """In a directory that users without rights can pass through."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="sampan-itest-"))
    home.chmod(0o711)
    made = Box(home)
    yield made
    made.remove()
    shutil.rmtree(home)


def user_namespace(spec):
    spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] != "cgroup"] + [{"type": "user"}]
    spec["linux"]["uidMappings"] = spec["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 300000, "size": 65536}]


def test_cve_2023_25809_control_groups_are_read_only_without_a_namespace(open_box):
    box = open_box
    tree = {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "ro"]}
    script = ("mkdir /sys/fs/cgroup/x /sys/fs/cgroup/pids/x /sys/fs/cgroup/unified/x; echo 1 > /sys/fs/cgroup/pids/pids.max; "
              "ls /sys/fs/cgroup | head -1 > /dev/null && echo listed")
    done = box.run(script, mounts=[tree], change=user_namespace)
    assert done.stdout == "listed\n", done.stderr
    assert "Read-only file system" in done.stderr
    assert not list(pathlib.Path("/sys/fs/cgroup").rglob("x"))


def test_cve_2022_0492_no_release_agent(box, docker):
    tree = {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "ro"]}
    script = ("for f in $(find /sys/fs/cgroup -name release_agent -o -name notify_on_release); do echo /evil > $f && echo WROTE; done; "
              "mkdir -p /tmp/c; for c in memory rdma pids; do mount -t cgroup -o $c cgroup /tmp/c && echo MOUNTED; done; "
              "mount -o remount,rw /sys/fs/cgroup && echo REMOUNTED; echo end")
    agents = {p: p.read_text() for p in pathlib.Path("/sys/fs/cgroup").glob("*/release_agent")}
    assert box.run(script, mounts=[tree]).stdout == "end\n"
    unshared = "; unshare -UrmC true && echo UNSHARED; unshare -m true && echo UNSHARED; true"
    assert docker("run", "--rm", "busybox", "sh", "-c", script + unshared).strip() == "end"
    assert {p: p.read_text() for p in pathlib.Path("/sys/fs/cgroup").glob("*/release_agent")} == agents


def test_cve_2024_3154_annotations_are_not_host_properties(box):
    evil = box.home / "evil"
    annotations = {"org.systemd.property.ExecStartPre": f"[('/bin/touch', ['touch', '{evil}'], false)]",
                   "org.systemd.property.TimeoutStopUSec": "uint64 1", "run.oci.hooks.stderr": str(evil),
                   "run.oci.seccomp_fail_unknown_syscall": "0", "run.oci.keep_original_groups": "1",
                   "run.oci.handler": "krun", "bundle": "/"}
    plain = box.run("cat /proc/self/status /proc/self/limits").stdout
    done = box.run("cat /proc/self/status /proc/self/limits", change=lambda s: s.update(annotations=annotations))
    assert done.returncode == 0 and not evil.exists()
    kept = [line for line in plain.splitlines() if line.startswith(("Groups", "Seccomp", "Cap", "Max"))]
    assert kept and [line for line in done.stdout.splitlines() if line.startswith(("Groups", "Seccomp", "Cap", "Max"))] == kept


def test_cve_2026_119101_nothing_is_restored_from_an_archive(box, canary):
    """An archive is bytes from anywhere: what it says of mounts is not looked at, and nothing is left of a vain attempt."""
    image = box.home / "image"
    image.mkdir()
    (image / "mountpoints-1.img").write_text(f"ext_mount]:{canary.path}\n")
    box.configure("true")
    for name in ("inventory.img", "descriptors.json", "config.json", "spec.dump"):
        (image / name).write_text(json.dumps([f"mnt[]:{canary.path}", f"]:{canary.path}", "file[1:2]"]))
    assert box("restore", "--image-path", str(image), "--bundle", str(box.bundle), box.id, check=False).returncode != 0
    assert box("checkpoint", "--image-path", str(image / "new"), box.id, check=False).returncode != 0
    assert box("state", box.id, check=False).returncode != 0


# --- what proc and sys tell ---

def default_box(box, script):
    """The specification that `sampan-runtime spec` proposes, around a script."""
    (box.bundle / "config.json").unlink(missing_ok=True)
    box("spec", "--bundle", str(box.bundle))
    spec = json.loads((box.bundle / "config.json").read_text())
    spec["process"].update(terminal=False, args=["sh", "-c", script], env=["PATH=/bin"])
    spec["linux"]["cgroupsPath"] = box.cgroup
    (box.bundle / "config.json").write_text(json.dumps(spec))
    return box.run()


MASKED = ("/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
          "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
          "/sys/firmware")
TELL = "for p in {}; do [ -d $p ] && ls -A $p; [ -f $p ] || [ -c $p ] && head -c 100 $p; done; echo end"


def test_cve_2017_16539_masked_paths_are_empty(box, docker):
    there = [path for path in MASKED if os.path.exists(path)]
    assert "/proc/keys" in there
    script = TELL.format(" ".join(MASKED)) + "; head -c 1 /proc/meminfo /proc/cpuinfo > /dev/null && echo readable"
    done = default_box(box, script)
    assert done.stdout == "end\nreadable\n", done.stderr
    assert docker("run", "--rm", "busybox", "sh", "-c", script) == "end\nreadable\n"
    writes = "; ".join(f"echo x > {p} && echo WROTE" for p in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/irq/default_smp_affinity"))
    assert default_box(box, f"{writes}; echo end").stdout == "end\n"


def test_ghsa_jq35_85cj_fj4p_no_power_readings(box, docker):
    """Where a host has no such counters, at least what is there must be covered by mounts."""
    readings = TELL.format("/sys/devices/virtual/powercap /sys/class/powercap/*/")
    assert default_box(box, readings).stdout == docker("run", "--rm", "busybox", "sh", "-c", readings) == "end\n"
    there = {path for path in MASKED if os.path.exists(path)}
    for table in (default_box(box, "cat /proc/self/mountinfo").stdout, docker("run", "--rm", "busybox", "cat", "/proc/self/mountinfo")):
        assert there <= {line.split()[4] for line in table.splitlines()}


def test_ghsa_6fw5_f8r9_fgfm_no_interrupt_counts(box, docker):
    throttles = "/sys/devices/system/cpu/cpu*/thermal_throttle"
    script = TELL.format(f"/proc/interrupts {throttles}")
    assert docker("run", "--rm", "busybox", "sh", "-c", script) == "end\n"
    assert default_box(box, TELL.format("/proc/interrupts")).stdout == "end\n"
    directory = "/sys/devices/system/cpu/cpu0"  # any directory of sysfs is masked the same way
    box.configure(TELL.format(directory), change=lambda s: s["linux"]["maskedPaths"].append(directory))
    assert box.run().stdout == "end\n"


def test_cve_2021_21334_environments_do_not_mix(tmp_path):
    boxes = []
    for number in range(6):
        home = tmp_path / str(number)
        home.mkdir()
        one = Box(home)
        one.id, one.cgroup = f"{one.id}-{number}", f"{one.cgroup}-{number}"
        one.configure("env | grep -v -e ^PWD -e ^SHLVL", env=["PATH=/bin", "HOME=/", f"OWN=value{number}", f"ONLY_{number}=1"])
        boxes.append(one)
    environment = {**os.environ, "OF_THE_CALLER": "leak"}
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            for number, done in enumerate(pool.map(lambda one: one.run(env=environment), boxes)):
                expected = {"PATH=/bin", "HOME=/", f"OWN=value{number}", f"ONLY_{number}=1"}
                assert set(done.stdout.split()) == expected, done.stderr


def test_cve_2019_13509_no_secrets_in_debug_logs(box):
    secret = "s3cr3t-canary-7f3a"
    box.home.joinpath("log").touch()
    argv = [box.program, "--debug", "--log", str(box.home / "log"), "--log-format", "json", "--root", str(box.home / "state")]

    def debug(*words):
        done = subprocess.run([*argv, *words], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
        assert secret not in done.stderr + (box.home / "log").read_text()
        return done
    options = dict(env=["PATH=/bin", f"TOKEN={secret}"], change=lambda s: s.update(annotations={"password": secret}))
    box.configure(["sh", "-c", "echo ${#TOKEN}; exit $2", secret, secret, "0"], **options)
    assert debug("run", "--bundle", str(box.bundle), box.id).stdout == f"{len(secret)}\n"
    box.configure(["/no/such/program", secret], **options)
    assert debug("run", "--bundle", str(box.bundle), box.id).returncode == 1
    box.configure(["sh", "-c", "echo ran"], **options)
    config = json.loads((box.bundle / "config.json").read_text())
    (box.bundle / "config.json").write_text(json.dumps(config)[:-1])  # unparsable, with the secret in it
    assert debug("run", "--bundle", str(box.bundle), box.id).returncode == 1
    config["process"]["rlimits"] = [{"type": "RLIMIT_BAD", "hard": 1, "soft": 1}]
    (box.bundle / "config.json").write_text(json.dumps(config))
    assert debug("run", "--bundle", str(box.bundle), box.id).returncode == 1
    box.background(env=["PATH=/bin", f"TOKEN={secret}"])
    assert debug("exec", "--env", f"EXTRA={secret}", box.id, "sh", "-c", "echo ${#EXTRA}").stdout == f"{len(secret)}\n"
    assert (box.home / "log").read_text()
