"""Engines to measure: ours, and Debian's dockerd when it is there, each on its own roots and in its own network
namespace; both are driven by the same few lines over the Engine API."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "integration"))
from support import BIN, ROOT, shims_below

TOOLS = ROOT / "build" / "tools"


class Connection(http.client.HTTPConnection):
    """One kept-alive connection to a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def call(self, method, path, body=None, expect=(200, 201, 204)):
        self.request(method, path, body=json.dumps(body) if body is not None else None,
                     headers={"Content-Type": "application/json"} if body is not None else {})
        answer = self.getresponse()
        data = answer.read()
        if answer.status not in expect:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:300]!r}")
        return data


class Engine:
    def __init__(self, name):
        self.name = name
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
        self.socket = self.home / "s.sock"
        self.process = None

    def launch(self, argv, env=None):
        log = open(self.home / "log", "wb")
        self.process = subprocess.Popen(["unshare", "--net", "--", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *map(str, argv)],
                                        stdout=log, stderr=log, env={**os.environ, **(env or {})}, start_new_session=True)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                Connection(self.socket).call("GET", "/_ping")
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not start:\n" + (self.home / "log").read_text()[-3000:])

    def connection(self):
        return Connection(self.socket)

    def pid(self):
        return self.process.pid

    def import_busybox(self):
        import io, tarfile
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name in ("bin", "etc", "proc", "sys", "dev", "tmp"):
                info = tarfile.TarInfo(name)
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
            data = pathlib.Path("/bin/busybox").read_bytes()
            info = tarfile.TarInfo("bin/busybox")
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
            for applet in ("sh", "true", "sleep", "cat", "echo"):
                info = tarfile.TarInfo(f"bin/{applet}")
                info.type, info.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(info)
        connection = self.connection()
        connection.request("POST", "/images/create?fromSrc=-&repo=bench&tag=latest", body=buffer.getvalue(), headers={"Content-Type": "application/x-tar"})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != 200 or b"error" in data:
            raise RuntimeError(f"import: {answer.status} {data!r}")

    def stop(self):
        if self.process and self.process.poll() is None:
            connection = self.connection()
            for row in json.loads(connection.call("GET", "/containers/json?all=1")):
                connection.call("DELETE", f"/containers/{row['Id']}?force=1", expect=(204, 404, 409))
            os.kill(self.engine_pid(), signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        for line in open("/proc/self/mountinfo"):
            target = line.split()[4]
            if target.startswith(str(self.home)):
                subprocess.run(["umount", "-l", target], capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def engine_pid(self):
        return self.process.pid  # unshare, sh and the engine are one process, exec after exec


class Sampan(Engine):
    def __init__(self):
        super().__init__("sampan")

    def start(self):
        return self.launch([BIN / "sampand", "-H", f"unix://{self.socket}", "--data-root", self.home / "data", "--exec-root", self.home / "run"])


class Dockerd(Engine):
    def __init__(self):
        super().__init__("dockerd")

    @staticmethod
    def find():
        for directory in (TOOLS / "dockerd" / "usr" / "sbin", pathlib.Path("/usr/sbin"), pathlib.Path("/usr/bin")):
            if (directory / "dockerd").exists():
                return directory / "dockerd"
        return None

    def start(self):
        program = self.find()
        path = f"{program.parent}:{program.parent.parent / 'bin'}:{os.environ['PATH']}:/usr/sbin:/sbin"
        return self.launch([program, "-H", f"unix://{self.socket}", "--data-root", self.home / "data", "--exec-root", self.home / "run",
                            "--pidfile", self.home / "pid", "--containerd-namespace", "bench", "--storage-driver", "overlay2"], {"PATH": path})


def engines():
    """Ours first; the other only when it is installed."""
    out = [Sampan()]
    if Dockerd.find():
        out.append(Dockerd())
    else:
        print("dockerd is not here: only our own figures (./dev bench fetches it)")
    return out


def percentile(values, fraction):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))]


def machine():
    model = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    return f"{os.cpu_count()} x {model}, kernel {os.uname().release}"


def private_kb(pid):
    total = 0
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith(("Private_Clean:", "Private_Dirty:")):
            total += int(line.split()[1])
    return total


def resident_kb(pid):
    return next(int(l.split()[1]) for l in open(f"/proc/{pid}/status") if l.startswith("VmRSS:"))
