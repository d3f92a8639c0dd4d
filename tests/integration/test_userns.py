"""userns-remap: root of a container is nobody on the host, and the files on disk keep the ids that containers see."""
import io
import json
import os
import pathlib
import subprocess
import tarfile
import tempfile

import pytest

import support
from support import BIN, Daemon, wait_for

BASE = 200000
SIZE = 65536


def remapped(home, user="dockremap", lines=None, remap="default"):
    """A daemon that sees subordinate ids of its own making."""
    home = pathlib.Path(home)
    home.mkdir(parents=True, exist_ok=True)
    for name in ("subuid", "subgid"):
        (home / name).write_text(lines if lines is not None else f"{user}:{BASE}:{SIZE}\n")
    script = 'mount --bind "$1/subuid" /etc/subuid && mount --bind "$1/subgid" /etc/subgid && shift && exec "$@"'
    return Daemon(home, ["--userns-remap", remap], ["unshare", "-m", "sh", "-ec", script, "sh", home])


@pytest.fixture(scope="module")
def remap_daemon(scratch, rootfs_tar):
    daemon = remapped(tempfile.mkdtemp(dir=scratch, prefix="u"))
    daemon.start()
    daemon.import_busybox(rootfs_tar)
    yield daemon
    daemon.ensure_running()
    support.sweep(daemon)
    daemon.end()


@pytest.fixture
def d(remap_daemon):
    remap_daemon.ensure_running()
    yield remap_daemon
    support.sweep(remap_daemon)


def sh(d, *args, **options):
    *flags, script = args
    return d.docker("run", "--rm", *flags, "busybox", "sh", "-c", script, **options).strip()


def ids(path):
    info = os.lstat(path)
    return info.st_uid, info.st_gid


def diff_of(d, name):
    return d.data_root / "snapshots" / d.inspect(name)["Id"] / "diff"


def test_root_inside_is_nobody_on_the_host(d):
    assert "name=userns" in d.json("GET", "/info")["SecurityOptions"]
    d.docker("run", "-d", "--name", "box", "busybox", "sleep", "1000")
    pid = d.inspect("box")["State"]["Pid"]
    status = open(f"/proc/{pid}/status").read()
    assert f"Uid:\t{BASE}\t{BASE}\t{BASE}\t{BASE}" in status and f"Gid:\t{BASE}" in status
    assert open(f"/proc/{pid}/uid_map").read().split() == ["0", str(BASE), str(SIZE)]
    assert os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user")
    assert d.docker("exec", "box", "id", "-u").strip() == "0"
    assert d.docker("exec", "-u", "user", "box", "id", "-u").strip() == "1000"


def test_files_on_disk_are_not_shifted_and_images_not_copied(d):
    for name in ("one", "two"):
        d.docker("run", "-d", "--name", name, "busybox", "sh", "-c",
                 "echo x > /made; chown 1000:2000 /made; chmod 4755 /bin/busybox; sleep 1000")
    assert wait_for(lambda: (diff_of(d, "two") / "bin/busybox").exists(), 5)
    for name in ("one", "two"):
        diff = diff_of(d, name)
        assert wait_for(lambda: ids(diff / "made") == (1000, 2000), 5)
        assert ids(diff / "bin/busybox") == (0, 0) and os.stat(diff / "bin/busybox").st_mode & 0o7777 == 0o4755
        pid = d.inspect(name)["State"]["Pid"]
        assert ids(f"/proc/{pid}/root/made") == (BASE + 1000, BASE + 2000)
        assert sorted(p.name for p in diff.iterdir() if p.name in ("lib", "usr", "home")) == [], "no copy of the image"
    out = d.docker("exec", "one", "stat", "-c", "%u:%g", "/made", "/bin/sh", "/etc/passwd").split()
    assert out == ["1000:2000", "0:0", "0:0"]


def test_a_bind_mount_is_the_hosts(d, tmp_path):
    tmp_path.chmod(0o777)
    for parent in (tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    secret = tmp_path / "secret"
    secret.write_text("host's")
    secret.chmod(0o600)
    out = sh(d, "-v", f"{tmp_path}:/h", "touch /h/made; cat /h/secret; chown 0 /h/secret; echo x > /h/secret; stat -c %u /h/secret",
             check=False)
    assert ids(tmp_path / "made") == (BASE, BASE)
    assert "host's" not in out and out.splitlines()[-1] == "65534"
    assert secret.read_text() == "host's" and ids(secret) == (0, 0)
    out = sh(d, "--userns", "host", "-v", f"{tmp_path}:/h", "cat /h/secret; echo; stat -c %u /h/secret; cat /proc/self/uid_map")
    assert out.split() == ["host's", "0", "0", "0", "4294967295"], "--userns=host is the twin"


def test_volumes_keep_their_ids_with_and_without_the_mapping(d):
    script = "echo x > /v/f; chown 33:44 /v/f; stat -c %u:%g /v /v/f"
    assert sh(d, "-v", "vol:/v", script).split() == ["0:0", "33:44"]
    assert ids(d.data_root / "volumes/vol/_data/f") == (33, 44)
    assert sh(d, "--userns", "host", "-v", "vol:/v", "stat -c %u:%g /v/f") == "33:44"
    assert sh(d, "-v", "filled:/etc", "stat -c %u:%g /etc /etc/passwd; touch /etc/n; stat -c %u /etc/n").split() == ["0:0", "0:0", "0"]
    d.docker("volume", "rm", "vol", "filled")


def test_what_cannot_be_had_is_refused_in_dockers_words(d):
    for flags, words in ((["--privileged"], "privileged mode is incompatible with user namespaces.  You must run the "
                          "container in the host namespace when running privileged mode"),
                         (["--network", "host"], "cannot share the host's network namespace when user namespaces are enabled"),
                         (["--pid", "host"], "cannot share the host PID namespace when user namespaces are enabled")):
        bad = d.docker("run", "--rm", *flags, "busybox", "true", check=False)
        assert bad.code == 125 and words in bad.err
        assert sh(d, *flags, "--userns", "host", "echo fine") == "fine"
    status, _, data = d.request("POST", "/containers/create", {"Image": "busybox", "HostConfig": {"UsernsMode": "private"}})
    assert status == 400 and b"invalid userns mode: private" in data


def test_the_ordinary_works(d):
    assert sh(d, "-p", "0:80", "httpd -p 80 && echo low").endswith("low")
    assert "1 packets received" in sh(d, "ping -c 1 -w 3 127.0.0.1")
    assert sh(d, "cat /proc/sys/net/ipv4/ping_group_range").split() == ["0", str(SIZE - 1)]
    assert sh(d, "--sysctl", "net.ipv4.ip_forward=1", "cat /proc/sys/net/ipv4/ip_forward") == "1"
    assert sh(d, "mount | grep -c -E '(sysfs|mqueue|devpts|/dev/shm)'") >= "4"
    assert sh(d, "echo x > /dev/null && echo y > /dev/shm/y && echo z >> /etc/hosts && cat /etc/resolv.conf > /dev/null && echo ok") == "ok"
    assert sh(d, "--ipc", "host", "--tmpfs", "/t:mode=700", "--read-only", "touch /t/x; echo ok") == "ok"
    assert sh(d, "--init", "ps | grep -c docker-init") != "0"
    node = sh(d, "mknod /n c 1 3", check=False)
    assert node == "" and d.docker("run", "--rm", "busybox", "mknod", "/n", "c", "1", "3", check=False).code != 0
    assert sh(d, "--device", "/dev/zero:/dev/nil", "head -c 3 /dev/nil | wc -c; stat -c %u /dev/nil").split() == ["3", "65534"]
    assert sh(d, "--network", "none", "cat /sys/class/net/lo/address").startswith("00:00")
    assert sh(d, "unshare -m true; echo $?") != "0", "a root without CAP_SYS_ADMIN"


def test_set_id_programs_and_file_capabilities(d, tmp_path):
    script = "mkdir /x; cp /bin/busybox /x; chmod %s /x/busybox; exec su user -c '/x/busybox ping -c 1 -w 3 127.0.0.1'"
    assert "1 packets received" in sh(d, script % "4755"), "it has root's rights inside"
    assert "permission denied" in d.docker("run", "--rm", "busybox", "sh", "-c", script % "755", check=False).err
    # What a root inside gives is the namespace's own: version 3, whose root on disk is 0 as every other id.
    d.docker("run", "-d", "--name", "caps", "busybox", "sleep", "1000")
    pid = d.inspect("caps")["State"]["Pid"]
    give = ("import os; v = bytes.fromhex('0100000200200000000000000000000000000000'); "
            "os.mkdir('/capped'); open('/capped/busybox', 'wb').write(open('/bin/busybox', 'rb').read()); os.chmod('/capped/busybox', 0o755); "
            "os.setxattr('/capped/busybox', 'security.capability', v)")
    code = (f"import os; fds = [os.open('/proc/{pid}/ns/' + n, 0) for n in ('user', 'mnt')]; "
            f"import ctypes; libc = ctypes.CDLL(None); root = os.open('/proc/{pid}/root', 0); "
            f"[libc.setns(fd, 0) for fd in fds]; os.setgid(0); os.setuid(0); os.fchdir(root); os.chroot('.'); {give}")
    subprocess.run(["python3", "-c", code], check=True, timeout=20)
    disk = os.getxattr(diff_of(d, "caps") / "capped/busybox", "security.capability")
    assert disk[3] == 2 or int.from_bytes(disk[20:24], "little") == 0, disk.hex()
    eff = d.docker("exec", "-u", "user", "caps", "/capped/busybox", "grep", "CapEff", "/proc/self/status")
    assert int(eff.split()[1], 16) == 1 << 13
    d.docker("commit", "caps", "capped:1")
    eff = d.docker("run", "--rm", "-u", "user", "capped:1", "/capped/busybox", "grep", "CapEff", "/proc/self/status")
    assert int(eff.split()[1], 16) == 1 << 13, "through an image, too"
    d.docker("rm", "-f", "caps")
    d.docker("rmi", "capped:1")


def tar_of(d, name, path):
    status, _, data = d.request("GET", f"/containers/{name}/archive?path={path}")
    assert status == 200, data
    return {m.name: m for m in tarfile.open(fileobj=io.BytesIO(data))}


def test_copies_commits_and_exports_have_the_ids_inside(d):
    d.docker("run", "-d", "--name", "box", "busybox", "sh", "-c", "mkdir /a; echo x > /a/f; chown 7:8 /a/f; sleep 1000")
    assert wait_for(lambda: "f" in d.docker("exec", "box", "ls", "/a", check=False), 5)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for uid in (0, 55):
            info = tarfile.TarInfo(f"in{uid}")
            info.uid = info.gid = uid
            tar.addfile(info)
    assert d.request("PUT", "/containers/box/archive?path=/a", out.getvalue(), {"Content-Type": "application/x-tar"})[0] == 200
    assert d.docker("exec", "box", "stat", "-c", "%u:%g", "/a/in0", "/a/in55").split() == ["0:0", "55:55"]
    for _ in range(2):  # running, and stopped
        members = tar_of(d, "box", "/a")
        assert {n: (m.uid, m.gid) for n, m in members.items()} == {
            "a/": (0, 0), "a/f": (7, 8), "a/in0": (0, 0), "a/in55": (55, 55)} or \
            {n.rstrip("/"): (m.uid, m.gid) for n, m in members.items()} == {
            "a": (0, 0), "a/f": (7, 8), "a/in0": (0, 0), "a/in55": (55, 55)}
        status, _, data = d.request("GET", "/containers/box/export")
        exported = {m.name: (m.uid, m.gid) for m in tarfile.open(fileobj=io.BytesIO(data))}
        assert exported["a/f"] == (7, 8) and exported["bin/sh"] == (0, 0)
        d.docker("stop", "-t", "0", "box")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("far")
        info.uid = SIZE
        tar.addfile(info)
    d.docker("start", "box")
    status, _, data = d.request("PUT", "/containers/box/archive?path=/a", out.getvalue())
    assert status == 400 and b"cannot be mapped to a host ID" in data
    assert "A /a/f\n" in d.docker("diff", "box")
    d.docker("commit", "box", "committed:1")
    assert d.docker("run", "--rm", "--userns", "host", "committed:1", "stat", "-c", "%u:%g", "/a/f").strip() == "7:8"
    d.docker("rmi", "-f", "committed:1")


def test_builds_run_as_a_mapped_root(d, tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY --chown=5:6 file /c\n"
                                         "RUN cat /proc/self/uid_map > /map; touch /r; chown 9:9 /r\n")
    d.docker("build", "-t", "built", str(tmp_path), env={**os.environ, "DOCKER_BUILDKIT": "0"})
    out = d.docker("run", "--rm", "built", "sh", "-c", "stat -c %u:%g /c /r /map; cat /map").split()
    assert out == ["5:6", "9:9", "0:0", "0", str(BASE), str(SIZE)]
    d.docker("rmi", "built")


def test_namespaces_of_another_container(d):
    d.docker("run", "-d", "--name", "owner", "--ipc", "shareable", "busybox", "sh", "-c", "echo x > /dev/shm/x; sleep 1000")
    for flag in ("network", "pid", "ipc"):
        assert sh(d, f"--{flag}", "container:owner", "id -u; ls /sys/class/net/lo/address").split()[0] == "0", flag
    assert wait_for(lambda: sh(d, "--ipc", "container:owner", "cat /dev/shm/x") == "x", 5)
    d.docker("run", "-d", "--name", "plain", "--userns", "host", "busybox", "sleep", "1000")
    bad = d.docker("run", "--rm", "--network", "container:plain", "busybox", "true", check=False)
    assert bad.code != 0 and "its user namespace is another one" in bad.err


def test_restarts_with_and_without_the_daemon(d):
    d.docker("run", "-d", "--name", "again", "--restart", "always", "--health-cmd", "id -u | grep -x 0",
             "--health-interval", "200ms", "busybox", "sh", "-c", "echo run >> /log; sleep 1000")
    assert wait_for(lambda: d.inspect("again")["State"]["Health"]["Status"] == "healthy", 5)
    pid = d.inspect("again")["State"]["Pid"]
    d.kill()
    os.kill(pid, 9)
    log = diff_of_dead = next(p for p in (d.data_root / "snapshots").iterdir() if (p / "diff/log").exists()) / "diff/log"
    assert wait_for(lambda: log.read_text() == "run\nrun\n", 10), "its shim starts it again"
    d.start()
    state = d.inspect("again")["State"]
    assert state["Running"] and state["Pid"] != pid
    assert open(f"/proc/{state['Pid']}/uid_map").read().split() == ["0", str(BASE), str(SIZE)]
    assert d.docker("exec", "again", "cat", "/log") == "run\nrun\n"


def test_a_store_serves_both_kinds_of_daemon(scratch, d):
    d.docker("run", "-d", "--name", "box", "busybox", "sh", "-c", "touch /mine; chown 3:4 /mine; sleep 1000")
    assert wait_for(lambda: d.docker("exec", "box", "stat", "-c", "%u:%g", "/mine", check=False).strip() == "3:4", 5)
    d.stop()
    plain = Daemon(d.home)
    try:
        plain.start()
        assert {n.rstrip("/"): m.uid for n, m in tar_of(plain, "box", "/mine").items()} == {"mine": 3}, "it still runs mapped"
        plain.docker("restart", "-t", "0", "box")
        pid = plain.inspect("box")["State"]["Pid"]
        assert open(f"/proc/{pid}/uid_map").read().split() == ["0", "0", "4294967295"]
        assert plain.docker("exec", "box", "stat", "-c", "%u:%g", "/mine").strip() == "3:4"
        plain.docker("rm", "-f", "box")
    finally:
        plain.stop()
        d.start()


@pytest.mark.parametrize("remap, lines, words", [
    ("default", "", 'no subuid ranges found for user "dockremap"'),
    ("nobody-here", "", 'error during uid lookup for "nobody-here"'),
    ("3999999", "", "uid 3999999 has no entry in /etc/passwd"),
    ("a:b:c", "", 'invalid user/group specification in --userns-remap: "a:b:c"'),
    ("daemon:no-group", "daemon:1:2", 'error during gid lookup for "no-group"'),
    ("daemon", "daemon:4294967295:10", "is not one of 32-bit ids"),
])
def test_a_mapping_that_cannot_be_is_refused_at_the_start(scratch, remap, lines, words):
    daemon = remapped(tempfile.mkdtemp(dir=scratch, prefix="u"), lines=lines, remap=remap)
    with pytest.raises(support.CommandError) as refused:
        daemon.start()
    assert words in str(refused.value)


@pytest.mark.parametrize("remap", ["daemon", "1", "daemon:bin", "1:2"])
def test_users_are_named_or_numbered(scratch, remap):
    lines = "daemon:300000:1000\n1:400000:1000\nbin:500000:3000\n"
    daemon = remapped(tempfile.mkdtemp(dir=scratch, prefix="u"), lines=lines, remap=remap)
    daemon.start()
    try:
        assert "name=userns" in daemon.json("GET", "/info")["SecurityOptions"]
    finally:
        daemon.stop()
        daemon.cleanup()
