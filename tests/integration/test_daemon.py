"""The daemon's own edges: configuration, reload, TLS, socket activation, the service manager's protocol."""
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from support import BIN, ROOT, Daemon, UnixConnection, free_port, run, wait_for


def validate(tmp_path, text, *flags):
    file = tmp_path / "daemon.json"
    file.write_text(text)
    return run([BIN / "sampand", "--validate", "--config-file", file, *flags], check=False)


# --- configuration ----------------------------------------------------------------------------------------------------

def test_validate_says_ok_or_what_is_wrong(tmp_path):
    good = validate(tmp_path, '{"debug": true, "labels": ["a=b"], "hosts": ["unix:///x/y.sock"]}')
    assert good.code == 0 and good.err.strip() == "configuration OK"
    bad = validate(tmp_path, '{"nope": 1}')
    assert bad.code == 1
    assert bad.err.strip() == (f"unable to configure the daemon with file {tmp_path}/daemon.json: "
                               "the following directives don't match any configuration option: nope")
    twice = validate(tmp_path, '{"debug": true, "labels": ["a=b"]}', "--label", "c=d", "-D")
    assert twice.code == 1
    assert ("the following directives are specified both as a flag and in the configuration file: "
            "debug: (from flag: true, from file: true), labels: (from flag: [c=d], from file: [a=b])") in twice.err
    missing = run([BIN / "sampand", "--validate", "--config-file", tmp_path / "no.json"], check=False)
    assert missing.code == 1 and "No such file" in missing.err


def test_switches_take_a_value_behind_an_equals_sign(tmp_path):
    assert validate(tmp_path, "{}", "--live-restore=true", "--iptables").code == 0
    refused = validate(tmp_path, "{}", "--iptables=false")
    assert refused.code == 1 and '"iptables" cannot be false here' in refused.err


def test_tcp_without_client_certificates_is_refused(tmp_path):
    for text in ('{"hosts": ["tcp://127.0.0.1:2375"]}', '{"hosts": ["tcp://127.0.0.1:2376"], "tls": true}'):
        refused = validate(tmp_path, text)
        assert refused.code == 1 and "--tlsverify" in refused.err


@pytest.fixture
def bare(tmp_path_factory):
    """Makes daemons without images; they end with the test."""
    made = []

    def make(config=None, *args, start=True):
        daemon = Daemon(tmp_path_factory.mktemp("d"))
        daemon.config = daemon.home / "daemon.json"
        daemon.config.write_text(json.dumps(config or {}))
        daemon.args = ["--config-file", str(daemon.config), *map(str, args)]
        made.append(daemon)
        if start:
            daemon.start()
        return daemon
    yield make
    for daemon in made:
        if daemon.alive():
            daemon.stop()
        daemon.cleanup()


def test_the_file_is_used_and_shown(bare):
    daemon = bare({"labels": ["rack=7"], "insecure-registries": ["reg.example:5000"],
                   "registry-mirrors": ["https://mirror.example"], "debug": True})
    info = daemon.json("GET", "/info")
    assert info["Labels"] == ["rack=7"] and info["Debug"] is True
    assert info["RegistryConfig"]["IndexConfigs"]["reg.example:5000"]["Secure"] is False
    assert info["RegistryConfig"]["Mirrors"] == ["https://mirror.example"]


def read_events(daemon, since):
    body = daemon.request("GET", f"/events?since={since}&until={int(time.time()) + 1}")[2]
    return [json.loads(line) for line in body.splitlines()]


def test_sighup_reloads_what_can_change_and_tells(bare):
    daemon = bare({"labels": ["a=1"]})
    since = int(time.time()) - 1
    daemon.config.write_text(json.dumps({"labels": ["a=2"], "debug": True, "insecure-registries": ["r:1"],
                                         "shutdown-timeout": 3, "exec-root": "/elsewhere"}))
    daemon.process.send_signal(signal.SIGHUP)
    # "exec-root" is a flag here as well: the whole file is refused, nothing has changed.
    assert wait_for(lambda: "specified both as a flag" in daemon.log.read_text(), 5)
    assert daemon.json("GET", "/info")["Labels"] == ["a=1"]
    daemon.config.write_text(json.dumps({"labels": ["a=2"], "debug": True, "insecure-registries": ["r:1"],
                                         "shutdown-timeout": 3}))
    daemon.process.send_signal(signal.SIGHUP)
    assert wait_for(lambda: daemon.json("GET", "/info")["Labels"] == ["a=2"], 5)
    info = daemon.json("GET", "/info")
    assert info["Debug"] is True and "r:1" in info["RegistryConfig"]["IndexConfigs"]
    event = [e for e in read_events(daemon, since) if e["Type"] == "daemon"][-1]
    assert event["Action"] == "reload" and event["Actor"]["ID"] == info["ID"]
    attributes = event["Actor"]["Attributes"]
    assert attributes["labels"] == '["a=2"]' and attributes["debug"] == "true"
    assert attributes["shutdown-timeout"] == "3" and attributes["live-restore"] == "true"
    assert attributes["name"] == info["Name"]


@pytest.mark.parametrize("text", ["{", '{"labels": ["broken"]}', '{"nope": 1}', '{"debug": "yes"}'])
def test_an_invalid_file_leaves_the_configuration_as_it_was(bare, text):
    daemon = bare({"labels": ["a=1"]})
    daemon.config.write_text(text)
    daemon.process.send_signal(signal.SIGHUP)
    assert wait_for(lambda: "the configuration stays as it was" in daemon.log.read_text(), 5)
    assert daemon.json("GET", "/info")["Labels"] == ["a=1"]


# --- TLS --------------------------------------------------------------------------------------------------------------

def openssl(*args, cwd):
    subprocess.run(["openssl", *map(str, args)], cwd=cwd, check=True, capture_output=True)


def make_certificate(home, name, authority, usage, days="30", san="IP:127.0.0.1"):
    (home / f"{name}.ext").write_text(f"extendedKeyUsage={usage}\nsubjectAltName={san}\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{name}-key.pem", "-out", f"{name}.csr", cwd=home)
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}-key.pem",
            "-CAcreateserial", "-days", days, "-extfile", f"{name}.ext", "-out", f"{name}.pem", cwd=home)


def make_authority(home, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", f"/CN={name}", "-keyout", f"{name}-key.pem", "-out", f"{name}.pem", cwd=home)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    home = tmp_path_factory.mktemp("pki")
    for name in ("ca", "other"):
        make_authority(home, name)
    make_certificate(home, "server", "ca", "serverAuth")
    make_certificate(home, "client", "ca", "clientAuth")
    make_certificate(home, "stranger", "other", "clientAuth")
    make_certificate(home, "wrong-use", "ca", "serverAuth")
    (home / "expired.ext").write_text("extendedKeyUsage=clientAuth\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=expired",
            "-keyout", "expired-key.pem", "-out", "expired.csr", cwd=home)
    (home / "index").write_text("")
    (home / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nserial=serial\n"
                                 "default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n")
    openssl("ca", "-batch", "-config", "ca.cnf", "-create_serial", "-in", "expired.csr", "-cert", "ca.pem", "-keyfile",
            "ca-key.pem", "-startdate", "20200101000000Z", "-enddate", "20210101000000Z", "-extfile", "expired.ext",
            "-out", "expired.pem", "-notext", cwd=home)
    return home


@pytest.fixture
def tls_daemon(bare, pki):
    port = free_port()
    daemon = bare({"tlsverify": True, "tlscacert": str(pki / "ca.pem"), "tlscert": str(pki / "server.pem"),
                   "tlskey": str(pki / "server-key.pem")}, "-H", f"tcp://127.0.0.1:{port}")
    daemon.port = port
    return daemon


@pytest.fixture(scope="module")
def tls_engine(tmp_path_factory, rootfs_tar, pki):
    """A daemon with TLS and an image, shared by the tests that run containers over it."""
    daemon = Daemon(tmp_path_factory.mktemp("t"))
    daemon.port = free_port()
    daemon.args = ["-H", f"tcp://127.0.0.1:{daemon.port}", "--tlsverify", "--tlscacert", str(pki / "ca.pem"), "--tlscert",
                   str(pki / "server.pem"), "--tlskey", str(pki / "server-key.pem"), "--config-file", str(daemon.home / "c.json")]
    (daemon.home / "c.json").write_text("{}")
    daemon.start()
    daemon.import_busybox(rootfs_tar)
    flags = ["-H", f"tcp://127.0.0.1:{daemon.port}", "--tlsverify", "--tlscacert", pki / "ca.pem", "--tlscert",
             pki / "client.pem", "--tlskey", pki / "client-key.pem"]
    from support import DOCKER_DEBIAN, sweep
    daemon.remote = lambda *args, **options: run([DOCKER_DEBIAN, *flags, *args], **options)
    yield daemon
    sweep(daemon)
    daemon.stop()
    daemon.cleanup()


def client_context(pki, name):
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    if name:
        context.load_cert_chain(pki / f"{name}.pem", pki / f"{name}-key.pem")
    return context


def https_get(daemon, pki, name, path=b"/_ping", tune=lambda context: None):
    context = client_context(pki, name)
    tune(context)
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as s:
            s.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            out = b""
            while piece := s.recv(65536):
                out += piece
            return out


def test_the_docker_command_works_over_tls(tls_engine):
    docker = tls_engine.remote
    assert docker("run", "--rm", "busybox", "echo", "hello").strip() == "hello"
    assert docker("run", "--rm", "-i", "busybox", "wc", "-c", input=b"x" * 3_000_000).strip() == "3000000"
    big = docker("run", "--rm", "busybox", "sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' a")
    assert len(big) == 5_000_000
    assert docker("run", "--rm", "busybox", "sh", "-c", "exit 7", check=False).code == 7


def test_exec_with_a_half_closed_input_over_tls(tls_engine):
    docker = tls_engine.remote
    docker("run", "-d", "--name", "tls-x", "busybox", "sleep", "1000")
    try:
        # Only the end of its input makes cat end; what it says afterwards still arrives.
        out = docker("exec", "-i", "tls-x", "sh", "-c", "cat; echo after", input=b"before\n", timeout=20)
        assert out == "before\nafter\n"
        logs = docker("logs", "tls-x")
        assert logs == ""
    finally:
        docker("rm", "-f", "tls-x")


def test_images_travel_over_tls(tls_engine, tmp_path):
    saved = tls_engine.remote("save", "-o", tmp_path / "i.tar", "busybox:latest")
    assert (tmp_path / "i.tar").stat().st_size > 500_000 and saved == ""
    tls_engine.remote("load", "-i", tmp_path / "i.tar")


@pytest.mark.parametrize("who", [None, "stranger", "expired", "wrong-use"])
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_clients_without_a_good_certificate_never_reach_http(tls_daemon, pki, who, newest):
    def limit(context):
        context.maximum_version = newest
    with pytest.raises((ssl.SSLError, ConnectionError)):
        answer = https_get(tls_daemon, pki, who, tune=limit)
        assert not answer, answer
        raise ConnectionResetError("closed without an answer")
    assert b"200 OK" in https_get(tls_daemon, pki, "client")


def test_old_versions_of_tls_are_refused(tls_daemon, pki):
    def old(context):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, OSError)):
        https_get(tls_daemon, pki, "client", tune=old)


def test_plain_http_on_the_tls_port_is_told_so(tls_daemon):
    with socket.create_connection(("127.0.0.1", tls_daemon.port), timeout=10) as s:
        s.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"400 Bad Request" in s.recv(4096)


def test_unfinished_handshakes_are_bounded_and_do_not_keep_others_out(tls_daemon, pki):
    idle = [socket.create_connection(("127.0.0.1", tls_daemon.port), timeout=10) for _ in range(300)]
    try:
        assert b"200 OK" in https_get(tls_daemon, pki, "client")
        # The oldest had to go for the newest.
        idle[0].settimeout(5)
        assert idle[0].recv(1) == b""
        open_sockets = len(os.listdir(f"/proc/{tls_daemon.process.pid}/fd"))
        assert open_sockets < 330, open_sockets
    finally:
        for s in idle:
            s.close()
    assert wait_for(lambda: len(os.listdir(f"/proc/{tls_daemon.process.pid}/fd")) < 60, 10)


def test_a_reload_takes_new_certificates(bare, pki, tmp_path):
    for name in ("server.pem", "server-key.pem"):
        shutil.copy(pki / name, tmp_path / name)
    port = free_port()
    daemon = bare({"tlsverify": True, "tlscacert": str(pki / "ca.pem"), "tlscert": str(tmp_path / "server.pem"),
                   "tlskey": str(tmp_path / "server-key.pem")}, "-H", f"tcp://127.0.0.1:{port}")
    daemon.port = port
    (tmp_path / "server.pem").write_text("garbage")
    daemon.process.send_signal(signal.SIGHUP)
    assert wait_for(lambda: "stays as it was" in daemon.log.read_text(), 5)
    assert b"200 OK" in https_get(daemon, pki, "client")
    make_certificate(pki, "renewed", "ca", "serverAuth")
    shutil.copy(pki / "renewed.pem", tmp_path / "server.pem")
    shutil.copy(pki / "renewed-key.pem", tmp_path / "server-key.pem")
    daemon.process.send_signal(signal.SIGHUP)
    assert wait_for(lambda: "configuration reloaded" in daemon.log.read_text(), 5)
    with socket.create_connection(("127.0.0.1", port)) as raw:
        with client_context(pki, "client").wrap_socket(raw, server_hostname="127.0.0.1") as s:
            assert ("commonName", "renewed") in [pair for part in s.getpeercert()["subject"] for pair in part]


def test_bad_certificate_files_are_named(tmp_path, bare, pki):
    daemon = bare({"tlsverify": True, "tlscacert": str(pki / "ca.pem"), "tlscert": str(pki / "server.pem"),
                   "tlskey": str(pki / "client-key.pem")}, "-H", f"tcp://127.0.0.1:{free_port()}", start=False)
    daemon.start(wait=False)
    assert daemon.process.wait(timeout=20) == 1
    assert "client-key.pem" in daemon.log.read_text()


# --- the service manager ----------------------------------------------------------------------------------------------

class Manager:
    """As much of systemd as the daemon meets: a socket that is passed on, and one that is told things."""

    def __init__(self, home):
        self.home = pathlib.Path(home)
        self.listener = socket.socket(socket.AF_UNIX)
        self.path = self.home / "activated.sock"
        self.listener.bind(str(self.path))
        self.listener.listen(16)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.home / "notify"))
        self.notify.settimeout(20)
        self.words = ""

    def start(self, daemon, *args, watchdog=None, names="api"):
        fd = self.listener.fileno()
        env = {**os.environ, "NOTIFY_SOCKET": str(self.home / "notify"), "LISTEN_FDS": "1", "LISTEN_FDNAMES": names}
        if watchdog:
            env["WATCHDOG_USEC"] = str(watchdog)
        # The variables carry the process id, known only behind the fork.
        script = f'export LISTEN_PID=$$ WATCHDOG_PID=$$; exec 3<&{fd}; exec "$@"'
        argv = ["bash", "-c", script, "start", str(BIN / "sampand"), "--data-root", str(daemon.data_root), "--exec-root",
                str(daemon.exec_root), *daemon.args, *args]
        daemon.socket = self.path
        with open(daemon.log, "ab") as log:
            daemon.process = subprocess.Popen(argv, pass_fds=[fd], env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def hear(self, word):
        while word not in self.words:
            self.words += self.notify.recv(4096).decode() + "\n"
        return self.words


@pytest.mark.parametrize("host", ["fd://", "fd://api", "fd://3"])
def test_a_passed_socket_serves_and_stays(bare, tmp_path, host):
    daemon = bare(start=False)
    manager = Manager(tmp_path)
    early = UnixConnection(manager.path, 20)
    early.request("GET", "/_ping")  # asked before there is a daemon
    manager.start(daemon, "-H", host)
    assert early.getresponse().status == 200
    early.close()
    assert f"MAINPID={daemon.process.pid}" in manager.hear("READY=1")
    environment = pathlib.Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text().split()
    for child in environment:  # neither the sockets nor the variables are the zygote's
        variables = pathlib.Path(f"/proc/{child}/environ").read_bytes()
        assert b"LISTEN_FDS" not in variables and b"NOTIFY_SOCKET" not in variables
    daemon.stop()
    manager.hear("STOPPING=1")
    assert manager.path.exists(), "the socket is the service manager's"


def test_a_socket_that_was_not_passed_is_an_error(bare, tmp_path):
    daemon = bare(start=False)
    manager = Manager(tmp_path)
    manager.start(daemon, "-H", "fd://other")
    assert daemon.process.wait(timeout=20) == 1
    assert "fd://other: no such socket was passed" in daemon.log.read_text()


def test_reloading_and_the_watchdog_are_told(bare, tmp_path):
    daemon = bare(start=False)
    manager = Manager(tmp_path)
    manager.start(daemon, "-H", "fd://", watchdog=400_000)
    manager.hear("READY=1")
    manager.hear("WATCHDOG=1")
    daemon.process.send_signal(signal.SIGHUP)
    manager.hear("RELOADING=1")
    manager.words = ""
    manager.hear("READY=1")
    manager.words = ""
    daemon.process.send_signal(signal.SIGSTOP)  # a daemon that hangs says nothing
    manager.notify.settimeout(1.5)
    with pytest.raises(TimeoutError):
        while True:
            manager.hear("never")
    daemon.process.send_signal(signal.SIGCONT)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_units_are_right(tmp_path):
    for unit in (ROOT / "packaging" / "systemd").iterdir():
        text = unit.read_text().replace("/usr/bin/sampand", str(BIN / "sampand"))
        (tmp_path / unit.name).write_text(text)
    done = run(["systemd-analyze", "verify", "--man=no", tmp_path / "sampan.service", tmp_path / "sampan.socket"], check=False)
    complaints = [line for line in done.err.splitlines() if "sampan" in line]
    assert done.code == 0 and not complaints, done.err


def test_the_socket_belongs_to_the_group_that_was_asked_for(bare):
    daemon = bare({"group": "daemon"})
    import grp
    facts = daemon.socket.stat()
    assert facts.st_gid == grp.getgrnam("daemon").gr_gid and facts.st_mode & 0o777 == 0o660


def test_sigterm_leaves_containers_running_for_the_next_daemon(own_daemon):
    own_daemon.docker("run", "-d", "--name", "on", "busybox", "sleep", "1000")
    pid = own_daemon.inspect("on")["State"]["Pid"]
    own_daemon.stop()
    assert pathlib.Path(f"/proc/{pid}").exists()
    own_daemon.start()
    state = own_daemon.inspect("on")["State"]
    assert state["Running"] and state["Pid"] == pid
    own_daemon.docker("rm", "-f", "on")


def test_containers_and_networks_get_what_the_file_says(tmp_path_factory, rootfs_tar):
    daemon = Daemon(tmp_path_factory.mktemp("c"))
    profile = daemon.home / "seccomp.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}))
    config = {
        "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 77, "Hard": 88}}, "default-shm-size": "8m", "init": True,
        "no-new-privileges": True, "seccomp-profile": str(profile), "dns-search": ["example.org"], "dns-opts": ["ndots:3"],
        "dns": ["192.0.2.7"], "log-opts": {"max-size": "1m"}, "mtu": 1400, "icc": False, "default-ipc-mode": "shareable",
        "default-address-pools": [{"base": "10.199.0.0/16", "size": 24}], "bip": "10.198.0.1/24",
        "fixed-cidr": "10.198.0.128/25", "ip": "127.0.0.1",
        "default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1300"}}}
    (daemon.home / "daemon.json").write_text(json.dumps(config))
    daemon.args = ["--config-file", str(daemon.home / "daemon.json")]
    daemon.start()
    try:
        daemon.import_busybox(rootfs_tar)
        out = daemon.docker("run", "--rm", "busybox", "sh", "-c",
                            "ulimit -Sn; ulimit -Hn; df -k /dev/shm | tail -1 | awk '{print $2}'; grep NoNewPrivs /proc/self/status;"
                            "mkdir /x; cat /sys/class/net/eth0/mtu; cat /etc/resolv.conf; readlink /proc/1/exe;"
                            "ip -4 -o addr show eth0").split()
        assert out[:3] == ["77", "88", "8192"] and out[3:5] == ["NoNewPrivs:", "1"], out
        assert "1400" in out and "example.org" in out and "ndots:3" in out and "192.0.2.7" in out
        assert any("init" in word for word in out)
        address = next(word for word in out if word.startswith("10.198.0."))
        assert int(address.split("/")[0].split(".")[3]) >= 128
        refused = daemon.docker("run", "--rm", "busybox", "mkdir", "/x", check=False)
        assert refused.code == 1 and "not supported" in refused.err
        # What is said wins; the daemon's word is for what is left open.
        own = daemon.docker("run", "--rm", "--ulimit", "nofile=55:55", "--security-opt", "seccomp=unconfined", "--init=false",
                            "busybox", "sh", "-c", "ulimit -n; mkdir /x && readlink /proc/1/exe")
        assert own.split() == ["55", "/bin/busybox"]
        daemon.docker("run", "-d", "--name", "kept", "-p", "80", "busybox", "sleep", "100")
        facts = daemon.inspect("kept")
        assert facts["HostConfig"]["LogConfig"]["Config"] == {"max-size": "1m"}
        assert facts["HostConfig"]["IpcMode"] == "shareable"
        assert facts["NetworkSettings"]["Ports"]["80/tcp"][0]["HostIp"] == "127.0.0.1"
        daemon.docker("rm", "-f", "kept")
        daemon.docker("network", "create", "n1")
        network = daemon.json("GET", "/networks/n1")
        assert network["IPAM"]["Config"][0]["Subnet"] == "10.199.0.0/24"
        assert network["Options"]["com.docker.network.driver.mtu"] == "1300"
        daemon.docker("network", "rm", "n1")
    finally:
        from support import sweep
        sweep(daemon)
        daemon.end()


@pytest.mark.parametrize("config, words", [
    ({"log-driver": "carrier-pigeon"}, "carrier-pigeon"),
    ({"log-opts": {"max-size": "huge"}}, "log-driver json-file: invalid size: 'huge'"),
    ({"seccomp-profile": "/no/such/profile.json"}, "/no/such/profile.json"),
    ({"bip": "10.198.0.1/24", "fixed-cidr": "10.1.0.0/24"}, "10.1.0.0/24"),
    ({"group": "no-such-group"}, "no-such-group"),
])
def test_what_only_the_host_shows_to_be_wrong_stops_the_start(bare, config, words):
    daemon = bare(config, start=False)
    daemon.start(wait=False)
    assert daemon.process.wait(timeout=20) == 1
    assert words in daemon.log.read_text()
