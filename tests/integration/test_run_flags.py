"""Flags of run: each is checked from inside the container or in the kernel."""
import json
import os
import pathlib

import pytest


def sh(docker, *args):
    """run --rm ARGS... where the last one is a shell script."""
    *flags, script = args
    return docker("run", "--rm", *flags, "busybox", "sh", "-c", script).strip()


def test_environment_workdir_user_hostname(docker, tmp_path):
    env = tmp_path / "env"
    env.write_text("# comment\nFROM_FILE=1\n")
    out = sh(docker, "-e", "A=b c", "--env-file", env, "-w", "/new/dir", "-u", "user:extra", "-h", "box",
             "echo $A $FROM_FILE $(pwd) $(id -u):$(id -g) $(hostname) $HOME")
    assert out == "b c 1 /new/dir 1000:2000 box /home/user"


def test_numeric_users_are_never_names(docker):
    assert sh(docker, "-u", "4242", "id -u") == "4242"
    assert docker("run", "--rm", "-u", "4294967295", "busybox", "true", check=False).code != 0
    bad = docker("run", "--rm", "-u", "nobody-here", "busybox", "true", check=False)
    assert bad.code in (125, 126) and "nobody-here" in bad.err


def test_memory_cpu_and_pids_limits_reach_the_cgroup(daemon, docker):
    docker("run", "-d", "--name", "lim", "-m", "64m", "--memory-swap", "96m", "--cpus", "0.5", "--cpu-shares", "512",
           "--cpuset-cpus", "0", "--pids-limit", "50", "busybox", "sleep", "1000")
    pid = daemon.inspect("lim")["State"]["Pid"]
    paths = dict(line.strip().split(":")[1:] for line in open(f"/proc/{pid}/cgroup") if line.split(":")[1])
    read = lambda controller, name: pathlib.Path(f"/sys/fs/cgroup/{controller}{paths[controller]}/{name}").read_text().strip()
    if "memory" in paths:
        assert read("memory", "memory.limit_in_bytes") == str(64 << 20)
        assert read("cpu", "cpu.shares") == "512"
        assert read("cpu", "cpu.cfs_quota_us") == "50000"
        assert read("cpuset", "cpuset.cpus") == "0"
        assert read("pids", "pids.max") == "50"
    docker("rm", "-f", "lim")


def test_out_of_memory_is_told(daemon, docker):
    docker("run", "--name", "oom", "-m", "8m", "--memory-swap", "8m", "busybox", "sh", "-c",
           "dd if=/dev/zero of=/dev/shm/x bs=1M count=64; tail /dev/zero", check=False)
    state = daemon.inspect("oom")["State"]
    assert state["ExitCode"] == 137 and state["OOMKilled"] is True
    docker("rm", "oom")


def test_default_sandbox(docker):
    status = sh(docker, "cat /proc/self/status")
    caps = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.startswith("Cap")}
    assert caps["CapBnd"] == caps["CapPrm"] == caps["CapEff"] == "00000000a80425fb"
    assert int(caps["CapInh"], 16) == 0 and int(caps["CapAmb"], 16) == 0
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t0" in status
    assert sh(docker, "ls /proc/self/fd | wc -l") in ("4", "3")  # 0 1 2 and ls's own
    assert sh(docker, "umask") == "0022"
    assert sh(docker, "cat /proc/kcore | wc -c") == "0"
    for path in ("/proc/sys/kernel/panic", "/proc/sysrq-trigger", "/sys/kernel/uevent_seqnum"):
        assert sh(docker, f"(echo 1 > {path}) 2>/dev/null && echo written || echo refused") == "refused"
    assert sh(docker, "mount -t tmpfs x /tmp 2>/dev/null && echo mounted || echo refused") == "refused"
    assert sh(docker, "ls /dev").split() == sorted(("core " if os.path.exists("/proc/kcore") else "").split() + "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split())


def test_capabilities_and_security_options(docker):
    eff = lambda *flags: int(sh(docker, *flags, "grep CapEff /proc/self/status").split()[1], 16)
    assert eff("--cap-drop", "ALL") == 0
    assert eff("--cap-drop", "ALL", "--cap-add", "CHOWN") == 1
    assert eff("--cap-add", "NET_ADMIN") & (1 << 12)
    assert eff("-u", "1000") == 0
    assert "NoNewPrivs:\t1" in sh(docker, "--security-opt", "no-new-privileges", "cat /proc/self/status")
    assert "Seccomp:\t0" in sh(docker, "--security-opt", "seccomp=unconfined", "cat /proc/self/status")


def test_a_seccomp_profile_from_a_file(docker, tmp_path):
    profile = tmp_path / "p.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW",
                                   "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}))
    assert "No space left" in sh(docker, "--security-opt", f"seccomp={profile}", "mkdir /x 2>&1; true")


def test_privileged(docker):
    status = sh(docker, "--privileged", "cat /proc/self/status")
    assert "Seccomp:\t0" in status
    assert sh(docker, "--privileged", "mount -t tmpfs x /tmp && echo mounted") == "mounted"
    assert int(sh(docker, "--privileged", "ls /dev | wc -l")) > 14


def test_read_only_tmpfs_and_shm(docker):
    out = docker("run", "--rm", "--read-only", "--tmpfs", "/scratch:size=1m", "--shm-size", "8m", "busybox", "sh", "-c",
                 "touch /x 2>&1; touch /scratch/x && echo ok; df -k /dev/shm | tail -1 | awk '{print $2}'; dd if=/dev/zero of=/scratch/y bs=1M count=2 2>&1 | grep -o 'No space'")
    assert "Read-only file system" in out and "ok" in out and "8192" in out and "No space" in out


def test_volumes_and_binds(daemon, docker, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "f").write_text("host")
    assert sh(docker, "-v", f"{tmp_path}/src:/b", "cat /b/f; echo new > /b/g") == "host"
    assert (tmp_path / "src" / "g").read_text() == "new\n"
    assert "Read-only" in sh(docker, "-v", f"{tmp_path}/src:/b:ro", "touch /b/x 2>&1; true")
    sh(docker, "--mount", f"type=bind,src={tmp_path}/src,dst=/b,readonly", "cat /b/f")
    missing = docker("run", "--rm", "--mount", "type=bind,src=/no/such/dir,dst=/b", "busybox", "true", check=False)
    assert missing.code == 125 and "/no/such/dir" in missing.err
    sh(docker, "-v", "named:/v", "echo kept > /v/f")
    assert sh(docker, "-v", "named:/other", "cat /other/f") == "kept"
    assert "named" in docker("volume", "ls")
    docker("volume", "rm", "named")
    # A new volume begins with what the image has there.
    assert sh(docker, "-v", "filled:/etc", "ls /etc") .count("passwd") == 1
    assert sh(docker, "-v", "filled:/x", "ls /x").count("passwd") == 1
    docker("volume", "rm", "filled")
    docker("run", "--name", "anon", "-v", "/anon", "busybox", "true")
    name = daemon.inspect("anon")["Mounts"][0]["Name"]
    assert len(name) == 64
    docker("rm", "-v", "anon")
    assert name not in docker("volume", "ls", "-q")


def test_devices_ulimits_sysctls_oom_score(docker):
    assert sh(docker, "--device", "/dev/null:/dev/mynull:rw", "echo x > /dev/mynull && echo ok") == "ok"
    assert sh(docker, "--ulimit", "nofile=64:128", "ulimit -n; ulimit -Hn").split() == ["64", "128"]
    assert sh(docker, "--sysctl", "net.ipv4.ip_forward=1", "cat /proc/sys/net/ipv4/ip_forward") == "1"
    assert sh(docker, "--oom-score-adj", "300", "cat /proc/self/oom_score_adj") == "300"
    refused = docker("run", "--rm", "--sysctl", "kernel.panic=1", "busybox", "true", check=False)
    assert refused.code == 125 and "kernel.panic" in refused.err


def test_namespace_modes(daemon, docker):
    assert sh(docker, "--pid", "host", "ls -d /proc/[0-9]* | wc -l") != "1"
    assert sh(docker, "readlink /proc/self/ns/ipc") != os.readlink("/proc/self/ns/ipc")
    assert sh(docker, "--ipc", "host", "readlink /proc/self/ns/ipc") == os.readlink("/proc/self/ns/ipc")
    assert sh(docker, "--uts", "host", "readlink /proc/self/ns/uts") == os.readlink("/proc/self/ns/uts")
    assert sh(docker, "--network", "host", "readlink /proc/self/ns/net") == os.readlink(f"/proc/{daemon.process.pid}/ns/net")
    assert sh(docker, "--cgroupns", "private", "cat /proc/self/cgroup | cut -d: -f3 | sort -u") == "/"
    docker("run", "-d", "--name", "first", "busybox", "sleep", "1000")
    assert "sleep" in sh(docker, "--pid", "container:first", "ps")
    assert sh(docker, "--network", "container:first", "hostname") != ""
    docker("rm", "-f", "first")


def test_init_reaps_and_forwards(docker):
    assert "docker-init" in sh(docker, "--init", "cat /proc/1/comm; ps") or "sampan-init" in sh(docker, "--init", "cat /proc/1/comm")
    docker("run", "-d", "--init", "--name", "ini", "busybox", "sleep", "1000")
    docker("stop", "-t", "5", "ini")
    assert docker("inspect", "-f", "{{.State.ExitCode}}", "ini").strip() == "143"
    docker("rm", "ini")


def test_entrypoint_and_add_host_and_dns(docker):
    assert docker("run", "--rm", "--entrypoint", "echo", "busybox", "from", "entrypoint") == "from entrypoint\n"
    assert "10.1.2.3\tdb" in sh(docker, "--add-host", "db:10.1.2.3", "cat /etc/hosts")
    assert sh(docker, "--dns", "9.9.9.9", "--dns-search", "x.example", "cat /etc/resolv.conf") == "nameserver 9.9.9.9\nsearch x.example"


def test_restart_policy_restarts(daemon, docker):
    from support import wait_for
    docker("run", "-d", "--name", "re", "--restart", "on-failure:2", "busybox", "sh", "-c", "exit 5")
    assert wait_for(lambda: daemon.inspect("re")["RestartCount"] == 2 and daemon.inspect("re")["State"]["Status"] == "exited", 15)
    assert daemon.inspect("re")["State"]["ExitCode"] == 5
    docker("rm", "re")


def test_health_check_turns_healthy_and_unhealthy(daemon, docker):
    from support import wait_for
    docker("run", "-d", "--name", "hc", "--health-cmd", "test -e /ok", "--health-interval", "200ms", "--health-retries", "2",
           "busybox", "sh", "-c", "touch /ok; sleep 1000")
    health = lambda: daemon.inspect("hc")["State"]["Health"]["Status"]
    assert wait_for(lambda: health() == "healthy", 10)
    docker("exec", "hc", "rm", "/ok")
    assert wait_for(lambda: health() == "unhealthy", 10)
    assert "(unhealthy)" in docker("ps")
    docker("rm", "-f", "hc")


def test_log_rotation_is_the_default(daemon, docker):
    docker("run", "--name", "rot", "--log-opt", "max-size=64k", "--log-opt", "max-file=2", "busybox", "sh", "-c",
           "i=0; while [ $i -lt 4000 ]; do echo 'a line that is repeated until the log has to turn over' $i; i=$((i+1)); done")
    path = pathlib.Path(daemon.inspect("rot")["LogPath"])
    files = sorted(path.parent.iterdir())
    assert len(files) == 2 and sum(f.stat().st_size for f in files) < 200 << 10
    assert docker("logs", "--tail", "1", "rot").strip().endswith("3999")
    docker("rm", "rot")


@pytest.mark.parametrize("flags, words", [
    (["--gpus", "all"], "could not select device driver"),
    (["--storage-opt", "size=1G"], "project quotas"),
    (["--log-driver", "splunk"], "splunk"),
    (["--network", "no-such-net"], "no-such-net"),
    (["--memory", "1k"], "6MB"),
    (["--cpus", "999"], "CPUs"),
    (["--cap-add", "FLY"], "FLY"),
    (["--security-opt", "apparmor=strict"], "apparmor"),
    (["-v", "bad:spec:is:this"], "invalid"),
    (["--runtime", "kata"], "kata"),
    (["--volume-driver", "nfs", "-v", "x1:/y"], "plugin \"nfs\" not found"),
    (["--userns", "private"], "serns"),
])
def test_an_option_that_cannot_be_honoured_says_so(docker, flags, words):
    out = docker("run", "--rm", *flags, "busybox", "true", check=False)
    assert out.code in (125, 126) and words in out.err, out.err
