"""Every member of the body of POST /containers/create: it has the effect it promises, or the answer says that it has not.
A member of the API that is missing from these tables fails the test, so none can be accepted and ignored."""
import json
import pathlib
import socket
import time

import pytest

import foreign
from support import wait_for

V2 = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()

# The API's own lists (Engine API 1.51).
CONFIG = """Hostname Domainname User AttachStdin AttachStdout AttachStderr ExposedPorts Tty OpenStdin StdinOnce Env Cmd Healthcheck ArgsEscaped
Image Volumes WorkingDir Entrypoint NetworkDisabled MacAddress OnBuild Labels StopSignal StopTimeout Shell""".split()
HOST = """CpuShares Memory CgroupParent BlkioWeight BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps
BlkioDeviceWriteIOps CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests
MemoryReservation MemorySwap MemorySwappiness NanoCpus OomKillDisable Init PidsLimit Ulimits CpuCount CpuPercent IOMaximumIOps
IOMaximumBandwidth Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver VolumesFrom Mounts ConsoleSize
Annotations CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode Cgroup Links OomScoreAdj PidMode Privileged
PublishAllPorts ReadonlyRootfs SecurityOpt StorageOpt Tmpfs UTSMode UsernsMode ShmSize Sysctls Runtime Isolation MaskedPaths ReadonlyPaths""".split()


def group(controller, v1, v2=None):
    """The command that shows a control group's file."""
    return f"cat /sys/fs/cgroup/{v2}" if V2 else f"cat /sys/fs/cgroup/{controller}/{v1}"


def status(name):
    return f"grep -i '^{name}:' /proc/self/status"


# Member: (the body, a command that runs in the container, what its output holds).
EFFECTS = {
    "Hostname": ({"Hostname": "named"}, "hostname", "named"),
    "Domainname": ({"Domainname": "example.org"}, "cat /proc/sys/kernel/domainname", "example.org"),
    "User": ({"User": "1000:2000"}, "id -u; id -g", "1000\n2000"),
    "Tty": ({"Tty": True}, "tty", "/dev/"),
    "Env": ({"Env": ["A=b c"]}, "echo $A", "b c"),
    "Volumes": ({"Volumes": {"/vol": {}}}, "grep ' /vol ' /proc/mounts", "/vol"),
    "WorkingDir": ({"WorkingDir": "/made/here"}, "pwd", "/made/here"),
    "NetworkDisabled": ({"NetworkDisabled": True, "HostConfig": {"NetworkMode": "bridge"}}, "grep -c : /proc/net/dev", "1\n"),
    "MacAddress": ({"MacAddress": "02:42:ac:11:00:77", "HostConfig": {"NetworkMode": "bridge"}}, "cat /sys/class/net/eth0/address", "02:42:ac:11:00:77"),
    "CpuShares": ({"CpuShares": 512}, group("cpu", "cpu.shares", "cpu.weight"), "20" if V2 else "512"),
    "Memory": ({"Memory": 64 << 20}, group("memory", "memory.limit_in_bytes", "memory.max"), str(64 << 20)),
    "MemoryReservation": ({"MemoryReservation": 32 << 20}, group("memory", "memory.soft_limit_in_bytes", "memory.low"), str(32 << 20)),
    "CpuPeriod": ({"CpuPeriod": 50000}, group("cpu", "cpu.cfs_period_us", "cpu.max"), "50000"),
    "CpuQuota": ({"CpuQuota": 20000}, group("cpu", "cpu.cfs_quota_us", "cpu.max"), "20000"),
    "NanoCpus": ({"NanoCpus": 500_000_000}, group("cpu", "cpu.cfs_quota_us", "cpu.max"), "50000"),
    "CpusetCpus": ({"CpusetCpus": "0"}, status("Cpus_allowed_list"), "\t0\n"),
    "CpusetMems": ({"CpusetMems": "0"}, status("Mems_allowed_list"), "\t0\n"),
    "PidsLimit": ({"PidsLimit": 33}, group("pids", "pids.max", "pids.max"), "33"),
    "Ulimits": ({"Ulimits": [{"Name": "nofile", "Soft": 77, "Hard": 88}]}, "ulimit -n; ulimit -Hn", "77\n88"),
    "Devices": ({"Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/second", "CgroupPermissions": "rw"}]}, "ls -l /dev/second", "1,   3"),
    "DeviceCgroupRules": ({"DeviceCgroupRules": ["c 7:77 rwm"], "CapAdd": ["MKNOD"]}, "mknod /d c 7 77 && echo made", "made"),
    "Init": ({"Init": True}, "cat /proc/1/cmdline | tr '\\0' ' '", "init"),
    "Binds": ({"Binds": ["/etc:/bound:ro"]}, "grep ' /bound ' /proc/mounts", "ro"),
    "Mounts": ({"Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o700}}]}, "grep ' /t ' /proc/mounts", "size=1024k"),
    "Tmpfs": ({"Tmpfs": {"/t": "size=2m"}}, "grep ' /t ' /proc/mounts", "size=2048k"),
    "ConsoleSize": ({"Tty": True, "HostConfig": {"NetworkMode": "none", "ConsoleSize": [33, 44]}}, "stty size", "33 44"),
    "CapAdd": ({"CapAdd": ["NET_ADMIN"]}, status("CapEff"), "a80435fb"),
    "CapDrop": ({"CapDrop": ["ALL"]}, status("CapEff"), "0000000000000000"),
    "Privileged": ({"Privileged": True}, "test -w /proc/sys/kernel/hostname && echo writable", "writable"),
    "CgroupnsMode": ({"CgroupnsMode": "private"}, "cat /proc/self/cgroup", ":/\n"),
    "Dns": ({"Dns": ["192.0.2.1"], "NetworkMode": "bridge"}, "cat /etc/resolv.conf", "nameserver 192.0.2.1"),
    "DnsOptions": ({"DnsOptions": ["ndots:3"], "NetworkMode": "bridge"}, "cat /etc/resolv.conf", "ndots:3"),
    "DnsSearch": ({"DnsSearch": ["example.org"], "NetworkMode": "bridge"}, "cat /etc/resolv.conf", "search example.org"),
    "ExtraHosts": ({"ExtraHosts": ["there:192.0.2.9"], "NetworkMode": "bridge"}, "cat /etc/hosts", "192.0.2.9\tthere"),
    "GroupAdd": ({"GroupAdd": ["2000"]}, "id -G", "2000"),
    "IpcMode": ({"IpcMode": "none"}, "grep -c /dev/shm /proc/mounts", "0"),
    "OomScoreAdj": ({"OomScoreAdj": 123}, "cat /proc/self/oom_score_adj", "123"),
    "PidMode": ({"PidMode": "host"}, "echo $$ > /dev/null; ls -d /proc/[0-9]* | wc -l | grep -v '^[1-9]$' | grep -c .", "1"),
    "ReadonlyRootfs": ({"ReadonlyRootfs": True}, "touch /x 2>&1 || true", "Read-only file system"),
    "SecurityOpt": ({"SecurityOpt": ["no-new-privileges"]}, status("NoNewPrivs"), "1"),
    "ShmSize": ({"ShmSize": 3 << 20}, "grep ' /dev/shm ' /proc/mounts", "size=3072k"),
    "Sysctls": ({"Sysctls": {"net.ipv4.ip_forward": "1"}}, "cat /proc/sys/net/ipv4/ip_forward", "1"),
    "MaskedPaths": ({"MaskedPaths": ["/proc/version"]}, "cat /proc/version | wc -c", "0\n"),
    "ReadonlyPaths": ({"ReadonlyPaths": ["/proc/sys/kernel"]}, "grep ' /proc/sys/kernel ' /proc/mounts", "ro"),
    "NetworkMode": ({"NetworkMode": "none"}, "grep -c : /proc/net/dev", "1"),
}
EFFECTS["UTSMode"] = ({"UTSMode": "host"}, "hostname", socket.gethostname())
DISK = next((p for p in sorted(pathlib.Path("/sys/block").iterdir()) if pathlib.Path("/dev", p.name).exists()), None)
if DISK:
    NUMBERS = (DISK / "dev").read_text().strip()
    for kind, file, word in (("ReadBps", "read_bps", "rbps"), ("WriteBps", "write_bps", "wbps"), ("ReadIOps", "read_iops", "riops"),
                             ("WriteIOps", "write_iops", "wiops")):
        EFFECTS[f"BlkioDevice{kind}"] = ({f"BlkioDevice{kind}": [{"Path": f"/dev/{DISK.name}", "Rate": 1048576}]},
                                         group("blkio", f"blkio.throttle.{file}_device", "io.max"), f"{word}=1048576" if V2 else f"{NUMBERS} 1048576")
if pathlib.Path("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").exists():
    EFFECTS["MemorySwap"] = ({"Memory": 64 << 20, "MemorySwap": 96 << 20}, group("memory", "memory.memsw.limit_in_bytes"), str(96 << 20))
if pathlib.Path("/sys/fs/cgroup/cpu/cpu.rt_period_us").exists():
    EFFECTS["CpuRealtimePeriod"] = ({"CpuRealtimePeriod": 200000}, group("cpu", "cpu.rt_period_us"), "200000")
if not V2:
    EFFECTS["MemorySwappiness"] = ({"MemorySwappiness": 7}, group("memory", "memory.swappiness"), "7")
    EFFECTS["OomKillDisable"] = ({"OomKillDisable": True, "Memory": 64 << 20}, group("memory", "memory.oom_control"), "oom_kill_disable 1")

# Member: (the body, the status of create or of start, words of the error or the warning).
SAID = {
    "BlkioWeight": ({"BlkioWeight": 500}, None, "Block I/O weight"),
    "CpuCount": ({"CpuCount": 1}, 201, "CPU count"),
    "CpuPercent": ({"CpuPercent": 1}, 201, "CPU percent"),
    "IOMaximumIOps": ({"IOMaximumIOps": 1}, 400, "maximum IOPs"),
    "IOMaximumBandwidth": ({"IOMaximumBandwidth": 1}, 400, "maximum bandwidth"),
    "VolumeDriver": ({"VolumeDriver": "nothing", "Binds": ["v:/v"]}, 400, "volume plugin nothing"),
    "StorageOpt": ({"StorageOpt": {"size": "1G"}}, 400, "project quotas"),
    "Isolation": ({"Isolation": "hyperv"}, 400, "linux only supports 'default'"),
    "Runtime": ({"Runtime": "nothing"}, 400, "runtime name: nothing"),
    "BlkioWeightDevice": ({"BlkioWeightDevice": [{"Path": "/dev/null", "Weight": 500}]}, None, "weight_device"),
    "CpuRealtimeRuntime": ({"CpuRealtimeRuntime": 1000}, None, "rt"),  # the daemon's own group has none to give
    "Cgroup": ({"Cgroup": "container:x"}, 501, "HostConfig.Cgroup is not implemented"),
}

# Members whose effect needs more than one command in one container: the test that shows it.
ELSEWHERE = {
    "OpenStdin": "test_websocket", "Healthcheck": "test_health", "ExposedPorts": "test_network", "PortBindings": "test_network",
    "PublishAllPorts": "test_network", "Links": "test_network", "RestartPolicy": "test_survival", "AutoRemove": "test_clients", "UTSMode": "test_run_flags",
    "LogConfig": "test_run_flags", "DeviceRequests": "test_run_flags", "UsernsMode": "test_run_flags",
    "Image": "test_clients", "Cmd": "test_clients", "Entrypoint": "test_run_flags",
    "CgroupParent": "test_create_fields", "VolumesFrom": "test_create_fields", "StopSignal": "test_create_fields", "StopTimeout": "test_create_fields",
    "Shell": "test_create_fields", "StdinOnce": "test_create_fields",
}

# Members that describe and do nothing by themselves, in Docker as well: inspect shows them as they were given.
SHOWN = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Labels": {"a": "b"}, "OnBuild": ["RUN x"], "ArgsEscaped": True,
         "ContainerIDFile": "/x", "Annotations": {"a": "b"}}


def body_of(fields):
    """Members of HostConfig are put where they belong."""
    body = {"Image": "busybox:latest", "HostConfig": {"NetworkMode": "none"}}
    for name, value in fields.items():
        if name == "HostConfig":
            body["HostConfig"] = value
        elif name in CONFIG:
            body[name] = value
        else:
            body["HostConfig"][name] = value
    return body


def frames(stream):
    """The payloads of a multiplexed stream; a terminal's stream as it is."""
    if stream[:1] not in (b"\1", b"\2"):
        yield stream
        return
    while stream:
        end = 8 + int.from_bytes(stream[4:8], "big")
        yield stream[8:end]
        stream = stream[end:]


@pytest.fixture
def create(daemon):
    """Creates a container; the status and the answer. It is removed afterwards."""
    made = []

    def ask(body):
        code, _, data = daemon.request("POST", "/containers/create", body)
        answer = json.loads(data)
        if code == 201:
            made.append(answer["Id"])
        return code, answer
    yield ask
    for ident in reversed(made):
        daemon.request("DELETE", f"/containers/{ident}?force=1&v=1")


def test_every_member_is_in_one_table():
    known = {*EFFECTS, *SAID, *ELSEWHERE, *SHOWN}
    known |= {"MemorySwappiness", "OomKillDisable", "MemorySwap", "CpuRealtimePeriod"}  # where the kernel has them
    if not DISK:
        known |= {name for name in HOST if name.startswith("BlkioDevice")}
    assert {*CONFIG, *HOST} - known == set()
    here = pathlib.Path(__file__).parent
    assert [name for name in set(ELSEWHERE.values()) if not (here / f"{name}.py").exists()] == []


@pytest.mark.parametrize("member", sorted(EFFECTS))
def test_the_member_has_its_effect(daemon, create, member):
    fields, command, expected = EFFECTS[member]
    code, answer = create({**body_of(fields), "Cmd": ["sh", "-c", command]})
    warnings = [text for text in answer["Warnings"] or [] if "MacAddress field is now deprecated" not in text]
    assert code == 201 and not warnings, answer
    ident = answer["Id"]
    code, _, data = daemon.request("POST", f"/containers/{ident}/start")
    assert code == 204, data
    daemon.json("POST", f"/containers/{ident}/wait")
    _, _, log = daemon.request("GET", f"/containers/{ident}/logs?stdout=1&stderr=1")
    lines = b"".join(text for text in frames(log))
    assert expected in lines.decode(errors="replace"), log


@pytest.mark.parametrize("member", sorted(SAID))
def test_the_member_is_refused_or_warned_of(daemon, create, member):
    fields, expected, words = SAID[member]
    code, answer = create({**body_of(fields), "Cmd": ["true"]})
    if expected:
        assert code == expected
    if code == 201 and not answer["Warnings"]:  # then it must work
        code, _, data = daemon.request("POST", f"/containers/{answer['Id']}/start")
        assert code == 204 and member.startswith("BlkioWeight") and pathlib.Path("/sys/fs/cgroup/blkio/blkio.weight").exists() or code >= 400, (code, data)
        if code == 204:
            return
        answer = json.loads(data)
    assert words in json.dumps(answer), answer


@pytest.mark.parametrize("member", sorted(SHOWN))
def test_the_member_is_shown_as_it_was_given(daemon, create, member):
    code, answer = create(body_of({member: SHOWN[member]}))
    assert code == 201
    shown = daemon.inspect(answer["Id"])
    assert (shown["Config"] if member in CONFIG else shown["HostConfig"])[member] == SHOWN[member]


def start(daemon, create, fields):
    code, answer = create(body_of(fields))
    assert code == 201, answer
    code, _, data = daemon.request("POST", f"/containers/{answer['Id']}/start")
    assert code == 204, data
    return answer["Id"]


def test_cgroup_parent(daemon, create):
    parent = f"/sampan-{daemon.instance}-other"
    try:
        ident = start(daemon, create, {"CgroupParent": parent, "Cmd": ["sleep", "100"]})
        pid = daemon.inspect(ident)["State"]["Pid"]
        assert f"{parent}/{ident}" in pathlib.Path(f"/proc/{pid}/cgroup").read_text()
        daemon.request("DELETE", f"/containers/{ident}?force=1")
    finally:
        foreign.remove_cgroup(parent)


def test_volumes_from(daemon, create):
    owner = start(daemon, create, {"Volumes": {"/shared": {}}, "Cmd": ["sh", "-c", "echo written > /shared/file"]})
    daemon.json("POST", f"/containers/{owner}/wait")
    reader = start(daemon, create, {"VolumesFrom": [f"{owner}:ro"], "Cmd": ["sh", "-c", "cat /shared/file; touch /shared/x"]})
    assert daemon.json("POST", f"/containers/{reader}/wait")["StatusCode"] == 1
    _, _, log = daemon.request("GET", f"/containers/{reader}/logs?stdout=1&stderr=1")
    assert b"written" in log and b"Read-only" in log


def test_stop_signal(daemon, create):
    ident = start(daemon, create, {"StopSignal": "SIGUSR1", "Cmd": ["sh", "-c", "trap 'exit 7' USR1; echo up; while :; do sleep 0.05; done"]})
    assert wait_for(lambda: daemon.request("GET", f"/containers/{ident}/logs?stdout=1")[2], 5)
    daemon.request("POST", f"/containers/{ident}/stop?t=5")
    assert daemon.inspect(ident)["State"]["ExitCode"] == 7


def test_stop_timeout(daemon, create):
    ident = start(daemon, create, {"StopTimeout": 1, "Cmd": ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"]})
    assert wait_for(lambda: daemon.request("GET", f"/containers/{ident}/logs?stdout=1")[2], 5)
    began = time.monotonic()
    daemon.request("POST", f"/containers/{ident}/stop")
    assert 0.9 < time.monotonic() - began < 5
    assert daemon.inspect(ident)["State"]["ExitCode"] == 137


def test_shell_runs_health_checks(daemon, create):
    ident = start(daemon, create, {"Shell": ["/bin/echo", "shelled"], "Cmd": ["sleep", "100"],
                                   "Healthcheck": {"Test": ["CMD-SHELL", "the line"], "Interval": 100_000_000}})
    def outputs():
        return [entry["Output"] for entry in daemon.inspect(ident)["State"]["Health"]["Log"]]
    assert wait_for(outputs, 5)[0] == "shelled the line\n"


@pytest.mark.parametrize("settings", [{"DriverOpts": {"a": "b"}}, {"IPAMConfig": {"LinkLocalIPs": ["169.254.0.1"]}},
                                      {"IPAMConfig": {"IPv6Address": "fe80::1"}}])
def test_an_endpoint_s_member_without_effect_is_refused(daemon, create, settings):
    member = next(iter(settings))
    code, answer = create({"Image": "busybox:latest", "NetworkingConfig": {"EndpointsConfig": {"bridge": settings}}})
    assert code == 501 and f"EndpointSettings.{member}" in answer["message"]
    _, other = create({"Image": "busybox:latest"})
    code, _, data = daemon.request("POST", "/networks/bridge/connect", {"Container": other["Id"], "EndpointConfig": settings})
    assert code == 501 and f"EndpointSettings.{member}" in json.loads(data)["message"]


def test_stdin_once(docker):
    assert docker("run", "--rm", "-i", "--network", "none", "busybox", "cat", input=b"once") == "once"
