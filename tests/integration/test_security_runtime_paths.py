"""Disclosed vulnerabilities of container runtimes, as properties: paths inside a root filesystem that the attacker owns,
still or while it changes. The canary fixture compares a tree of the host's and host settings before and after."""
import contextlib
import os
import shutil
import stat

import pytest

from hostile import attacker, bind, box, canary, fingerprint, hostile, mount, storm  # noqa: F401 (fixtures)

# Without openat2 and detached mounts the same must hold.
pytestmark = pytest.mark.parametrize("box", ["this kernel", "old kernel"], indirect=True)
CLIMB = "../../../../../../../../../.."


def replace(path, target=None):
    """Makes the path a link to the target, or an empty directory."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
    if target is None:
        path.mkdir()
    else:
        path.symlink_to(target)


def links_to(path):
    """The ways in which a link may try to leave."""
    return [str(path), CLIMB + str(path), "/proc/self/root" + str(path), "/proc/1/root" + str(path), "/proc/self/cwd/" + CLIMB + str(path)]


def foreign_mounts(box, table):
    """Lines of a container's mount table that show anything of the host's disks but what it was given."""
    pseudo = ("proc", "sysfs", "tmpfs", "devpts", "mqueue", "devtmpfs", "cgroup", "cgroup2")
    given = (str(box.rootfs), str(box.home / "volume"), str(box.home / "data"))
    lines = [line.split(" - ") for line in table.splitlines()]
    return [left for left, right in lines if right.split()[0] not in pseudo and not left.split()[3].endswith(given)]


# --- links that stay ---

def test_cve_2015_3627_links_as_mount_targets(box, canary):
    data = box.home / "data"
    data.mkdir()
    (data / "inside").write_text("legitimate\n")
    for target in links_to(canary.path):
        replace(box.rootfs / "link", target)
        for destination in ("/link", "/link/new", "/link/dir"):
            done = box.run(f"cat {destination}/inside; cat /link/secret", mounts=[bind(data, destination), mount("/link/t", "tmpfs", "tmpfs")])
            assert "host secret" not in done.stdout
            assert done.returncode != 0 or "legitimate" in done.stdout, done.stderr
            canary.check()
    replace(box.rootfs / "link", "/srv")
    assert box.run("cat /srv/x/inside", mounts=[bind(data, "/link/x")]).stdout == "legitimate\n"


def test_cve_2015_3630_nothing_is_mounted_below_proc(box):
    (box.home / "file").write_text("mine\n")
    (box.home / "dir").mkdir()
    replace(box.rootfs / "p", "/proc")
    for destination in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/self/attr/current", "/proc/1/environ", "/proc/version",
                        "/p/version", "/proc/cpuinfo/../version"):
        done = box.run("echo ran", mounts=[bind(box.home / "file", destination)])
        assert (done.returncode, done.stdout) == (1, ""), destination
    for destination in ("/proc", "/proc/sys", "/proc/asound", "/proc/self", "/proc/tty", "/p/sys"):
        for extra in (bind(box.home / "dir", destination), mount(destination, "tmpfs", "tmpfs")):
            done = box.run("echo ran", mounts=[extra])
            assert (done.returncode, done.stdout) == (1, ""), destination
    assert box.run("cat /proc/cpuinfo /proc/uptime", mounts=[bind(box.home / "file", f"/proc/{n}") for n in ("cpuinfo", "uptime")]
                   ).stdout == "mine\nmine\n"


def fake_proc(home):
    """A volume that looks like procfs to who does not ask."""
    fake = home / "fakeproc"
    for name in ("self/attr/apparmor/exec", "self/attr/exec", "self/attr/current", "thread-self/attr/exec", "sys/net/ipv4/ip_forward",
                 "sys/kernel/shm_rmid_forced", "self/timens_offsets", "self/oom_score_adj"):
        path = fake / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("untouched")
    return fake


def test_cve_2019_16884_labels_are_not_written_into_a_volume(box):
    fake = fake_proc(box.home)
    before = fingerprint(fake)
    have_apparmor = os.path.exists("/sys/kernel/security/apparmor")
    for options in (dict(drop=("/proc",), mounts=[bind(fake, "/proc")]), dict(mounts=[bind(fake, "/proc")]), {}):
        for label in (dict(apparmorProfile="no-such-profile"), dict(selinuxLabel="system_u:system_r:nothing_t:s0")):
            done = box.run("echo ran", **options, **label)
            assert (done.returncode, done.stdout) == (1, ""), "a label that cannot be had is an error"
            assert fingerprint(fake) == before
    done = box.run("echo ran; cat /proc/self/attr/current", drop=("/proc",), mounts=[bind(fake, "/proc")],
                   change=lambda s: s["linux"].update(maskedPaths=[], readonlyPaths=[]))
    assert done.stdout == "ran\nuntouched", done.stderr
    assert box.run("echo ran", apparmorProfile="unconfined" if not have_apparmor else "").stdout == "ran\n"


def test_cve_2019_19921_proc_and_sys_are_real_directories(box, canary):
    (box.rootfs / "x").mkdir()
    for name in ("proc", "sys"):
        for target in ("/x", "x", "/nowhere", str(canary.path), CLIMB + str(canary.path), "."):
            replace(box.rootfs / name, target)
            done = box.run("echo ran")
            assert (done.returncode, done.stdout) == (1, ""), (name, target)
            assert "must be mounted on ordinary directory" in done.stderr
        replace(box.rootfs / name)
        (box.rootfs / name).rmdir()
        (box.rootfs / name).write_text("a file")
        assert box.run("echo ran").returncode == 1
        replace(box.rootfs / name)
    (box.rootfs / "proc").rmdir()  # a missing one is made
    assert box.run("echo ran").stdout == "ran\n"


def test_cve_2026_41579_dev_is_a_link(box, canary):
    (box.rootfs / "elsewhere").mkdir()
    for drop in ((), ("/dev", "/dev/pts")):
        for target in [*links_to(canary.path), "/elsewhere", "elsewhere"]:
            replace(box.rootfs / "dev", target)
            done = box.run("echo ran; ls /dev/null; cat /dev/secret", drop=drop)
            assert done.returncode == 1 or "host secret" not in done.stdout
            canary.check()
            assert not list((box.rootfs / "elsewhere").iterdir()), "nothing was made behind the link"
    replace(box.rootfs / "dev")
    assert "crw-rw-rw-" in box.run("ls -l /dev/null").stdout
    assert "crw-rw-rw-" in box.run("ls -l /dev/null", drop=("/dev", "/dev/pts")).stdout


def test_cve_2026_88264_console_is_a_link(box, canary):
    bare = dict(drop=("/dev", "/dev/pts"), mounts=[mount("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666")])
    for target in [*links_to(canary.path / "new"), *links_to(canary.path / "secret"), "/proc/sysrq-trigger", "/etc/passwd"]:
        replace(box.rootfs / "dev")
        (box.rootfs / "dev/pts").mkdir()
        (box.rootfs / "dev/console").symlink_to(target)
        code, _, seen = box.terminal(**bare)
        assert code != 0 or b"/dev/pts/0" in seen
        canary.check()
    assert (box.rootfs / "etc/passwd").read_text().startswith("root:")
    (box.rootfs / "dev/console").unlink()
    code, words, seen = box.terminal(**bare)
    assert code == 0 and b"from-console" in seen, words


def test_cve_2026_88265_null_is_a_link_to_a_host_file(box, canary):
    target = canary.path / "secret"
    volume = bind(canary.path, "/host")
    for link in ("/host/secret", str(target), CLIMB + str(target)):
        replace(box.rootfs / "dev")
        (box.rootfs / "dev/null").symlink_to(link)
        for options in (dict(drop=("/dev", "/dev/pts"), mounts=[volume]), dict(mounts=[volume])):
            done = box.run("stat -c %t:%T /dev/null", user={"uid": 1000, "gid": 1000}, **options)
            assert done.returncode != 0 or done.stdout == "1:3\n"
            canary.check()
            box.background(("sleep", "9"), user={"uid": 1000, "gid": 1000}, **options)
            box("exec", "--user", "user", box.id, "true", check=False)
            box.remove()
            canary.check()
        replace(box.rootfs / "dev")
    null = os.stat("/dev/null")
    assert (null.st_uid, null.st_gid, stat.S_IMODE(null.st_mode)) == (0, 0, 0o666)


def test_cve_2025_24965_no_files_of_ours_in_the_root_filesystem(box, canary):
    """Runtimes that write their own files into the image's tree follow the links that it has there."""
    for name in (".krun_config.json", ".dockerenv", "etc/mtab", "etc/hostname", "run", "var"):
        replace(box.rootfs / name, canary.path / "secret")
    for name in ("dev/pts", "dev/shm", "dev/mqueue"):
        (box.rootfs / name).mkdir()
    before = fingerprint(box.rootfs)
    assert box.run("echo ran", change=lambda s: s.update(annotations={"run.oci.handler": "krun"})).stdout == "ran\n"
    after = fingerprint(box.rootfs)
    assert after == before


def test_cve_2026_55686_a_working_directory_through_links(box, canary, docker):
    for target in links_to(canary.path):
        replace(box.rootfs / "link", target)
        done = box.run("pwd; cat secret", cwd="/link/made/here")
        assert "secret" not in done.stdout
    for target in links_to(canary.path)[:3]:  # through the engine each is an image of its own
        name = "workdir"
        docker("run", "--name", name, "busybox", "ln", "-s", target, "/link")
        docker("commit", name, "hostile:workdir")
        docker("rm", name)
        try:
            ran = docker("run", "--rm", "-w", "/link/made/here", "hostile:workdir", "sh", "-c", "pwd; ls ../..; cat ../../secret", check=False)
            assert "host secret" not in ran
            canary.check()
        finally:
            docker("rmi", "-f", "hostile:workdir")
    assert docker("run", "--rm", "-w", "/made/here", "busybox", "pwd") == "/made/here\n"


def test_cve_2024_5154_files_of_etc_are_links(box, canary):
    (box.home / "hosts").write_text("127.0.0.1 box\n")
    for name in ("hosts", "mtab", "resolv.conf", "hostname"):
        for target in [*links_to(canary.path / "new"), *links_to(canary.path / "secret")]:
            replace(box.rootfs / "etc" / name, target)
            done = box.run(f"cat /etc/{name}", mounts=[bind(box.home / "hosts", f"/etc/{name}")])
            assert "host secret" not in done.stdout
            assert done.returncode != 0 or done.stdout == "127.0.0.1 box\n", done.stderr
            canary.check()
    (box.rootfs / "etc/hosts").unlink()
    assert box.run("cat /etc/hosts", mounts=[bind(box.home / "hosts", "/etc/hosts")]).stdout == "127.0.0.1 box\n"


def test_cve_2022_0811_one_sysctl_a_key(box):
    refused = {
        "kernel.shm_rmid_forced": ["1+kernel.core_pattern=|/x", "1\nkernel.core_pattern=|/x", "1\u00002"],
        "net.ipv4.ip_forward=1": ["1"], "net.ipv4.ip_forward\nkernel.core_pattern": ["|/x"], "net.ipv4.ip_forward kernel.core_pattern": ["|/x"],
        "kernel.core_pattern": ["|/x"], "kernel/core_pattern": ["|/x"], "net/../kernel/core_pattern": ["|/x"], "net...kernel.core_pattern": ["|/x"],
        "net.//kernel/core_pattern": ["|/x"], "net/ipv4/../../kernel/core_pattern": ["|/x"], "kernel.shm_rmid_forced+kernel.core_pattern": ["|/x"],
        "vm.overcommit_memory": ["1"], "fs.file-max": ["9"], "user.max_user_namespaces": ["0"], "": ["1"], "net.": ["1"], "net": ["1"]}
    for key, values in refused.items():
        for value in values:
            done = box.run("echo ran", change=lambda s: s["linux"].update(sysctl={key: value}))
            assert (done.returncode, done.stdout) == (1, ""), (key, value)
    without = lambda kind: lambda s: s["linux"].update(  # noqa: E731
        sysctl={"net.ipv4.ip_forward": "1"}, namespaces=[n for n in s["linux"]["namespaces"] if n["type"] != kind])
    assert box.run("echo ran", change=without("network")).returncode == 1
    wanted = {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1", "net/ipv4/conf/lo/forwarding": "0"}
    done = box.run("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced", change=lambda s: s["linux"].update(sysctl=wanted))
    assert done.stdout == "1\n1\n", done.stderr


def test_cve_2025_52881_sysctls_are_not_redirected(box):
    """Writes go through a procfs of the runtime's own, whatever the container shows as /proc."""
    fake = fake_proc(box.home)
    (fake / "sys/kernel/shm_rmid_forced").unlink()
    (fake / "sys/kernel/shm_rmid_forced").symlink_to("/proc/sysrq-trigger")
    before = fingerprint(fake)
    (box.rootfs / "real").mkdir()
    wanted = {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1"}

    def change(spec):
        spec["linux"].update(sysctl=wanted, maskedPaths=[], readonlyPaths=[])
    done = box.run("cat /real/sys/net/ipv4/ip_forward /real/sys/kernel/shm_rmid_forced; cat /proc/sys/net/ipv4/ip_forward", drop=("/proc",),
                   mounts=[bind(fake, "/proc"), mount("/real", "proc", "proc")], change=change)
    assert done.stdout == "1\n1\nuntouched", done.stderr
    assert fingerprint(fake) == before


# --- names that change meanwhile: another container shares the directory ---

@pytest.fixture
def volume(box, canary):
    """A shared directory in which "a" is a directory and "b" a link out; attackers exchange them."""
    top = box.home / "volume"
    (top / "a/dir").mkdir(parents=True)
    return top


def race_for_a_target(box, canary, hostile, volume, target, destination):
    replace(volume / "b", target)
    data = box.home / "data"
    data.mkdir(exist_ok=True)
    (data / "inside").write_text("legitimate\n")
    box.configure(f"cat /proc/self/mountinfo; echo; cat /vol/a/secret /vol/b/secret {destination}/inside",
                  mounts=[bind(volume, "/vol"), bind(data, destination)])
    with attacker(hostile, "swap", volume / "a", volume / "b"):
        for _ in storm(0.6):
            done = box.run()
            assert "host secret" not in done.stdout
            assert not foreign_mounts(box, done.stdout.split("\n\n")[0])
            assert done.returncode == 1 or "legitimate" in done.stdout, done.stderr
    canary.check()


def test_cve_2021_30465_a_mount_target_swapped_for_a_link(box, canary, hostile, volume):
    for target in ("/", CLIMB, str(canary.path)):
        race_for_a_target(box, canary, hostile, volume, target, "/vol/a/dir")
    replace(volume / "b", "/legit")
    assert "legitimate" in box.run().stdout


def test_cve_2024_45310_mount_points_are_made_inside(box, canary, hostile, volume):
    for target in (str(canary.path), CLIMB + str(canary.path), "/proc/self/root" + str(canary.path)):
        race_for_a_target(box, canary, hostile, volume, target, "/vol/a/made/by/mount")

    def device_there(spec):
        spec["linux"]["devices"] = [{"path": "/vol/a/nodes/null", "type": "c", "major": 1, "minor": 3}]
    box.configure("ls -l /vol/a/nodes/null", mounts=[bind(volume, "/vol")], change=device_there)
    with attacker(hostile, "swap", volume / "a", volume / "b"):
        for _ in storm(0.4):
            box.run()
            canary.check()
    assert not (canary.path / "made").exists() and not (canary.path / "nodes").exists()


def test_cve_2025_31133_masks_with_a_swapped_null_device(box, canary, hostile):
    """Wherever /dev/null leads when it is taken for a mask, no file of procfs becomes writable."""
    dev = box.home / "shared-dev"
    masked = ["/proc/keys", "/proc/timer_list", "/proc/interrupts", "/proc/version"]
    for target in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", str(canary.path / "secret")):
        replace(dev)
        os.mknod(dev / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        replace(dev / "link", target)
        box.configure(f"cat /proc/self/mountinfo; echo; for f in {' '.join(masked)}; do cat $f; echo x > $f; done;"
                      "echo '|/evil' > /proc/sys/kernel/core_pattern; echo end", drop=("/dev", "/dev/pts"), mounts=[bind(dev, "/dev")],
                      change=lambda s: s["linux"].update(maskedPaths=masked, readonlyPaths=["/proc/sys", "/proc/sysrq-trigger"]))
        with attacker(hostile, "swap", dev / "null", dev / "link"):
            for _ in storm(0.6):
                done = box.run()
                if done.returncode:
                    continue
                table, _, told = done.stdout.partition("\n\n")
                assert told == "end\n"
                for line in table.splitlines():
                    before, after = line.split(" - ")
                    if after.split()[0] == "proc" and before.split()[3] != "/":
                        assert "ro" in before.split()[5].split(","), line
    replace(dev)
    os.mknod(dev / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    assert box.run().stdout.endswith("\n\nend\n")
    replace(dev / "null", "/proc/sysrq-trigger")
    assert box.run().returncode == 1


def test_cve_2025_52565_console_with_a_swapped_target(box, canary, hostile):
    dev = box.home / "shared-dev"
    dev.mkdir()
    (dev / "pts").mkdir()
    (dev / "console").touch()
    os.mknod(dev / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    options = dict(drop=("/dev", "/dev/pts"), change=lambda s: s["linux"].update(maskedPaths=[]),
                   mounts=[bind(dev, "/dev"), mount("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666")])
    # A bound /dev is the operator's own; the race is for what lies below it.
    for target in ("/proc/sysrq-trigger", str(canary.path / "secret")):
        replace(dev / "link", target)
        with attacker(hostile, "swap", dev / "console", dev / "link"):
            for _ in storm(0.7):
                code, _, seen = box.terminal(**options)
                assert code != 0 or b"/dev/pts/0" in seen
                canary.check()
    replace(box.rootfs / "elsewhere")
    replace(box.rootfs / "dev")
    (box.rootfs / "dev/pts").symlink_to("/elsewhere")
    (box.rootfs / "elsewhere/ptmx").symlink_to("/proc/sysrq-trigger")
    code, words, _ = box.terminal(drop=("/dev", "/dev/pts"))
    assert code != 0 and "devpts" in words


def test_cve_2026_115521_read_only_is_read_only_in_every_start(box, hostile):
    """The container owns what it calls /proc, and changes it while it starts."""
    fake = box.home / "fakeproc"
    (fake / "self/fd").mkdir(parents=True)
    (fake / "other/fd").mkdir(parents=True)
    for number in range(64):
        (fake / f"self/fd/{number}").symlink_to("/tmp")
        (fake / f"other/fd/{number}").symlink_to("/etc")
    (fake / "thread-self").symlink_to("self")
    (box.home / "data").mkdir()

    def change(spec):
        spec["root"]["readonly"] = True
        spec["linux"].update(maskedPaths=["/etc/group"], readonlyPaths=["/etc", "/writable/sub"])
    box.configure("for p in /x /etc/x /bin/x /data/x /writable/sub/x; do echo x > $p && echo WROTE $p; done; cat /etc/group; echo x > /writable/x && echo end",
                  drop=("/proc",), change=change, mounts=[bind(fake, "/proc"), bind(box.home / "data", "/data", "ro"), mount("/writable", "tmpfs", "tmpfs"),
                                                          mount("/writable/sub", "tmpfs", "tmpfs")])
    with attacker(hostile, "swap", fake / "self", fake / "other"):
        for _ in storm():
            done = box.run()
            assert done.stdout == "end\n", done.stderr
    assert sorted(p.name for p in (box.home / "data").iterdir()) == []
