"""What fixes of other runtimes broke for their users: each hardening has a twin here that must go on working."""
import subprocess

import pytest

import support
from hostile import bind, box, canary, hostile, mount  # noqa: F401 (fixtures)


def test_twin_absolute_link_as_mount_target(box):
    (box.rootfs / "run").mkdir()
    (box.rootfs / "var").mkdir()
    (box.rootfs / "var/run").symlink_to("/run")
    (box.home / "data").mkdir()
    (box.home / "data/inside").write_text("seen\n")
    (box.home / "sock").write_text("a socket\n")
    done = box.run("cat /run/service/inside /var/run/service/inside /run/app.sock",
                   mounts=[bind(box.home / "data", "/var/run/service"), bind(box.home / "sock", "/var/run/app.sock")])
    assert done.stdout == "seen\nseen\na socket\n", done.stderr
    assert box.run("cat /run/inside", mounts=[bind(box.home / "data", "/var/run")]).stdout == "seen\n"


def test_twin_dangling_link_as_mount_target(box):
    (box.home / "file").write_text("resolver\n")
    (box.home / "data").mkdir()
    (box.home / "data/inside").write_text("seen\n")
    (box.rootfs / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    (box.rootfs / "cache").symlink_to("/var/cache/deep")
    done = box.run("cat /etc/resolv.conf /run/systemd/resolve/stub-resolv.conf /cache/inside /var/cache/deep/inside",
                   mounts=[bind(box.home / "file", "/etc/resolv.conf"), bind(box.home / "data", "/cache")])
    assert done.stdout == "resolver\nresolver\nseen\nseen\n", done.stderr
    assert (box.rootfs / "etc/resolv.conf").is_symlink()


def test_twin_dev_shm_is_open_to_everybody(box, docker):
    script = "stat -c %a /dev/shm; echo x > /dev/shm/x && echo wrote"
    shm = mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k")
    assert box.run(script, mounts=[shm], user={"uid": 1000, "gid": 1000}).stdout == "1777\nwrote\n"
    assert docker("run", "--rm", "-u", "1000", "busybox", "sh", "-c", script) == "1777\nwrote\n"
    assert docker("run", "--rm", "--read-only", "-u", "1000", "busybox", "sh", "-c", script) == "1777\nwrote\n"


def test_twin_console_on_a_read_only_root(box):
    def read_only(spec):
        spec["root"]["readonly"] = True
    code, words, seen = box.terminal(change=read_only)
    assert code == 0 and b"/dev/pts/0" in seen and b"from-console" in seen, words
    bare = dict(drop=("/dev", "/dev/pts"), mounts=[mount("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666")])
    code, words, seen = box.terminal(change=read_only, **bare)
    assert code == 0 and b"from-console" in seen, words


def test_twin_passwd_through_links(box):
    """As NixOS and systems with a merged /etc have it."""
    store = box.rootfs / "nix/store/abc-etc"
    store.mkdir(parents=True)
    for name in ("passwd", "group"):
        (box.rootfs / "etc" / name).rename(store / name)
        (box.rootfs / "etc" / name).symlink_to(f"/nix/store/abc-etc/{name}")
    box.background()
    assert box.exec("--user", "user", "id -u; id -G; echo $HOME").stdout == "1000\n1000 2000\n/\n"
    box.remove()
    for name in ("passwd", "group"):
        (box.rootfs / "etc" / name).unlink()
    (box.rootfs / "etc").rmdir()
    (box.rootfs / "etc").symlink_to("/nix/store/abc-etc")
    box.background()
    assert box.exec("--user", "user:extra", "id -u; id -g").stdout == "1000\n2000\n"


def test_twin_socketcall_of_32_bit_programs(docker, hostile):
    on_host = subprocess.run([hostile, "socketcall"], capture_output=True, text=True)
    if on_host.returncode != 0:
        pytest.skip("this kernel runs no 32-bit system calls")
    done = docker("run", "--rm", "-v", f"{hostile}:/hostile:ro", "busybox", "/hostile", "socketcall")
    assert int(done.split()[1]) >= 0


def test_twin_mounts_of_the_host_arrive_later(box):
    """With rslave, as hot-plugged disks do; and never back."""
    shared = box.home / "shared"
    (shared / "disk").mkdir(parents=True)
    undo = [["umount", "-l", str(shared)]]
    subprocess.run(["mount", "--bind", shared, shared], check=True)
    try:
        subprocess.run(["mount", "--make-shared", shared], check=True)
        box.background(mounts=[mount("/media", "bind", str(shared), "rbind", "rslave"), mount("/still", "bind", str(shared), "rbind", "rprivate")])
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", shared / "disk"], check=True)
        undo.insert(0, ["umount", "-l", str(shared / "disk")])
        (shared / "disk/arrived").write_text("yes\n")
        assert box.exec("cat /media/disk/arrived; ls /still/disk").stdout == "yes\n"
        assert len([m for m in support.mounts() if m.startswith(str(shared))]) == 2
    finally:
        for argv in undo:
            subprocess.run(argv, check=True)
