"""What the security tests share: a host canary, a container with a hostile root filesystem, and racing attackers.

REQUIRED names the test of every disclosed vulnerability; test_security_runtime.py fails when one of them is gone."""
import atexit
import contextlib
import functools
import hashlib
import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import tempfile
import time

import pytest

import support
from test_runtime import OLD_KERNEL, PROGRAMS, Runtime, make_spec, mount

RACE_SECONDS = 1.5
DOCKER_CAPABILITIES = ["CAP_" + name for name in (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL "
    "AUDIT_WRITE").split()]
TOOLS = "sh cat id sleep true tty hostname ls echo grep mkdir touch stat pwd env mount rm readlink find chmod seq head".split()

REQUIRED = {
    # the host leaking into the container
    "CVE-2016-9962": "test_cve_2016_9962_joining_processes_show_nothing",
    "CVE-2016-9962, user namespaces": "test_cve_2016_9962_not_even_to_root_of_a_user_namespace",
    "CVE-2016-9962, shared pid namespaces": "test_cve_2016_9962_a_waiting_init_shows_nothing",
    "CVE-2020-15257": "test_cve_2020_15257_no_abstract_sockets",
    "CVE-2019-5736": "test_cve_2019_5736_the_runtime_cannot_be_overwritten",
    "CVE-2024-21626": "test_cve_2024_21626_no_working_directory_through_descriptors",
    "CVE-2016-3697": "test_cve_2016_3697_digits_are_never_a_name",
    "CVE-2026-46680": "test_cve_2026_46680_digits_are_never_a_name_in_the_engine",
    "CVE-2024-40635": "test_cve_2024_40635_ids_do_not_wrap",
    "CVE-2026-30892": "test_cve_2026_30892_exec_runs_as_the_user_asked_for",
    "CVE-2022-36109": "test_cve_2022_36109_the_primary_group_is_supplementary_too",
    "CVE-2022-24769": "test_cve_2022_24769_nothing_is_inheritable_or_ambient",
    "CVE-2021-43784": "test_cve_2021_43784_long_strings_are_strings",
    "CVE-2026-84042": "test_cve_2026_84042_helpers_are_not_looked_up_in_the_container",
    "CVE-2024-0132": "test_cve_2024_0132_hooks_have_an_environment_of_their_own",
    "CVE-2025-23266": "test_cve_2024_0132_hooks_have_an_environment_of_their_own",
    # paths inside a root filesystem that the attacker owns
    "CVE-2015-3627": "test_cve_2015_3627_links_as_mount_targets",
    "CVE-2015-3630": "test_cve_2015_3630_nothing_is_mounted_below_proc",
    "CVE-2019-16884": "test_cve_2019_16884_labels_are_not_written_into_a_volume",
    "CVE-2019-19921": "test_cve_2019_19921_proc_and_sys_are_real_directories",
    "CVE-2023-27561": "test_cve_2019_19921_proc_and_sys_are_real_directories",
    "CVE-2021-30465": "test_cve_2021_30465_a_mount_target_swapped_for_a_link",
    "CVE-2024-45310": "test_cve_2024_45310_mount_points_are_made_inside",
    "CVE-2025-31133": "test_cve_2025_31133_masks_with_a_swapped_null_device",
    "CVE-2025-52565": "test_cve_2025_52565_console_with_a_swapped_target",
    "CVE-2025-52881": "test_cve_2025_52881_sysctls_are_not_redirected",
    "CVE-2026-41579": "test_cve_2026_41579_dev_is_a_link",
    "CVE-2026-88264": "test_cve_2026_88264_console_is_a_link",
    "CVE-2026-88265": "test_cve_2026_88265_null_is_a_link_to_a_host_file",
    "CVE-2026-115521": "test_cve_2026_115521_read_only_is_read_only_in_every_start",
    "CVE-2026-119101": "test_cve_2026_119101_nothing_is_restored_from_an_archive",
    "CVE-2025-24965": "test_cve_2025_24965_no_files_of_ours_in_the_root_filesystem",
    "CVE-2026-55686": "test_cve_2026_55686_a_working_directory_through_links",
    "CVE-2024-5154": "test_cve_2024_5154_files_of_etc_are_links",
    "CVE-2022-0811": "test_cve_2022_0811_one_sysctl_a_key",
    "CVE-2024-3154": "test_cve_2024_3154_annotations_are_not_host_properties",
    "CVE-2023-25809": "test_cve_2023_25809_control_groups_are_read_only_without_a_namespace",
    "CVE-2023-6476": "test_cve_2023_6476_processes_stay_below_their_control_group",
    "CVE-2025-47291": "test_cve_2023_6476_processes_stay_below_their_control_group",
    "CVE-2022-0492": "test_cve_2022_0492_no_release_agent",
    # what proc and sys tell
    "CVE-2017-16539": "test_cve_2017_16539_masked_paths_are_empty",
    "CVE-2018-10892": "test_cve_2017_16539_masked_paths_are_empty",
    "GHSA-jq35-85cj-fj4p": "test_ghsa_jq35_85cj_fj4p_no_power_readings",
    "GHSA-6fw5-f8r9-fgfm": "test_ghsa_6fw5_f8r9_fgfm_no_interrupt_counts",
    "CVE-2021-21334": "test_cve_2021_21334_environments_do_not_mix",
    "CVE-2019-13509": "test_cve_2019_13509_no_secrets_in_debug_logs",
    # what a hardening must not break
    "twin: absolute link as mount target": "test_twin_absolute_link_as_mount_target",
    "twin: dangling link as mount target": "test_twin_dangling_link_as_mount_target",
    "twin: /dev/shm": "test_twin_dev_shm_is_open_to_everybody",
    "twin: console": "test_twin_console_on_a_read_only_root",
    "twin: passwd through links": "test_twin_passwd_through_links",
    "twin: socketcall": "test_twin_socketcall_of_32_bit_programs",
    "twin: propagation": "test_twin_mounts_of_the_host_arrive_later",
}


@functools.cache
def the_runtime():
    """A copy of the program for this session: what is attacked, and compared afterwards."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sampan-itest-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    directory.chmod(0o711)
    return pathlib.Path(shutil.copy(PROGRAMS["sampan-runtime"], directory))


def fingerprint(top):
    """Everything about a tree that an attack could change: names, content, mode, owner, attributes, times."""
    rows = []
    for path in [top, *sorted(top.rglob("*"))]:
        info = path.lstat()
        content = ""
        if path.is_symlink():
            content = os.readlink(path)
        elif stat.S_ISREG(info.st_mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        attributes = {name: os.getxattr(path, name, follow_symlinks=False)
                      for name in os.listxattr(path, follow_symlinks=False)}
        rows.append((str(path.relative_to(top)), info.st_mode, info.st_uid, info.st_gid, info.st_rdev, info.st_nlink,
                     info.st_mtime_ns, content, attributes))
    return rows


class Canary:
    """A tree of the host's that no container may change or see, and host settings that none may turn."""
    SETTINGS = ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/kernel/sysrq",
                "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/modprobe")

    def __init__(self, top):
        self.path = top
        (top / "dir/sub").mkdir(parents=True)
        (top / "secret").write_text("host secret\n")
        (top / "dir/file").write_text("more\n")
        (top / "secret").chmod(0o640)
        os.chown(top / "dir/file", 12, 34)
        (top / "link").symlink_to("secret")
        os.setxattr(top / "secret", "trusted.canary", b"sings")
        self.before = self.look()

    def look(self):
        program = hashlib.sha256(the_runtime().read_bytes()).hexdigest()
        settings = {name: pathlib.Path(name).read_text() for name in self.SETTINGS if pathlib.Path(name).exists()}
        return fingerprint(self.path), program, settings

    def check(self):
        assert self.look() == self.before


class Box(Runtime):
    """One sampan-runtime container whose specification a test bends."""

    def __init__(self, home):
        super().__init__(str(the_runtime()), home)
        self.rootfs = self.bundle / "rootfs"
        for tool in TOOLS:
            if not (self.rootfs / "bin" / tool).is_symlink():
                (self.rootfs / "bin" / tool).symlink_to("busybox")
        (self.rootfs / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n")
        (self.rootfs / "etc/group").write_text("root:x:0:\nuser:x:1000:\nextra:x:2000:user\n")

    def configure(self, script, *, mounts=(), drop=(), change=None, **process):
        """The usual specification around a shell script; `change` gets the whole document."""
        args = script if isinstance(script, list) else ["sh", "-c", script]
        spec = make_spec(args, self.cgroup)
        spec["process"]["capabilities"] = {name: DOCKER_CAPABILITIES for name in ("bounding", "effective", "permitted")}
        spec["process"].update(process)
        spec["mounts"] = [m for m in spec["mounts"] if m["destination"] not in drop] + list(mounts)
        if change:
            change(spec)
        (self.bundle / "config.json").write_text(json.dumps(spec))

    def run(self, script=None, *words, check=False, **options):
        """`run` in the foreground; without a script, what was configured before."""
        kwargs = {key: options.pop(key) for key in ("stdin", "pass_fds", "env") if key in options}
        if script is not None:
            self.configure(script, **options)
        return self("run", *words, "--bundle", str(self.bundle), self.id, check=check, **kwargs)

    def background(self, script=("sleep", "100"), **options):
        self.configure(list(script) if isinstance(script, tuple) else script, **options)
        self.detached("run", "--detach")

    def exec(self, *words, check=True, **kwargs):
        return self("exec", *words[:-1], self.id, "sh", "-c", words[-1], check=check, **kwargs)

    def terminal(self, **options):
        """Creates, starts and kills a container with a terminal; the status of create, its words and the output."""
        path = self.home / "console.sock"
        path.unlink(missing_ok=True)
        self.configure("tty; echo from-console > /dev/console; echo end; sleep 9", terminal=True, **options)
        with socket.socket(socket.AF_UNIX) as listener, open(self.home / "out", "w") as out:
            listener.bind(str(path))
            listener.listen()
            listener.settimeout(5)
            done = self("create", "--console-socket", str(path), "--bundle", str(self.bundle), self.id, check=False,
                        stdout=out, stderr=out)
            words = (self.home / "out").read_text()
            if done.returncode:
                return done.returncode, words, b""
            connection, _ = listener.accept()
            with connection:
                _, fds, _, _ = socket.recv_fds(connection, 4096, 1)
        self("start", self.id)
        seen = read_until(fds[0], b"end")
        os.close(fds[0])
        self.remove()
        return 0, words, seen

    def remove(self):
        self("delete", "--force", self.id, check=False)


def read_until(fd, word, seconds=5):
    seen, deadline = b"", time.monotonic() + seconds
    while word not in seen and time.monotonic() < deadline:
        try:
            seen += os.read(fd, 4096)
        except OSError:  # EIO: nobody has the other side any more
            break
    return seen


@contextlib.contextmanager
def attacker(*argv, **kwargs):
    """A process that attacks as long as the block lasts."""
    process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, **kwargs)
    try:
        yield process
        assert process.poll() is None, "the attacker gave up"
    finally:
        process.kill()
        process.wait()


def storm(seconds=RACE_SECONDS):
    """Rounds of a race: as many as fit into the time, at least three."""
    end, rounds = time.monotonic() + seconds, 0
    while rounds < 3 or time.monotonic() < end:
        yield rounds
        rounds += 1


def bind(source, destination, *options):
    return mount(destination, "bind", str(source), "bind", *options)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """The attacker's program; static, so that it runs in any container."""
    program = tmp_path_factory.mktemp("hostile") / "hostile"
    compiler = shutil.which("clang-19") or shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")
    subprocess.run([compiler, "-O1", "-static", "-o", program,
                    pathlib.Path(__file__).with_name("hostile.c")], check=True)
    return program


@pytest.fixture
def canary(tmp_path):
    made = Canary(tmp_path / "canary")
    yield made
    made.check()


@pytest.fixture
def box(request, tmp_path, canary):
    """A parameter says that the newer system calls are missing (tests/fault/old_kernel.c)."""
    made = Box(tmp_path)
    if getattr(request, "param", None) == "old kernel":
        made.program = OLD_KERNEL
    yield made
    made.remove()
    assert not [m for m in support.mounts() if m.startswith(str(tmp_path))]
    assert not list(pathlib.Path("/sys/fs/cgroup").glob(f"*{made.cgroup}*"))
