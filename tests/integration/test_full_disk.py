"""The file system that holds everything is full, of bytes or of inodes, while the daemon works on it: each answer is a
success or says so, nothing that was there is damaged, and all goes on when there is room again."""
import contextlib
import io
import json
import os
import re
import sqlite3
import subprocess
import tarfile
import urllib.parse

import pytest

from support import Daemon, census, census_difference, sweep, wait_for
from test_registry import Publisher

WORDS = re.compile(r"space|full|disk|inode", re.I)


class SmallDisk:
    """An ext4 of its own in a file, mounted where a daemon has its data."""

    def __init__(self, image, point, options):
        self.image, self.point = image, point
        with open(image, "wb") as file:
            file.truncate(160 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", *options, str(image)], check=True)
        point.mkdir(parents=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(point)], check=True)

    def fill(self, what):
        filler = self.point / "filler"
        filler.mkdir(exist_ok=True)
        if what == "inodes":
            with contextlib.suppress(OSError):
                for number in range(1 << 20):
                    (filler / f"{number}").touch()
            assert os.statvfs(self.point).f_ffree == 0
            return
        for size in (1 << 20, 4096, 1):  # to the last byte
            with open(filler / f"{size}", "wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
        assert os.statvfs(self.point).f_bavail == 0

    def make_room(self):
        subprocess.run(["rm", "-rf", str(self.point / "filler")], check=True)

    def close(self):
        """Unmounted, and what the kernel wrote is in order."""
        subprocess.run(["umount", str(self.point)], check=True)
        subprocess.run(["e2fsck", "-fn", str(self.image)], check=True, capture_output=True)
        self.image.unlink()


@pytest.fixture(params=["bytes", "inodes"])
def full(request, scratch, rootfs_tar):
    home = scratch / f"disk-{request.param}"
    home.mkdir()
    disk = SmallDisk(home / "image", home / "d" / "data", ["-N", "1200"] if request.param == "inodes" else [])
    daemon = Daemon(home / "d")
    daemon.start()
    daemon.import_busybox(rootfs_tar)
    yield daemon, disk, request.param
    disk.make_room()
    daemon.ensure_running()
    sweep(daemon)
    daemon.stop()
    left = [one for one in daemon.leftovers() if one != str(disk.point)]
    with contextlib.closing(sqlite3.connect(daemon.data_root / "sampan.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    disk.close()
    daemon.cleanup()
    assert not left, left


def dockerfile_tar(text):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Work:
    """What people ask of a daemon that writes to its disk. Each gives the words of its failure, "" for success."""

    def __init__(self, daemon, published):
        self.daemon, self.published = daemon, published

    def ask(self, method, path, body=None, headers=None):
        status, _, data = self.daemon.request(method, path, body, headers)
        text = data.decode(errors="replace")
        if status >= 400:
            assert status == 500, (method, path, status, text)
            return text
        # A stream has begun with 200: its last line tells.
        return text if '"error' in text else ""

    def pull(self):
        name, tag = self.published
        return self.ask("POST", f"/images/create?fromImage={urllib.parse.quote(name)}&tag={tag}")

    def build(self):
        text = "FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=2 && mkdir -p /a/b/c/d\nRUN echo two > /two\n"
        return self.ask("POST", "/build?t=built", dockerfile_tar(text), {"Content-Type": "application/x-tar"})

    def commit(self):
        return self.ask("POST", "/commit?container=stays&repo=committed")

    def create(self):
        return self.ask("POST", "/containers/create?name=fresh", {"Image": "busybox", "Cmd": ["true"]})

    def start(self):
        return self.ask("POST", "/containers/waits/start")

    def volume(self):
        return self.ask("POST", "/volumes/create", {"Name": "fresh"})

    def network(self):
        return self.ask("POST", "/networks/create", {"Name": "fresh"})

    def rename(self):
        return self.ask("POST", "/containers/stays/rename?name=stays2") or self.ask("POST", "/containers/stays2/rename?name=stays")

    def update(self):
        return self.ask("POST", "/containers/stays/update", {"CpuShares": 300})

    def upload(self):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            info = tarfile.TarInfo("uploaded")
            info.size = 1 << 20
            tar.addfile(info, io.BytesIO(b"u" * info.size))
        return self.ask("PUT", "/containers/stays/archive?path=/tmp", data.getvalue(), {"Content-Type": "application/x-tar"})

    ALL = ("pull", "build", "commit", "create", "start", "volume", "network", "rename", "update", "upload")

    def undo(self):
        """Back to where each can be asked again."""
        for path in ("/containers/fresh?force=1", "/images/built?force=1", "/images/committed?force=1", "/volumes/fresh", "/networks/fresh",
                     f"/images/{self.published[0]}:{self.published[1]}?force=1"):
            self.daemon.request("DELETE", path)
        for name in ("stays2",):
            self.daemon.request("POST", f"/containers/{name}/rename?name=stays")
        self.daemon.request("POST", "/containers/waits/stop?t=0")


def left_behind(before, daemon):
    """What a failure left; half a layer is kept for the next pull of it."""
    left = census_difference(before, census(daemon))
    left["temporary files"] = [name for name in left.get("temporary files", []) if not name.endswith(".partial")]
    return {key: names for key, names in left.items() if names}


def test_a_full_file_system_is_told_and_survived(full, registry):
    daemon, disk, what = full
    published = f"{registry.host}/full-{what}"
    files = {f"file-{number}": os.urandom(30_000) for number in range(60)}
    Publisher(registry, f"full-{what}").image("v1", files)
    daemon.docker("create", "--name", "waits", "busybox", "sleep", "1000")
    daemon.docker("run", "-d", "--name", "stays", "busybox", "sh", "-c", "echo kept > /kept; sleep 1000")
    daemon.docker("run", "-d", "--name", "ends", "busybox", "sh", "-c",
                  "while [ ! -e /dev/shm/go ]; do usleep 10000; done; i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; exit 7")
    work = Work(daemon, (published, "v1"))
    for name in Work.ALL:
        assert getattr(work, name)() == "", name
    work.undo()
    before = census(daemon)

    disk.fill(what)
    told = {name: getattr(work, name)() for name in Work.ALL}
    wrong = {name: words for name, words in told.items() if words and not WORDS.search(words)}
    assert not wrong, wrong
    assert told["pull"] and told["build"], told
    # An end is heard, logged or not.
    assert daemon.docker("exec", "ends", "touch", "/dev/shm/go").code == 0
    assert wait_for(lambda: daemon.inspect("ends")["State"]["Status"] == "exited", 20)
    assert daemon.inspect("ends")["State"]["ExitCode"] == 7
    assert daemon.docker("exec", "stays", "cat", "/kept") == "kept\n"
    # A daemon that dies now finds its way back on the full disk, and knows the same.
    daemon.kill()
    daemon.start()
    assert daemon.inspect("ends")["State"]["ExitCode"] == 7 and daemon.inspect("stays")["State"]["Running"]
    assert daemon.docker("exec", "stays", "cat", "/kept") == "kept\n"

    disk.make_room()
    work.undo()
    assert wait_for(lambda: not left_behind(before, daemon), 10), left_behind(before, daemon)
    for name in Work.ALL:
        assert getattr(work, name)() == "", name
    assert daemon.docker("run", "--rm", "built", "cat", "/two") == "two\n"
    answer, data = daemon.request("GET", f"/images/{published}:v1/json")[::2]
    assert answer == 200 and len(json.loads(data)["RootFS"]["Layers"]) == 1
    work.undo()
    assert not census_difference(before, census(daemon)).get("temporary files"), "the pull has taken its half-loaded layer"
