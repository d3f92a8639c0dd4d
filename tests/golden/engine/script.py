"""The scripted conversation with an engine: the same requests to Debian's dockerd, whose answers are recorded, and to ours.

A step is one request with a name of its own. What a step needs (a container that runs, one that has ended) is made by
steps before it, so that the making is compared as well."""
import io
import json
import tarfile
import time
import urllib.parse

import shapes
from support import UnixConnection

OLD_VERSIONS = ("1.24", "1.30", "1.35", "1.40")
NEWEST = "1.41"  # of the recorded dockerd


def query(**parameters):
    return "?" + urllib.parse.urlencode({k: json.dumps(v) if isinstance(v, dict) else v for k, v in parameters.items()})


class Conversation:
    def __init__(self, socket_path, home):
        self.socket_path, self.home = socket_path, home
        self.answers = {}

    def request(self, method, path, body=None, headers=None, version=NEWEST, timeout=30):
        connection = UnixConnection(self.socket_path, timeout)
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, (f"/v{version}" if version else "") + path, body=body, headers=headers)
            answer = connection.getresponse()
            try:
                data = b"" if answer.status == 101 else answer.read()
            except TimeoutError:
                data = b""  # the head has come, the rest waits for something that the script does not do
            return answer.status, dict(answer.getheaders()), data
        finally:
            connection.close()

    def step(self, name, method, path, body=None, raw=None, **options):
        """One request; its answer is kept below the name. Returns the decoded body, if it is JSON."""
        assert name not in self.answers, name
        status, headers, data = self.request(method, path, body, **options)
        self.answers[name] = shapes.answer(name, status, headers, data, self.home, raw)
        try:
            return json.loads(data)
        except ValueError:
            return data

    def create(self, name, body=None, step=None, **more):
        """A container of busybox without a network."""
        config = {"Image": "busybox:latest", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "none"}, **(body or {}), **more}
        return self.step(step or f"create {name}", "POST", "/containers/create" + query(name=name), config)

    def wait_exit(self, name):
        self.request("POST", f"/containers/{name}/wait")

    # --- the groups --------------------------------------------------------------------------------------------
    def system(self):
        s = self.step
        s("ping", "GET", "/_ping", version=None)
        s("ping head", "HEAD", "/_ping", version=None)
        s("unknown path", "GET", "/nothing")
        s("wrong method", "POST", "/info")
        s("version too old", "GET", "/version", version="1.1")
        s("version too new", "GET", "/containers/json", version="9.99")
        s("auth without body", "POST", "/auth", {})
        s("events bad filter", "GET", "/events" + query(filters={"nothing": ["x"]}, until=1))
        s("events bad since", "GET", "/events" + query(since="yesterday", until=1))
        s("events since after until", "GET", "/events" + query(since=10, until=5))
        s("events bad json filter", "GET", "/events" + query(filters="{", until=1))
        for version in (*OLD_VERSIONS, NEWEST):
            s(f"version {version}", "GET", "/version", version=version)
            s(f"info {version}", "GET", "/info", version=version)
        s("df empty", "GET", "/system/df")

    def create_errors(self):
        """Bodies that are refused, with the words."""
        def refused(name, body=None, path="/containers/create", **options):
            self.step(f"create: {name}", "POST", path, body, **options)
        image = {"Image": "busybox:latest"}
        refused("no body")
        refused("empty object", {})
        refused("broken json", '{"Image": ', headers={"Content-Type": "application/json"})
        refused("wrong content type", '{}', headers={"Content-Type": "text/plain"})
        refused("no content type", '{"Image":"busybox"}')
        refused("wrong type", {"Image": 5})
        refused("array", [1])
        refused("trailing bytes", '{"Image":"busybox:latest","HostConfig":{"NetworkMode":"none"}} {}', headers={"Content-Type": "application/json"})
        refused("no such image", {"Image": "nothing:here"})
        refused("bad reference", {"Image": "UPPER"})
        refused("bad name", image, "/containers/create?name=-bad")
        refused("short name", image, "/containers/create?name=a")
        refused("bad platform", image, "/containers/create?name=pp&platform=what/ever/is/this")
        refused("other platform", image, "/containers/create?name=pp&platform=linux/s390x")
        def config(name, **fields):
            refused(name, {**image, **fields}, "/containers/create?name=refused")
            self.request("DELETE", "/containers/refused?force=1&v=1")
        def host(name, **fields):
            config(name, HostConfig=fields)
        config("hostname too long", Hostname="h" * 70)
        config("relative working directory", WorkingDir="relative")
        config("bad stop signal", StopSignal="SIGNOTHING")
        config("bad env", Env=["=x"])
        config("bad port", ExposedPorts={"http/tcp": {}})
        config("health interval", Healthcheck={"Test": ["CMD", "true"], "Interval": 5})
        config("health retries", Healthcheck={"Test": ["CMD", "true"], "Retries": -1})
        config("health word", Healthcheck={"Test": ["WHAT", "true"]})
        config("volume root", Volumes={"/": {}})
        config("bad mac", MacAddress="nonsense")
        config("negative stop timeout", StopTimeout=-5)
        host("little memory", Memory=1000)
        host("swap without memory", MemorySwap=100 << 20)
        host("swap below memory", Memory=100 << 20, MemorySwap=50 << 20)
        host("swappiness", MemorySwappiness=200)
        host("reservation", Memory=100 << 20, MemoryReservation=200 << 20)
        host("nano cpus and quota", NanoCpus=10**9, CpuQuota=5000)
        host("many cpus", NanoCpus=10**15)
        host("cpu period", CpuPeriod=10)
        host("cpu quota", CpuQuota=10)
        host("cpuset", CpusetCpus="900")
        host("cpuset words", CpusetCpus="a-b")
        host("cpuset mems", CpusetMems="900")
        host("blkio weight", BlkioWeight=5)
        host("oom score", OomScoreAdj=2000)
        host("shm", ShmSize=-1)
        host("restart policy", RestartPolicy={"Name": "sometimes"})
        host("restart count", RestartPolicy={"Name": "always", "MaximumRetryCount": 3})
        host("restart negative", RestartPolicy={"Name": "on-failure", "MaximumRetryCount": -3})
        host("auto remove and restart", AutoRemove=True, RestartPolicy={"Name": "always"})
        host("pid mode", PidMode="what")
        host("pid container", PidMode="container:nobody")
        host("ipc mode", IpcMode="what")
        host("uts mode", UTSMode="what")
        host("userns mode", UsernsMode="what")
        host("cgroupns mode", CgroupnsMode="what")
        host("network container", NetworkMode="container:nobody")
        host("network host and ports", NetworkMode="host", PortBindings={"80/tcp": [{"HostPort": "1"}]})
        host("uts host and hostname", UTSMode="host")
        host("bad port binding", PortBindings={"80/tcp": [{"HostPort": "abc"}]})
        host("bad port key", PortBindings={"nonsense": [{"HostPort": "1"}]})
        host("port out of range", PortBindings={"80/tcp": [{"HostPort": "70000"}]})
        host("bind relative", Binds=["a/b:/c"])
        host("bind to root", Binds=["/tmp:/"])
        host("bind duplicate", Binds=["/tmp:/c", "/var:/c"])
        host("bind mode", Binds=["/tmp:/c:what"])
        host("bind parts", Binds=["a:b:c:d"])
        host("volume name", Binds=["a b:/c"])
        host("mount type", Mounts=[{"Type": "what", "Target": "/c"}])
        host("mount no target", Mounts=[{"Type": "volume", "Source": "vv"}])
        host("mount no source", Mounts=[{"Type": "bind", "Target": "/c"}])
        host("mount missing source", Mounts=[{"Type": "bind", "Source": "/no/such/path", "Target": "/c"}])
        host("mount relative", Mounts=[{"Type": "volume", "Source": "vv", "Target": "c"}])
        host("mount wrong options", Mounts=[{"Type": "bind", "Source": "/tmp", "Target": "/c", "VolumeOptions": {"NoCopy": True}}])
        host("tmpfs with source", Mounts=[{"Type": "tmpfs", "Source": "x", "Target": "/c"}])
        host("tmpfs option", Tmpfs={"/c": "what=3"})
        host("volumes from", VolumesFrom=["nobody"])
        host("volumes from mode", VolumesFrom=["nobody:what"])
        host("volume driver", VolumeDriver="nothing", Binds=["vd:/c"])
        host("cap add", CapAdd=["NOTHING"])
        host("cap drop", CapDrop=["NOTHING"])
        host("security option", SecurityOpt=["what=ever"])
        host("seccomp", SecurityOpt=["seccomp={"])
        host("sysctl", Sysctls={"kernel.what": "1"})
        host("ulimit", Ulimits=[{"Name": "nofile", "Soft": 20, "Hard": 10}])
        host("ulimit name", Ulimits=[{"Name": "what", "Soft": 20, "Hard": 20}])
        host("extra host", ExtraHosts=["nonsense"])
        host("dns", Dns=["nonsense"])
        host("dns search", DnsSearch=["-bad-"])
        host("link", Links=["nobody:x"])
        host("link form", Links=["a:b:c"])
        host("log driver", LogConfig={"Type": "what"})
        host("log option", LogConfig={"Type": "json-file", "Config": {"what": "1"}})
        host("log size", LogConfig={"Type": "json-file", "Config": {"max-size": "abc"}})
        host("log file", LogConfig={"Type": "json-file", "Config": {"max-file": "abc"}})
        host("runtime", Runtime="what")
        host("isolation", Isolation="hyperv")
        host("storage option", StorageOpt={"what": "1"})
        host("device mode", Devices=[{"PathOnHost": "/dev/null", "PathInContainer": "/dev/n", "CgroupPermissions": "xyz"}])
        host("device rule", DeviceCgroupRules=["nonsense"])
        host("device request", DeviceRequests=[{"Driver": "what", "Count": 1}])
        host("console size", ConsoleSize=[1, 2])
        host("group add", GroupAdd=[""])
        host("cgroup parent", CgroupParent="a.slice")
        host("cgroup", Cgroup="what")
        host("cpu count", CpuCount=1)
        host("cpu percent", CpuPercent=1)
        host("io maximum", IOMaximumIOps=1, IOMaximumBandwidth=1)
        host("privileged and userns", Privileged=True)
        refused("two networks", {**image, "NetworkingConfig": {"EndpointsConfig": {"a": {}, "b": {}}}}, "/containers/create?name=refused")
        refused("address on bridge", {**image, "NetworkingConfig": {"EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": "172.17.0.9"}}}}},
                "/containers/create?name=refused")
        self.request("DELETE", "/containers/refused?force=1")
        for row in self.request_json("GET", "/containers/json?all=1"):
            self.request("DELETE", f"/containers/{row['Id']}?force=1&v=1")
        for row in self.request_json("GET", "/volumes")["Volumes"] or []:
            self.request("DELETE", f"/volumes/{row['Name']}")

    def request_json(self, method, path):
        return json.loads(self.request(method, path)[2])

    def life(self):
        """One container from create to remove, with every question that can be asked of it, in every state."""
        s, name = self.step, "life"
        path = f"/containers/{name}"
        self.create(name, {"Labels": {"a": "b"}, "Hostname": "host1", "ExposedPorts": {"80/tcp": {}}, "Env": ["X=1"],
                           "StopSignal": "SIGKILL"})
        self.create(name, step="create again")
        self.questions("created")
        s("start", "POST", f"{path}/start")
        s("start again", "POST", f"{path}/start")
        s("start with a body", "POST", f"{path}/start", {"Binds": ["/a:/b"]})
        self.questions("running")
        s("rename", "POST", f"{path}/rename?name=life2")
        s("rename back", "POST", "/containers/life2/rename?name=life")
        s("rename to itself", "POST", f"{path}/rename?name=life")
        s("rename to nothing", "POST", f"{path}/rename?name=")
        s("rename bad", "POST", f"{path}/rename?name=-x")
        s("pause", "POST", f"{path}/pause")
        self.questions("paused")
        s("pause again", "POST", f"{path}/pause")
        s("start paused", "POST", f"{path}/start")
        s("exec paused", "POST", f"{path}/exec", {"Cmd": ["true"]})
        s("attach paused", "POST", f"{path}/attach?stream=1&stdout=1")
        s("unpause", "POST", f"{path}/unpause")
        s("unpause again", "POST", f"{path}/unpause")
        s("update", "POST", f"{path}/update", {"CpuShares": 512, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}})
        s("update little memory", "POST", f"{path}/update", {"Memory": 1000})
        s("update bad policy", "POST", f"{path}/update", {"RestartPolicy": {"Name": "what"}})
        s("update nothing", "POST", f"{path}/update", {})
        s("resize", "POST", f"{path}/resize?h=10&w=20")
        s("resize bad", "POST", f"{path}/resize?h=x&w=20")
        s("kill bad signal", "POST", f"{path}/kill?signal=WHAT")
        s("kill zero", "POST", f"{path}/kill?signal=0")
        s("kill 0 number", "POST", f"{path}/kill?signal=SIGCONT")
        s("remove running", "DELETE", path)
        s("wait bad condition", "POST", f"{path}/wait?condition=what", timeout=1)
        s("restart", "POST", f"{path}/restart?t=0")
        s("restart bad time", "POST", f"{path}/restart?t=x")
        s("stop bad time", "POST", f"{path}/stop?t=x")
        s("stop", "POST", f"{path}/stop?t=0")
        s("stop again", "POST", f"{path}/stop")
        self.questions("exited")
        s("wait exited", "POST", f"{path}/wait")
        s("kill exited", "POST", f"{path}/kill")
        s("pause exited", "POST", f"{path}/pause")
        s("unpause exited", "POST", f"{path}/unpause")
        s("exec exited", "POST", f"{path}/exec", {"Cmd": ["true"]})
        s("resize exited", "POST", f"{path}/resize?h=10&w=20")
        s("remove link", "DELETE", f"{path}?link=1")
        s("remove", "DELETE", path)
        s("remove again", "DELETE", path)

    def questions(self, state):
        """What can be read of the container "life"."""
        s, path = self.step, "/containers/life"
        for version in (*OLD_VERSIONS, NEWEST) if state == "running" else (NEWEST,):
            s(f"inspect {state} {version}", "GET", f"{path}/json", version=version)
            s(f"list {state} {version}", "GET", "/containers/json?all=1", version=version)
        s(f"inspect size {state}", "GET", f"{path}/json?size=1")
        s(f"list size {state}", "GET", "/containers/json?all=1&size=1")
        s(f"top {state}", "GET", f"{path}/top?ps_args=-o%20pid,comm")
        if state != "paused":
            s(f"changes {state}", "GET", f"{path}/changes")
        s(f"logs {state}", "GET", f"{path}/logs?stdout=1&stderr=1", raw="frames")
        s(f"stats {state}", "GET", f"{path}/stats?stream=0&one-shot=1")
        s(f"archive head {state}", "HEAD", f"{path}/archive?path=/etc/passwd")

    def missing(self):
        """Every endpoint that names a container or an exec, with a name that nobody has."""
        for method, tail in (("GET", "json"), ("GET", "top"), ("GET", "logs?stdout=1"), ("GET", "changes"), ("GET", "export"),
                             ("GET", "stats?stream=0"), ("POST", "resize?h=1&w=1"), ("POST", "start"), ("POST", "stop"),
                             ("POST", "restart"), ("POST", "kill"), ("POST", "rename?name=x1"), ("POST", "pause"), ("POST", "unpause"),
                             ("POST", "attach?stream=1&stdout=1"), ("GET", "attach/ws?stream=1&stdout=1"), ("POST", "wait"),
                             ("HEAD", "archive?path=/"), ("GET", "archive?path=/"), ("PUT", "archive?path=/")):
            self.step(f"missing {method} {tail}", method, f"/containers/nobody/{tail}")
        self.step("missing update", "POST", "/containers/nobody/update", {})
        self.step("missing exec", "POST", "/containers/nobody/exec", {"Cmd": ["x"]})
        self.step("missing remove", "DELETE", "/containers/nobody")
        self.step("missing exec inspect", "GET", "/exec/nobody/json")
        self.step("missing exec start", "POST", "/exec/nobody/start", {"Detach": True})
        self.step("missing exec resize", "POST", "/exec/nobody/resize?h=1&w=1")
        self.step("missing commit", "POST", "/commit?container=nobody", {})
        self.step("missing checkpoint list", "GET", "/containers/nobody/checkpoints")
        self.step("missing image inspect", "GET", "/images/nobody/json")
        self.step("missing network inspect", "GET", "/networks/nobody")
        self.step("missing volume inspect", "GET", "/volumes/nobody")

    def plain_inspect(self):
        """What a container without any wish gets; one with many wishes; on the default network."""
        s = self.step
        s("create plain", "POST", "/containers/create?name=plain", {"Image": "busybox:latest"})
        s("inspect plain", "GET", "/containers/plain/json")
        s("create full", "POST", "/containers/create?name=full", {
            "Image": "busybox:latest", "Cmd": ["sleep", "1000"], "Entrypoint": [], "Domainname": "example.org", "User": "1:1", "Tty": True, "OpenStdin": True,
            "StopTimeout": 5, "Volumes": {"/anonymous": {}}, "Shell": ["sh"], "OnBuild": [], "WorkingDir": "/tmp",
            "Healthcheck": {"Test": ["CMD", "true"], "Interval": 10**9},
            "HostConfig": {
                "Binds": ["/etc:/bound:ro", "named:/named"], "CapAdd": ["NET_ADMIN", "cap_sys_time"], "CapDrop": ["MKNOD"], "Dns": ["1.1.1.1"],
                "ExtraHosts": ["x:1.2.3.4"], "GroupAdd": ["5"], "Tmpfs": {"/scratch": "size=1m"}, "Sysctls": {"net.ipv4.ip_forward": "1"},
                "Memory": 100 << 20, "PidsLimit": 0, "ReadonlyRootfs": True, "Init": False, "OomScoreAdj": 5, "IpcMode": "shareable",
                "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}], "PortBindings": {"80/tcp": [{"HostPort": ""}]},
                "Mounts": [{"Type": "volume", "Target": "/mounted"}, {"Type": "tmpfs", "Target": "/t2"}], "RestartPolicy": {"Name": "no"},
                "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/n2", "CgroupPermissions": "rw"}], "StorageOpt": {}}})
        s("inspect full", "GET", "/containers/full/json")
        s("start full", "POST", "/containers/full/start")
        for version in (*OLD_VERSIONS, NEWEST):
            s(f"inspect full running {version}", "GET", "/containers/full/json", version=version)
        s("list full running", "GET", "/containers/json")
        s("list limit", "GET", "/containers/json?limit=1")
        s("list bad limit", "GET", "/containers/json?limit=x")
        s("df", "GET", "/system/df")
        s("df old", "GET", "/system/df", version="1.25")
        s("network of full", "GET", "/networks/bridge")
        s("create user network", "POST", "/networks/create", {"Name": "own"})
        s("connect", "POST", "/networks/own/connect", {"Container": "full", "EndpointConfig": {"Aliases": ["al"]}})
        s("inspect connected", "GET", "/containers/full/json")
        s("connect again", "POST", "/networks/own/connect", {"Container": "full"})
        s("disconnect", "POST", "/networks/own/disconnect", {"Container": "full"})
        s("disconnect again", "POST", "/networks/own/disconnect", {"Container": "full"})
        s("stop full", "POST", "/containers/full/stop?t=0")
        s("inspect full stopped", "GET", "/containers/full/json")
        s("remove full", "DELETE", "/containers/full?v=1")
        s("remove plain", "DELETE", "/containers/plain")
        self.request("DELETE", "/networks/own")
        self.request("DELETE", "/volumes/named")

    def filters(self):
        s = self.step
        self.create("one", {"Labels": {"k": "v"}, "ExposedPorts": {"80/tcp": {}}})
        self.create("two", {"Labels": {"k": "w"}})
        self.request("POST", "/containers/one/start")
        def ask(name, /, all="1", **filters):
            found = s(f"filter {name}", "GET", "/containers/json" + query(all=all, filters=filters))
            if isinstance(found, list):  # the rows themselves are compared elsewhere
                self.answers[f"filter {name}"]["body"] = [row["Names"] for row in found]
        ask("label", label=["k"])
        ask("label value", label=["k=v"])
        ask("two labels", label=["k=v", "k=w"])
        ask("name", name=["on"])
        ask("name anchored", name=["^/one$"])
        ask("name anchored without slash", name=["^one$"])
        ask("name bad pattern", name=["("])
        ask("status", status=["running"])
        ask("status created", status=["created", "running"])
        ask("status bad", status=["what"])
        ask("status alone", all="0", status=["created"])
        ask("exited", exited=["0"])
        ask("exited bad", exited=["x"])
        ask("health", health=["none"])
        ask("health bad", health=["what"])
        ask("ancestor", ancestor=["busybox"])
        ask("ancestor other", ancestor=["nothing"])
        ask("before", before=["two"])
        ask("since", since=["one"])
        ask("since nobody", since=["nobody"])
        ask("expose", expose=["80"])
        ask("expose range", expose=["70-90/tcp"])
        ask("expose bad", expose=["x"])
        ask("publish", publish=["80"])
        ask("network", network=["none"])
        ask("network nobody", network=["what"])
        ask("volume", volume=["/nothing"])
        ask("is-task", **{"is-task": ["true"]})
        ask("is-task false", **{"is-task": ["false"]})
        ask("is-task bad", **{"is-task": ["x"]})
        ask("isolation", isolation=["default"])
        ask("unknown", what=["x"])
        ask("map form", label={"k=v": True})
        ask("map form off", label={"k=v": False})
        s("filter not json", "GET", "/containers/json?filters=what")
        s("filter list", "GET", "/containers/json" + query(filters="[]"))
        s("prune bad filter", "POST", "/containers/prune" + query(filters={"what": ["x"]}))
        s("prune bad until", "POST", "/containers/prune" + query(filters={"until": ["x"]}))
        s("prune nothing", "POST", "/containers/prune" + query(filters={"label": ["nothing"]}))
        s("prune", "POST", "/containers/prune")
        s("build prune", "POST", "/build/prune")
        self.request("DELETE", "/containers/one?force=1")

    def processes(self):
        """Exec, top, logs, attach, wait."""
        s = self.step
        self.create("proc", {"Cmd": ["sh", "-c", "echo out; echo err >&2; exec sleep 1000"]})
        s("exec created", "POST", "/containers/proc/exec", {"Cmd": ["true"]})
        self.request("POST", "/containers/proc/start")
        time.sleep(0.3)
        s("exec no command", "POST", "/containers/proc/exec", {})
        s("exec no body", "POST", "/containers/proc/exec")
        s("exec bad json", "POST", "/containers/proc/exec", "{", headers={"Content-Type": "application/json"})
        def execute(name, start=None, **fields):
            answer = s(f"exec {name}", "POST", "/containers/proc/exec", {"AttachStdout": True, "AttachStderr": True, **fields})
            ident = answer.get("Id", "nothing")
            s(f"exec inspect before {name}", "GET", f"/exec/{ident}/json")
            s(f"exec start {name}", "POST", f"/exec/{ident}/start", start or {}, raw="frames" if not fields.get("Tty") else None)
            for _ in range(100):
                if not self.request_json("GET", f"/exec/{ident}/json").get("Running"):
                    break
                time.sleep(0.02)
            s(f"exec inspect after {name}", "GET", f"/exec/{ident}/json")
            return ident
        first = execute("echo", Cmd=["sh", "-c", "echo hello; echo bad >&2; exit 3"])
        s("exec start twice", "POST", f"/exec/{first}/start", {})
        s("exec resize ended", "POST", f"/exec/{first}/resize?h=1&w=1")
        execute("tty", Cmd=["sh", "-c", "echo hello"], Tty=True, start={"Tty": True})
        execute("detached", Cmd=["true"], start={"Detach": True})
        execute("missing program", Cmd=["no-such-program"])
        execute("user", Cmd=["id", "-u"], User="1000")
        execute("bad user", Cmd=["id"], User="nobody-here")
        execute("env", Cmd=["sh", "-c", "echo $A; pwd"], Env=["A=1"], WorkingDir="/tmp", Privileged=True, DetachKeys="ctrl-a")
        s("exec bad keys", "POST", "/containers/proc/exec", {"Cmd": ["true"], "DetachKeys": "what"})
        s("inspect with execs", "GET", "/containers/proc/json")
        for arguments in ("", "?ps_args=aux", "?ps_args=-o%20pid", "?ps_args=-o%20comm", "?ps_args=--nonsense"):
            s(f"top {arguments}", "GET", f"/containers/proc/top{arguments}")
            body = self.answers[f"top {arguments}"]["body"]
            if "Processes" in body:
                body["Processes"] = len(body["Processes"])
        for arguments in ("", "?stdout=1", "?stderr=1", "?stdout=1&stderr=1&timestamps=1", "?stdout=1&tail=0", "?stdout=1&tail=x", "?stdout=1&since=x",
                          "?stdout=1&until=1", "?stdout=1&since=1&details=1"):
            s(f"logs {arguments}", "GET", f"/containers/proc/logs{arguments}", raw="frames")
        s("attach without upgrade", "POST", "/containers/proc/attach?logs=1&stdout=1&stderr=1", raw="frames")
        s("attach bad keys", "POST", "/containers/proc/attach?logs=1&stdout=1&detachKeys=what")
        s("attach upgrade", "POST", "/containers/proc/attach?stream=1&stdout=1", headers={"Upgrade": "tcp", "Connection": "Upgrade"})
        s("stats", "GET", "/containers/proc/stats?stream=0")
        s("stats one shot", "GET", "/containers/proc/stats?stream=0&one-shot=1")
        s("stats both", "GET", "/containers/proc/stats?stream=1&one-shot=1")
        s("checkpoint list", "GET", "/containers/proc/checkpoints")
        s("checkpoint create", "POST", "/containers/proc/checkpoints", {"CheckpointID": "c1"})
        s("websocket without upgrade", "GET", "/containers/proc/attach/ws?stream=1&stdout=1")
        s("kill", "POST", "/containers/proc/kill")
        self.wait_exit("proc")
        s("inspect killed", "GET", "/containers/proc/json")
        s("top exited", "GET", "/containers/proc/top")
        s("remove proc", "DELETE", "/containers/proc")
        self.create("bad", {"Cmd": ["no-such-program"]})
        s("start bad", "POST", "/containers/bad/start")
        s("inspect bad", "GET", "/containers/bad/json")
        s("remove bad", "DELETE", "/containers/bad")
        self.create("denied", {"Cmd": ["/etc/passwd"]})
        s("start denied", "POST", "/containers/denied/start")
        self.request("DELETE", "/containers/denied")
        self.create("nodir", {"User": "nobody-here"})
        s("start bad user", "POST", "/containers/nodir/start")
        self.request("DELETE", "/containers/nodir")
        self.create("nonet", {"HostConfig": {"NetworkMode": "nonet"}})
        s("start no network", "POST", "/containers/nonet/start")
        self.request("DELETE", "/containers/nonet")
        self.create("short", {"Cmd": ["sh", "-c", "exit 5"], "HostConfig": {"NetworkMode": "none", "AutoRemove": True}})
        s("start short", "POST", "/containers/short/start")

    def files(self):
        """Archive, export, changes, commit."""
        s = self.step
        self.create("files", {"Cmd": ["sh", "-c", "mkdir /d; echo x > /d/f; ln -s f /d/l; chmod 4755 /d/f; rm /etc/group; mkfifo /d/p"]})
        self.request("POST", "/containers/files/start")
        self.wait_exit("files")
        s("changes", "GET", "/containers/files/changes")
        for path in ("/d", "/d/", "/d/.", "/d/f", "/d/l", "/d/p", "/", "/tmp", "/nothing", "/d/f/", "/dev/null", "d", ""):
            s(f"archive head {path}", "HEAD", "/containers/files/archive" + query(path=path))
            if path != "/":
                s(f"archive get {path}", "GET", "/containers/files/archive" + query(path=path), raw="tar")
        s("archive without path", "GET", "/containers/files/archive")
        s("archive put without path", "PUT", "/containers/files/archive", b"")
        def tar(*members):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w") as archive:
                for name, kind in members:
                    info = tarfile.TarInfo(name)
                    info.type = kind
                    archive.addfile(info)
            return out.getvalue()
        file, directory = tarfile.REGTYPE, tarfile.DIRTYPE
        s("archive put", "PUT", "/containers/files/archive?path=/tmp", tar(("new", file)))
        s("archive put missing", "PUT", "/containers/files/archive?path=/nothing", tar(("new", file)))
        s("archive put to file", "PUT", "/containers/files/archive?path=/etc/passwd", tar(("new", file)))
        s("archive put over dir", "PUT", "/containers/files/archive?path=/&noOverwriteDirNonDir=1", tar(("d", file)))
        s("archive put dir over file", "PUT", "/containers/files/archive?path=/etc&noOverwriteDirNonDir=1", tar(("passwd", directory)))
        s("archive put nonsense", "PUT", "/containers/files/archive?path=/tmp", b"nonsense" * 100)
        self.create("readonly", {"HostConfig": {"NetworkMode": "none", "ReadonlyRootfs": True}})
        s("archive put read-only", "PUT", "/containers/readonly/archive?path=/tmp", tar(("new", file)))
        s("remove readonly", "DELETE", "/containers/readonly")
        s("commit", "POST", "/commit" + query(container="files", repo="made", tag="one", comment="words", author="me",
                                              changes='CMD ["x"]\nENV A=b\nEXPOSE 80\nLABEL l=m\nUSER 5\nVOLUME /v\nWORKDIR /w\nONBUILD RUN y\n'
                                                      'STOPSIGNAL 9\nSHELL ["/bin/x"]\nHEALTHCHECK CMD true\nENTRYPOINT ["e"]'), {})
        s("inspect committed", "GET", "/images/made:one/json")
        s("commit body", "POST", "/commit" + query(container="files", repo="made", tag="two"),
          {"Cmd": ["a"], "Healthcheck": {"Test": ["CMD", "b"], "Interval": 10**9}, "OnBuild": ["RUN c"], "Shell": ["/d"], "Labels": {"e": "f"},
           "Env": ["G=h"], "User": "i", "WorkingDir": "/j", "ExposedPorts": {"1/tcp": {}}, "Volumes": {"/k": {}}, "StopSignal": "SIGINT",
           "Entrypoint": ["l"], "Hostname": "m"})
        s("inspect committed body", "GET", "/images/made:two/json")
        s("commit bad instruction", "POST", "/commit" + query(container="files", changes="RUN x"), {})
        s("commit unknown instruction", "POST", "/commit" + query(container="files", changes="WHAT x"), {})
        s("commit bad reference", "POST", "/commit" + query(container="files", repo="UPPER"), {})
        s("commit no container", "POST", "/commit", {})
        s("remove files", "DELETE", "/containers/files")
        self.request("DELETE", "/images/made:one")
        self.request("DELETE", "/images/made:two")

    def events(self):
        """What is told of one container's life, and the filters of it."""
        s = self.step
        begin = time.time() - 0.001
        s("create told", "POST", "/containers/create?name=told", {
            "Image": "busybox:latest", "Cmd": ["sleep", "1000"], "Labels": {"tell": "me"},
            "HostConfig": {"Binds": ["vol:/v"]}})
        self.request("POST", "/containers/told/start")
        ident = self.step("exec told", "POST", "/containers/told/exec", {"Cmd": ["sh", "-c", "true"], "AttachStdout": True})["Id"]
        self.request("POST", f"/exec/{ident}/start", {})
        self.request("GET", "/containers/told/top")
        self.request("GET", "/containers/told/archive?path=/etc/passwd")
        self.request("POST", "/containers/told/rename?name=told2")
        self.request("POST", "/containers/told2/rename?name=told")
        self.request("POST", "/containers/told/pause")
        self.request("POST", "/containers/told/unpause")
        self.request("POST", "/containers/told/update", {"CpuShares": 100})
        self.request("POST", "/containers/told/kill?signal=CONT")
        self.request("POST", "/containers/told/restart?t=0")
        self.request("GET", "/containers/told/export")
        self.request("POST", "/containers/told/stop?t=0")
        self.request("POST", "/commit?container=told&repo=told", {})
        self.request("POST", "/images/told/tag?repo=told&tag=more")
        self.request("DELETE", "/images/told:more")
        self.request("DELETE", "/images/told")
        self.request("DELETE", "/containers/told")
        self.request("DELETE", "/volumes/vol")
        time.sleep(0.3)
        end = time.time()
        window = {"since": f"{begin:.6f}", "until": f"{end:.6f}"}
        s("events", "GET", "/events" + query(**window))
        for name, filters in {"container": {"container": ["told"]}, "type": {"type": ["volume"]}, "event": {"event": ["start"]},
                              "exec": {"event": ["exec_create"]}, "image": {"image": ["busybox"]}, "image tag": {"image": ["busybox:latest"]},
                              "image type": {"type": ["image"]}, "label": {"label": ["tell=me"]}, "label other": {"label": ["tell=you"]},
                              "volume": {"volume": ["vol"]}, "network": {"network": ["bridge"]}, "daemon": {"daemon": ["x"]},
                              "scope": {"scope": ["local"], "event": ["create"]}, "scope swarm": {"scope": ["swarm"]}, "plugin": {"plugin": ["x"]},
                              "node": {"node": ["x"]}, "service": {"service": ["x"]}}.items():
            s(f"events by {name}", "GET", "/events" + query(**window, filters=filters))
            self.answers[f"events by {name}"]["body"] = [
                f"{e['Type']} {e['Action']}" for e in self.answers[f"events by {name}"].get("body", {}).get("stream", [])]

    GROUPS = ("system", "create_errors", "life", "missing", "plain_inspect", "filters", "processes", "files", "events")

    def run(self, group):
        self.answers = {}
        getattr(self, group)()
        return self.answers
