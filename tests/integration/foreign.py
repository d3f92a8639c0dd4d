"""Engines of others that run their containers with our runtime: Debian's dockerd, containerd and Podman. They are
unpacked below build/tools and never installed; each has directories, cgroups and processes of its own."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import tempfile

import support
from support import BIN, CommandError, DOCKER_DEBIAN, ROOT, run, wait_for

TOOLS = ROOT / "build" / "tools"
DOCKERD = TOOLS / "dockerd" / "usr"
PODMAN = TOOLS / "podman" / "usr"
RUNTIME = BIN / "sampan-runtime"


def cgroup_directories(path):
    """The directories of one control group, in every hierarchy that has it."""
    base = pathlib.Path("/sys/fs/cgroup")
    return [p for p in [base / path.lstrip("/"), *(d / path.lstrip("/") for d in base.iterdir() if d.is_dir())] if p.is_dir()]


def remove_cgroup(path):
    """Removes the empty group, deepest first. A group with a process in it stays, and is found by leftovers()."""
    for top in cgroup_directories(path):
        for directory, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass


def processes_of(home):
    """Processes that name the directory on their command line."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int(entry.name) != os.getpid() and os.fsencode(str(home)) in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


class Engine:
    """An engine with its own home; the same life for every kind."""
    tools = ()

    def __init__(self, rootfs_tar):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="sf-"))
        self.cgroup = f"/sampan-foreign-{self.home.name}"
        self.rootfs_tar = rootfs_tar
        self.process = None

    @classmethod
    def missing(cls):
        """What is not unpacked, or ""."""
        return ", ".join(str(tool) for tool in cls.tools if not tool.exists())

    def launch(self, argv, answers):
        """Starts the engine in a network namespace of its own and waits until it answers."""
        log = self.home / "log"
        with open(log, "ab") as out:
            self.process = subprocess.Popen(["unshare", "--net", "--", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *map(str, argv)],
                                            stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
                                            env={**os.environ, "PATH": f"{DOCKERD}/bin:{DOCKERD}/sbin:{os.environ['PATH']}:/usr/sbin:/sbin"})
        def ready():
            if self.process.poll() is not None:
                raise CommandError(f"ended with {self.process.returncode}:\n{log.read_text()[-3000:]}")
            return answers().code == 0
        if not wait_for(ready, 30, 0.1):
            raise CommandError(f"does not answer:\n{log.read_text()[-3000:]}")

    @property
    def runtime_root(self):
        """Where our runtime keeps its containers for this engine."""
        return self.home / "runtime"

    def remove_containers(self):
        """Every container of this engine is gone afterwards."""

    def stop(self):
        """Ends the engine; what is left of it, which should be nothing."""
        left = []
        try:
            self.remove_containers()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            left.append(str(error))
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.clean_own()
        wait_for(lambda: not processes_of(self.home), 10)
        left += [f"process {pid}" for pid in processes_of(self.home)] + [m for m in support.mounts() if str(self.home) in m]
        left += [str(p) for top in cgroup_directories(self.cgroup) for p in top.rglob("*") if p.is_dir()]
        self.sweep()
        return left

    def sweep(self):
        """Ends and removes by force what should not have been left."""
        for top in cgroup_directories(self.cgroup):
            for state in top.rglob("freezer.state"):
                if state.parent != top:
                    state.write_text("THAWED")
            for member in top.rglob("cgroup.procs"):
                for pid in member.read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
        for pid in processes_of(self.home):
            os.kill(pid, signal.SIGKILL)
        for target in reversed([m for m in support.mounts() if str(self.home) in m]):
            run(["umount", "-l", target], check=False)
        wait_for(lambda: remove_cgroup(self.cgroup) or not cgroup_directories(self.cgroup), 5)
        shutil.rmtree(self.home, ignore_errors=True)

    def clean_own(self):
        """Removes what the engine itself leaves behind when it ends, whatever its runtime is."""


class Dockerd(Engine):
    tools = (DOCKERD / "sbin/dockerd", DOCKERD / "bin/containerd", DOCKER_DEBIAN)

    def start(self):
        self.launch([DOCKERD / "sbin/dockerd", "-H", f"unix://{self.home}/s.sock", "--data-root", self.home / "data",
                     "--exec-root", self.home / "run", "--pidfile", self.home / "pid", "--storage-driver", "overlay2",
                     "--iptables=false", "--ip6tables=false", "--cgroup-parent", self.cgroup, "--add-runtime", f"sampan={RUNTIME}",
                     "--default-runtime", "sampan"],
                    lambda: self("version", check=False))
        self("import", "--change", 'CMD ["sh"]', "--change", "ENV PATH=/bin", self.rootfs_tar, "busybox:latest")
        return self

    def __call__(self, *words, **options):
        return run([DOCKER_DEBIAN, "-H", f"unix://{self.home}/s.sock", *words], **options)

    def run_argv(self, *words):
        return self.argv("run", "--runtime", "sampan", "--network", "none", *words)

    def run(self, *words, **options):
        return run(self.run_argv(*words), **options)

    def argv(self, *words):
        return [DOCKER_DEBIAN, "-H", f"unix://{self.home}/s.sock", *words]

    @property
    def runtime_root(self):
        return self.home / "run/runtime-runc/moby"

    def remove_containers(self):
        ids = self("ps", "-aq").split()
        if ids:
            self("rm", "-f", *ids)


class Containerd(Engine):
    tools = (DOCKERD / "bin/containerd", DOCKERD / "bin/containerd-shim-runc-v2", DOCKERD / "bin/ctr")

    def start(self):
        config = self.home / "config.toml"
        config.write_text(f'version = 2\nroot = "{self.home}/data"\nstate = "{self.home}/run"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                          f'[grpc]\n  address = "{self.home}/s.sock"\n')
        self.launch([DOCKERD / "bin/containerd", "--config", config], lambda: self("version", check=False))
        self("image", "import", make_image_archive(self.home / "image.tar", self.rootfs_tar))
        return self

    def argv(self, *words):
        return [DOCKERD / "bin/ctr", "--address", self.home / "s.sock", "--namespace", "foreign", *words]

    def __call__(self, *words, **options):
        return run(self.argv(*words), **options)

    def run_argv(self, name, *words, flags=()):
        return self.argv("run", "--runc-binary", RUNTIME, "--runc-root", self.home / "runtime", "--cgroup", f"{self.cgroup}/{name}", *flags,
                         IMAGE, name, *words)

    def run(self, name, *words, flags=(), **options):
        return run(self.run_argv(name, *words, flags=flags), **options)

    @property
    def runtime_root(self):
        return self.home / "runtime/foreign"

    def remove_containers(self):
        for row in self("task", "ls", "-q").split():
            self("task", "rm", "-f", row, check=False)
        def emptied():
            for row in self("container", "ls", "-q").split():
                self("container", "rm", row, check=False)  # one that was run with --rm may go by itself
            return not self("container", "ls", "-q").strip()
        assert wait_for(emptied, 10, 0.1)


class Podman(Engine):
    tools = (PODMAN / "bin/podman", PODMAN / "bin/conmon")

    def start(self):
        self.write_configuration()
        self("import", "--change", 'CMD ["sh"]', "--change", "ENV PATH=/bin", self.rootfs_tar, "localhost/busybox:latest")
        return self

    def write_configuration(self):
        home = self.home
        (home / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\nrunroot = "{home}/run"\ngraphroot = "{home}/data"\n')
        (home / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        (home / "containers.conf").write_text(
            '[containers]\nlog_driver = "k8s-file"\nseccomp_profile = ""\napparmor_profile = "unconfined"\n'
            f'[network]\nnetwork_config_dir = "{home}/net"\n'
            f'[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nlock_type = "file"\ntmp_dir = "{home}/tmp"\n'
            f'conmon_path = ["{PODMAN}/bin/conmon"]\nstatic_dir = "{home}/data/libpod"\nvolume_path = "{home}/data/volumes"\n'
            'runtime_supports_json = ["sampan-runtime"]\nruntime_supports_nocgroups = ["sampan-runtime"]\n')

    @property
    def environment(self):
        return {"CONTAINERS_CONF": str(self.home / "containers.conf"), "CONTAINERS_STORAGE_CONF": str(self.home / "storage.conf"),
                "TMPDIR": str(self.home), "HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.home)}

    def argv(self, *words):
        settings = [f"{key}={value}" for key, value in self.environment.items()]
        return ["env", *settings, PODMAN / "bin/podman", "--runtime", RUNTIME, "--root", self.home / "data", "--runroot", self.home / "run",
                *words]

    def __call__(self, *words, **options):
        return run(self.argv(*words), cwd=self.home, **options)  # conmon writes where it stands

    def run_argv(self, *words):
        return self.argv("run", "--network", "none", "--cgroup-parent", self.cgroup, *words)

    def run(self, *words, **options):
        return run(self.run_argv(*words), cwd=self.home, **options)

    @property
    def runtime_root(self):
        return pathlib.Path("/run/sampan-runtime")  # it passes no --root

    def remove_containers(self):
        self("rm", "--all", "--force", "--time", "0")

    def clean_own(self):
        remove_cgroup(f"{self.cgroup}/conmon")
        for target in (self.home / "data/overlay", self.home / "data"):  # made private by its storage library, once
            if os.path.ismount(target):
                run(["umount", target])


class Buildah(Podman):
    """Podman's sister that builds images; no engine, and no containers of its own after a build."""
    tools = (PODMAN / "bin/buildah",)

    def __init__(self, rootfs_tar):
        super().__init__(rootfs_tar)
        self.write_configuration()

    def build(self, dockerfile):
        context = pathlib.Path(tempfile.mkdtemp(dir=self.home))
        shutil.copy(self.rootfs_tar, context / "busybox.tar")
        (context / "Dockerfile").write_text(dockerfile)
        settings = [f"{key}={value}" for key, value in self.environment.items()]
        return run(["env", *settings, PODMAN / "bin/buildah", "--root", self.home / "data", "--runroot", self.home / "run", "bud", "--runtime",
                    RUNTIME, "--isolation", "oci", "--network", "none", "--cgroup-parent", f"{self.cgroup}/build", context], check=False, cwd=self.home)

    def remove_containers(self):
        pass


ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
IMAGE = "docker.io/library/busybox:latest"


def make_image_archive(path, rootfs_tar):
    """An OCI archive of one layer."""
    import hashlib
    layout = path.with_suffix(".layout")
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)

    def add(data, kind, **more):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data), **more}

    layer = add(pathlib.Path(rootfs_tar).read_bytes(), "layer.v1.tar")
    config = add(json.dumps({"architecture": ARCHITECTURE, "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
                             "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode(), "config.v1+json")
    manifest = add(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
                               "layers": [layer]}).encode(), "manifest.v1+json",
                   annotations={"io.containerd.image.name": IMAGE, "org.opencontainers.image.ref.name": "latest"})
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    with tarfile.open(path, "w") as tar:
        for name in ("oci-layout", "index.json", "blobs"):
            tar.add(layout / name, name)
    return path
