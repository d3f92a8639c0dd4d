"""Clients at once do random things to containers; every answer is compared with a model, and nothing is left behind.

The model of a container is the set of states that it can be in. An answer is right when one of them explains it, and
leaves those that do. A client's own containers are known exactly; one that everybody touches can be in any state, so
that its answers are only checked for being legal ones.

SAMPAN_MODEL_OPERATIONS counts operations (20000 is the full run), SAMPAN_MODEL_SECONDS ends it earlier, and
SAMPAN_MODEL_SEED repeats each client's choices.
"""
import collections
import dataclasses
import json
import os
import random
import re
import threading
import time
import urllib.parse

import pytest

from support import UnixConnection, census, census_difference, sweep, wait_for

CLIENTS = 8
SLOTS = 4   # containers of one client
SHARED = 3  # containers of everybody
OPERATIONS = int(os.environ.get("SAMPAN_MODEL_OPERATIONS", "3000"))
SECONDS = float(os.environ.get("SAMPAN_MODEL_SECONDS", "40" if "SAMPAN_MODEL_OPERATIONS" not in os.environ else "3600"))
SEED = int(os.environ.get("SAMPAN_MODEL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)

# What runs in a container, and how it ends: by itself, on a polite signal, or only by force.
KINDS = {
    "deaf": ("echo up; exec sleep 1000", {137}),
    "polite": ("trap 'exit 3' TERM; echo up; sleep 1000 & wait", {3, 137}),  # 137: the signal came before the trap
    "brief": ("echo up; exit 7", {7, 137}),
}
ANY = frozenset({"absent", "created", "running", "paused", "exited"})


@dataclasses.dataclass
class Model:
    """What a client knows of one container."""
    name: str
    kind: str = "deaf"
    owned: bool = True
    states: frozenset = frozenset({"absent"})
    ident: str = ""
    shares: int = 0
    starts: int = 0
    trail: collections.deque = dataclasses.field(default_factory=lambda: collections.deque(maxlen=25))

    @property
    def started(self):
        return frozenset({"running", "exited"}) if self.kind == "brief" else frozenset({"running"})

    def lapse(self):
        """Time passes: what ends by itself may have ended, and other clients may have done anything."""
        if not self.owned:
            self.states = ANY
        elif self.kind == "brief" and self.states & {"running", "paused"}:  # it was past its end when it was frozen
            self.states |= {"exited"}

    def explain(self, what, status, rules):
        """`rules` maps a state to the statuses it allows, each with the states that follow."""
        self.lapse()
        after = set()
        if not self.owned and status in (404, 409):  # somebody else is removing it, or has
            after = set(ANY)
        for state in self.states:
            following = rules.get(state, {}).get(status)
            if following is None and self.kind == "brief" and state == "running":  # its end is under way
                following = rules.get("exited", {}).get(status) and {"running", "exited"}
            if following is not None:
                after |= {state} if following == "same" else following
        self.trail.append(f"{what} -> {status} {sorted(self.states)}")
        assert after, f"{what} of {self.name} ({self.kind}) answered {status} in {sorted(self.states)}:\n  " + "\n  ".join(self.trail)
        self.states = frozenset(after)
        self.lapse()


SAME = "same"
ABSENT = {"absent": {404: SAME}}


class Client:
    def __init__(self, daemon, number, budget):
        self.thread = threading.Thread(target=self.work)
        self.daemon_socket, self.number, self.budget = daemon.socket, number, budget
        self.rng = random.Random(f"{SEED}/{number}")
        self.own = [Model(f"m{number}-{slot}") for slot in range(SLOTS)]
        self.shared = [Model(f"shared-{index}", owned=False, states=ANY) for index in range(SHARED)]
        self.connection = None
        self.renames = self.done = 0
        self.failure = None
        self.counts = collections.Counter()

    # --- the wire ---
    def call(self, method, path, body=None):
        if self.connection is None:
            self.connection = UnixConnection(self.daemon_socket, 60)
        self.connection.request(method, path, body=None if body is None else json.dumps(body),
                                headers={"Content-Type": "application/json"} if body is not None else {})
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.will_close:
            self.connection.close()
            self.connection = None
        assert answer.status < 500, f"{method} {path}: {answer.status} {data[:500]!r}"
        return answer.status, data

    def json(self, method, path, body=None):
        status, data = self.call(method, path, body)
        return status, json.loads(data) if data.strip() else None

    # --- operations: each is one request, or the few that belong together ---
    def create(self, c):
        c.lapse()
        kind = self.rng.choice(list(KINDS)) if c.owned else "deaf"
        body = {"Image": "busybox", "Cmd": ["sh", "-c", KINDS[kind][0]], "Labels": {"client": str(self.number) if c.owned else "all"},
                "HostConfig": {"NetworkMode": self.rng.choice(["none", "none", "bridge", "host"])}}
        if self.rng.random() < 0.2:
            body["Volumes"] = {"/v": {}}
        if body["HostConfig"]["NetworkMode"] == "bridge":
            body["ExposedPorts"] = {"80/tcp": {}}
            body["HostConfig"]["PortBindings"] = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
        status, answer = self.json("POST", f"/containers/create?name={c.name}", body)
        taken = {state: {409: SAME} for state in ANY - {"absent"}}
        c.explain("create", status, {"absent": {201: {"created"}}, **taken})
        if status == 201:
            c.kind, c.ident, c.shares, c.starts = kind, answer["Id"], 0, 0

    def start(self, c):
        status, _ = self.call("POST", f"/containers/{c.name}/start")
        c.explain("start", status, {**ABSENT, "created": {204: c.started}, "exited": {204: c.started}, "running": {304: SAME}, "paused": {409: SAME}})
        c.starts += status == 204

    def stop(self, c):
        status, _ = self.call("POST", f"/containers/{c.name}/stop?t={1 if c.kind == 'polite' else 0}")
        idle = {304: SAME}
        c.explain("stop", status, {**ABSENT, "created": idle, "exited": idle, "running": {204: {"exited"}}, "paused": {204: {"exited"}}})

    def kill(self, c):
        status, _ = self.call("POST", f"/containers/{c.name}/kill")
        idle = {409: SAME}
        c.explain("kill", status, {**ABSENT, "created": idle, "exited": idle, "running": {204: {"exited"}}, "paused": {204: {"exited"}}})

    def signal(self, c):
        """One that the first process of a container does not get, having no handler for it."""
        status, _ = self.call("POST", f"/containers/{c.name}/kill?signal=USR1")
        idle = {409: SAME}
        c.explain("signal", status, {**ABSENT, "created": idle, "exited": idle, "running": {204: SAME}, "paused": {204: SAME}})

    def pause(self, c):
        status, _ = self.call("POST", f"/containers/{c.name}/pause")
        idle = {409: SAME}
        c.explain("pause", status, {**ABSENT, "created": idle, "exited": idle, "paused": idle, "running": {204: {"paused"}}})

    def unpause(self, c):
        status, _ = self.call("POST", f"/containers/{c.name}/unpause")
        idle = {409: SAME}
        c.explain("unpause", status, {**ABSENT, "created": idle, "exited": idle, "running": idle, "paused": {204: {"running"}}})

    def restart(self, c):
        status, _ = self.call("POST", f"/containers/{c.name}/restart?t={1 if c.kind == 'polite' else 0}")
        # Somebody else's pause or removal can come between its two halves.
        again = {204: c.started} if c.owned else {204: c.started, 409: SAME, 404: SAME}
        c.explain("restart", status, {**ABSENT, "created": again, "exited": again, "running": again, "paused": again})
        c.starts += status == 204

    def rename(self, c):
        if not c.owned:
            return self.inspect(c)
        self.renames += 1
        taken = self.rng.random() < 0.3
        others = [o for o in self.own if o is not c and "absent" not in o.states]
        name = self.rng.choice(others).name if taken and others else f"m{self.number}-r{self.renames}"
        answer = {409: SAME} if taken and others else {204: SAME}
        status, _ = self.call("POST", f"/containers/{c.name}/rename?name={name}")
        c.explain(f"rename to {name}", status, {**ABSENT, **{state: answer for state in ANY - {"absent"}}})
        if status == 204:
            c.name = name

    def update(self, c):
        shares = self.rng.randrange(2, 4096)
        status, _ = self.call("POST", f"/containers/{c.name}/update", {"CpuShares": shares})
        c.explain("update", status, {**ABSENT, **{state: {200: SAME} for state in ANY - {"absent"}}})
        if status == 200:
            c.shares = shares

    def exec(self, c):
        token = f"t{self.rng.randrange(1 << 30)}"
        code = self.rng.randrange(3)
        status, answer = self.json("POST", f"/containers/{c.name}/exec",
                                   {"Cmd": ["sh", "-c", f"echo {token}; exit {code}"], "AttachStdout": True, "AttachStderr": True})
        idle = {409: SAME}
        c.explain("exec", status, {**ABSENT, "created": idle, "exited": idle, "paused": idle, "running": {201: SAME}})
        if status != 201:
            return
        ident = answer["Id"]
        status, data = self.call("POST", f"/exec/{ident}/start", {"Detach": False, "Tty": False})
        c.explain("exec start", status, {**ABSENT, "exited": {409: SAME, 404: SAME}, "paused": idle, "created": idle, "running": {200: SAME}})
        if status != 200 or not c.owned or c.kind == "brief":
            return  # it may have been ended together with its container
        assert data == b"\1\0\0\0\0\0\0" + bytes([len(token) + 1]) + token.encode() + b"\n", (c.name, data, list(c.trail))
        status, state = self.json("GET", f"/exec/{ident}/json")
        assert (status, state["ExitCode"], state["Running"]) == (200, code, False), (c.name, state)

    def rm(self, c):
        force = self.rng.random() < 0.5
        status, _ = self.call("DELETE", f"/containers/{c.name}?v=1&force={int(force)}")
        gone = {204: {"absent"}} if c.owned else {204: {"absent"}, 409: SAME, 404: SAME}  # two removals at once
        busy = gone if force else {409: SAME}
        c.explain(f"rm force={force}", status, {**ABSENT, "created": gone, "exited": gone, "running": busy, "paused": busy})

    def wait(self, c):
        """Only of what ends or has ended: another client's may run for ever."""
        if not c.owned or c.states & {"paused"} or (c.kind != "brief" and "running" in c.states):
            return self.inspect(c)
        status, answer = self.json("POST", f"/containers/{c.name}/wait")
        # Of one that has been removed lately the answer is still known.
        c.explain("wait", status, {"absent": {404: SAME, 200: SAME}, "created": {200: SAME}, "exited": {200: SAME}, "running": {200: {"exited"}}})
        if status == 200 and c.states == {"exited"}:
            assert answer["StatusCode"] in KINDS[c.kind][1], (c.name, answer, list(c.trail))
            if c.kind == "brief":
                c.states = frozenset({"exited"})

    def inspect(self, c):
        status, answer = self.json("GET", f"/containers/{c.name}/json")
        if status == 404:
            return c.explain("inspect", status, ABSENT)
        state = answer["State"]
        if state["Status"] == "removing" and not c.owned:
            return
        c.explain(f"inspect ({state['Status']})", status, {state["Status"]: {200: SAME}})
        if not c.owned:
            return
        what = (c.name, answer["Id"], state, list(c.trail))
        assert answer["Id"] == c.ident and answer["Name"] == f"/{c.name}", what
        assert answer["HostConfig"]["CpuShares"] == c.shares and answer["RestartCount"] == 0, what
        assert (state["Pid"] > 0) == state["Running"] == (state["Status"] in ("running", "paused")), what
        assert state["Paused"] == (state["Status"] == "paused") and not state["Error"] and not state["OOMKilled"], what
        if state["Status"] == "exited":
            assert state["ExitCode"] in KINDS[c.kind][1] and state["FinishedAt"] > state["StartedAt"], what
            if c.kind == "brief":
                c.states = frozenset({"exited"})

    def list(self, c):
        filters = urllib.parse.quote(json.dumps({"label": [f"client={self.number}"]}))
        _, rows = self.json("GET", f"/containers/json?all=1&filters={filters}")
        found = {row["Names"][0][1:]: row["State"] for row in rows}
        for own in self.own:
            own.lapse()
            state = found.pop(own.name, "absent")
            own.trail.append(f"list ({state})")
            assert state in own.states, (own.name, state, sorted(own.states), list(own.trail))
        assert not found, f"nobody made {found}"

    def logs(self, c):
        status, data = self.call("GET", f"/containers/{c.name}/logs?stdout=1&stderr=1")
        c.explain("logs", status, {**ABSENT, **{state: {200: SAME} for state in ANY - {"absent"}}})
        if status != 200 or not c.owned:
            return
        lines = [data[i:i + 11] for i in range(0, len(data), 11)]
        assert set(lines) <= {b"\1\0\0\0\0\0\0\3up\n"} and len(lines) <= c.starts, (c.name, data, c.starts, list(c.trail))

    WEIGHTS = {"create": 14, "start": 16, "stop": 6, "kill": 5, "signal": 3, "pause": 7, "unpause": 7, "restart": 5, "rename": 4, "update": 5,
               "exec": 12, "rm": 9, "wait": 5, "list": 4, "inspect": 8, "logs": 6}

    def work(self):
        verbs, weights = list(self.WEIGHTS), list(self.WEIGHTS.values())
        try:
            while self.budget():
                container = self.rng.choice(self.shared) if self.rng.random() < 0.15 else self.rng.choice(self.own)
                verb = self.rng.choices(verbs, weights)[0]
                getattr(self, verb)(container)
                self.done += 1
                self.counts[verb] += 1
            for container in self.own:
                container.lapse()
                self.inspect(container)
        except Exception as error:  # told by the main thread
            self.failure = error
        finally:
            if self.connection:
                self.connection.close()


class Budget:
    """Operations for all clients together, until the time is up or one of them has failed."""

    def __init__(self, operations, seconds):
        self.left, self.deadline = operations, time.monotonic() + seconds
        self.lock = threading.Lock()
        self.stopped = False

    def __call__(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0 and time.monotonic() < self.deadline and not self.stopped


def threads_and_memory(pid):
    status = open(f"/proc/{pid}/status").read()
    return {key: int(re.search(rf"^{key}:\s+(\d+)", status, re.M).group(1)) for key in ("Threads", "VmRSS")}


# A stop thaws what is frozen without an event, and somebody may freeze it again before it has ended.
LIFE = re.compile(r"c(s(p+u)*p*d)*(x|s(p+u)*p*)?$")  # create, start, pause, unpause, die, destroy; or it is not over yet
LETTERS = {"create": "c", "start": "s", "pause": "p", "unpause": "u", "die": "d", "destroy": "x"}


def check_events(daemon, since):
    """Of each container the events tell a life that can be."""
    filters = urllib.parse.quote(json.dumps({"type": ["container"], "event": list(LETTERS)}))
    _, _, body = daemon.request("GET", f"/events?since={since:.6f}&until={time.time():.6f}&filters={filters}")
    lives = collections.defaultdict(str)
    for line in body.decode().splitlines():
        event = json.loads(line)
        lives[event["Actor"]["ID"]] += LETTERS[event["Action"]]
    assert lives  # the log keeps only so many of the oldest
    wrong = {ident[:12]: life for ident, life in lives.items() if life[0] == "c" and not LIFE.match(life)}
    assert not wrong, wrong


def test_random_operations_of_eight_clients_agree_with_a_model(own_daemon):
    print(f"SAMPAN_MODEL_SEED={SEED}")
    daemon = own_daemon
    for warm in range(2):
        daemon.docker("run", "--rm", "-p", "127.0.0.1:0:80", "busybox", "true")
    before, began = census(daemon), time.time()
    pid = daemon.process.pid
    budget = Budget(OPERATIONS, SECONDS)
    clients = [Client(daemon, number, budget) for number in range(CLIENTS)]
    for client in clients:
        client.thread.start()
    while any(client.thread.is_alive() for client in clients):
        time.sleep(0.1)
        budget.stopped = budget.stopped or any(client.failure for client in clients)
    failures = [f"client {client.number} after {client.done} operations: {client.failure!r}"[:6000] for client in clients if client.failure]
    assert not failures, f"SAMPAN_MODEL_SEED={SEED}\n" + "\n\n".join(failures)
    assert daemon.alive() and daemon.process.pid == pid
    counts = sum((client.counts for client in clients), collections.Counter())
    assert all(counts[verb] for verb in Client.WEIGHTS), counts
    check_events(daemon, began)
    sweep(daemon)
    assert not daemon.shim_pids()
    wait_for(lambda: not census_difference(before, census(daemon)), 10)
    assert not census_difference(before, census(daemon)), f"SAMPAN_MODEL_SEED={SEED}"
    assert json.loads(daemon.request("GET", "/networks/bridge")[2])["Containers"] == {}
    print(sum(counts.values()), "operations in", round(time.time() - began, 1), "s;", threads_and_memory(pid))
