"""What the tests share: daemon and registry processes, raw HTTP, the census."""
import hashlib
import http.client
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tarfile
import time
import urllib.parse

ROOT = pathlib.Path(os.environ.get("SAMPAN_ROOT", pathlib.Path(__file__).resolve().parents[2])).resolve()
BUILD = ROOT / "build" / "release"
BIN = BUILD / "bin"
DOCKER_DEBIAN = ROOT / "build" / "tools" / "docker-debian" / "usr" / "bin" / "docker"
TIMEOUT = 60


class CommandError(AssertionError):
    pass


class Output(str):
    """Standard output with the exit status and the error stream beside it."""
    code = 0
    err = ""


def wait_for(condition, seconds, step=0.02):
    """Polls until the condition is true; its value, or the last falsy one at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(step)


def run(argv, *, input=None, check=True, timeout=TIMEOUT, env=None, cwd=None):
    done = subprocess.run([str(a) for a in argv], input=input, capture_output=True, timeout=timeout, cwd=cwd,
                          env={**os.environ, "DOCKER_BUILDKIT": "0", **(env or {})})
    out = Output(done.stdout.decode(errors="replace"))
    out.raw = done.stdout
    out.err = done.stderr.decode(errors="replace")
    out.code = done.returncode
    if check and done.returncode != 0:
        raise CommandError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{out}\n{out.err}")
    return out


def make_busybox_tar(path):
    binary = pathlib.Path("/bin/busybox").read_bytes()
    applets = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    with tarfile.open(path, "w") as tar:
        def add(name, mode=0o755, kind=tarfile.DIRTYPE, data=b"", link=""):
            info = tarfile.TarInfo(name)
            info.mode, info.type, info.linkname, info.size, info.mtime = mode, kind, link, len(data), 1700000000
            tar.addfile(info, io.BytesIO(data))
        for directory in ("bin", "etc", "proc", "sys", "dev", "root", "home", "var"):
            add(directory)
        add("tmp", 0o1777)
        add("bin/busybox", 0o755, tarfile.REGTYPE, binary)
        for applet in applets:
            if applet != "busybox":
                add(f"bin/{applet}", 0o777, tarfile.SYMTYPE, link="busybox")
        add("etc/passwd", 0o644, tarfile.REGTYPE,
            b"root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
        add("etc/group", 0o644, tarfile.REGTYPE, b"root:x:0:\ndaemon:x:1:\nuser:x:1000:\nextra:x:2000:user\n")
    return path


class Daemon:
    """One sampand with its own roots and socket."""

    def __init__(self, home, args=(), wrapper=()):
        self.home = pathlib.Path(home)
        self.wrapper = list(wrapper)  # a command that becomes the daemon
        self.home.mkdir(parents=True, exist_ok=True)
        self.data_root = self.home / "data"
        self.exec_root = self.home / "run"
        self.socket = self.home / "s.sock"
        self.args = list(args)
        self.process = None
        self.log = self.home / "daemon.log"

    @property
    def host(self):
        return f"unix://{self.socket}"

    def start(self, wait=True):
        argv = [*self.wrapper, BIN / "sampand", "-H", self.host, "--data-root", self.data_root, "--exec-root", self.exec_root,
                "--pidfile", self.home / "pid", *self.args]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(a) for a in argv], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if wait:
            self.wait_ready()
            self.instance

    def wait_ready(self, seconds=20):
        def ready():
            if self.process.poll() is not None:
                raise CommandError(f"sampand ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")
            try:
                return self.request("GET", "/_ping")[0] == 200
            except OSError:
                return False
        if not wait_for(ready, seconds):
            raise CommandError(f"sampand does not answer:\n{self.log.read_text()[-4000:]}")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def ensure_running(self):
        if not self.alive():
            self.start()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=20)

    # --- clients ---
    def docker(self, *args, **options):
        """Debian's own docker client."""
        return run([DOCKER_DEBIAN, "-H", self.host, *args], **options)

    def docker_new(self, *args, **options):
        """A newer docker client when the machine has one."""
        program = shutil.which("docker")
        return run([program or DOCKER_DEBIAN, "-H", self.host, *args], **options)

    def sampan(self, *args, **options):
        return run([BIN / "sampan", "-H", self.host, *args], **options)

    def request(self, method, path, body=None, headers=None, timeout=TIMEOUT):
        """One raw HTTP exchange: (status, headers, body bytes)."""
        connection = UnixConnection(self.socket, timeout)
        try:
            headers = dict(headers or {})
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
                headers.setdefault("Content-Type", "application/json")
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def json(self, method, path, body=None, expect=None):
        status, _, data = self.request(method, path, body)
        if expect is not None:
            assert status == expect, (status, data)
        else:
            assert status < 300, (status, data)
        return json.loads(data) if data.strip() else None

    def inspect(self, name):
        return self.json("GET", f"/containers/{name}/json")

    def import_busybox(self, tar):
        """busybox:latest, by the API: an emulated processor is slow to start the docker command."""
        changes = urllib.parse.urlencode({"fromSrc": "-", "repo": "busybox", "tag": "latest",
                                          "changes": ['CMD ["sh"]', "ENV PATH=/bin"]}, doseq=True)
        status, _, text = self.request("POST", f"/images/create?{changes}", pathlib.Path(tar).read_bytes(),
                                       {"Content-Type": "application/x-tar"})
        assert status == 200 and b"error" not in text, text

    # --- what is left behind ---
    def shim_pids(self):
        return shims_below(self.exec_root)

    @property
    def instance(self):
        """What tells this daemon's names in the kernel from other daemons': the bridge carries it."""
        if not getattr(self, "_instance", None):
            status, _, body = self.request("GET", "/networks/bridge")
            if status == 404:  # --bridge=none: the name is made of the exec root
                self._instance = hashlib.sha256(str(self.exec_root).encode()).hexdigest()[:6]
            else:
                self._instance = json.loads(body)["Options"]["com.docker.network.bridge.name"].removeprefix("sp")
        return self._instance

    def cgroups(self):
        found = []
        for base in pathlib.Path("/sys/fs/cgroup").iterdir():
            parent = base / f"sampan-{self.instance}"
            if parent.is_dir():
                found += [str(p) for p in parent.iterdir() if p.is_dir()]
        return sorted(found)

    def links(self):
        """Our bridges and veths; those of user networks carry the network's id and count when nobody else made them."""
        return [name for name in links() if self.instance in name or name.startswith("sp-")]

    def nft_tables(self):
        return [name for name in nft_tables() if self.instance in name]

    def leftovers(self):
        """Of a stopped daemon without containers: nothing at all."""
        left = []
        for directory in (self.data_root / "containers", self.exec_root / "shim"):
            if directory.exists():
                left += [str(p) for p in directory.iterdir()]
        left += [m for m in mounts() if str(self.home) in m]
        left += [f"cgroup {path}" for path in self.cgroups()]
        if not self.alive():
            left += [f"link {name}" for name in self.links()] + self.nft_tables()
            left += [f"cgroup {p}" for p in pathlib.Path("/sys/fs/cgroup").glob(f"*/sampan-{self.instance}")]
        return left

    def cleanup(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def end(self):
        """Stops it; nothing of its own may be left on the host, and its directories go."""
        self.stop()
        left = self.leftovers()
        self.cleanup()
        assert not left, left


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Registry:
    """Debian's docker-registry on loopback."""

    def __init__(self, home, port=None, extra="", tls=None):
        self.home = pathlib.Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.extra = extra
        self.tls = tls
        self.process = None

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        config = self.home / "config.yml"
        http_block = f"http:\n  addr: 127.0.0.1:{self.port}\n  secret: not-a-secret\n"
        if self.tls:
            http_block += f"  tls:\n    certificate: {self.tls[0]}\n    key: {self.tls[1]}\n"
        config.write_text("version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n"
                          f"    rootdirectory: {self.home}/data\n  delete:\n    enabled: true\n{http_block}{self.extra}")
        log = open(self.home / "log", "ab")
        self.process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
        def up():
            if self.process.poll() is not None:
                raise CommandError((self.home / "log").read_text()[-2000:])
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        assert wait_for(up, 15), (self.home / "log").read_text()[-2000:]

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)


def shims_below(directory):
    """Pids of the shims of one engine: they call themselves "sampan-shim: <id>" and hold a directory of its open."""
    out = []
    for entry in os.listdir("/proc"):
        try:
            if not entry.isdigit() or not open(f"/proc/{entry}/cmdline", "rb").read().startswith(b"sampan-shim: "):
                continue
            targets = [os.readlink(f"/proc/{entry}/fd/{fd}") for fd in os.listdir(f"/proc/{entry}/fd")]
        except OSError:
            continue
        if any(str(directory) in target for target in targets):
            out.append(int(entry))
    return out


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def mounts():
    return [line.split()[4] for line in open("/proc/self/mountinfo")]


def links():
    out = subprocess.run(["ip", "-j", "link"], capture_output=True, text=True, check=True).stdout
    return sorted(link["ifname"] for link in json.loads(out) if link["ifname"] != "lo" and not link["ifname"].startswith("ifb"))


def nft_tables():
    out = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    return sorted(line for line in out.splitlines() if line)


def published_elements(instance):
    """How many elements a daemon's maps and sets have; the rules themselves are per network."""
    out = subprocess.run(["nft", "-j", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    count = 0
    for item in json.loads(out).get("nftables", []) if out.strip() else []:
        for kind in ("map", "set"):
            if kind in item and instance in item[kind]["table"]:
                count += len(item[kind].get("elem", []))
    return count


def census(daemon):
    """Everything that a test could leave behind."""
    data = daemon.data_root
    def names(*parts):
        directory = data.joinpath(*parts)
        return sorted(p.name for p in directory.iterdir() if not p.name.startswith(".trash")) if directory.exists() else []
    pid = daemon.process.pid
    return {
        "processes": len(daemon.shim_pids()),
        "mounts": sorted(m for m in mounts() if str(daemon.home) in m),
        "cgroups": daemon.cgroups(),
        "links": daemon.links(),
        "nft tables": daemon.nft_tables(),
        "published ports": published_elements(daemon.instance),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "containers": names("containers"),
        "snapshots": names("snapshots"),
        "volumes": names("volumes"),
        "temporary files": names("tmp"),
        "blobs": names("blobs", "sha256"),
        "shim directories": sorted(p.name for p in (daemon.exec_root / "shim").iterdir()) if (daemon.exec_root / "shim").exists() else [],
    }


# A daemon may keep a few descriptors more: a cached statement, a pooled connection, a warm namespace.
SLACK = {"descriptors": 12}


def census_difference(before, after):
    out = {}
    for key, old in before.items():
        new = after[key]
        if isinstance(old, int) and new <= old + SLACK.get(key, 0):
            continue
        if not isinstance(old, int) and not [x for x in new if x not in old]:
            continue
        out[key] = (old, new) if isinstance(old, int) else [x for x in new if x not in old]
    return out


def sweep(daemon):
    """Removes every container, volume, network and image but busybox of a daemon."""
    for row in daemon.json("GET", "/containers/json?all=1"):
        daemon.request("DELETE", f"/containers/{row['Id']}?force=1&v=1")
    for row in (daemon.json("GET", "/volumes") or {}).get("Volumes") or []:
        daemon.request("DELETE", f"/volumes/{row['Name']}?force=1")
    for row in daemon.json("GET", "/networks"):
        if row["Name"] not in ("bridge", "host", "none"):
            daemon.request("DELETE", f"/networks/{row['Id']}")
    for row in daemon.json("GET", "/images/json"):
        if row.get("RepoTags") != ["busybox:latest"]:
            daemon.request("DELETE", f"/images/{row['Id']}?force=1")
