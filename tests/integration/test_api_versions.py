"""What each version of the API (1.42 to 1.51) brought or took away, one request per row: the version before it and the version itself."""
import json

import pytest

BOX = {"Image": "busybox", "Cmd": ["true"]}


def created(daemon, version, body, name="versioned"):
    """(status, answer, inspect with the newest version) of a create; the container is gone afterwards."""
    status, _, data = daemon.request("POST", f"/v{version}/containers/create?name={name}", {**BOX, **body})
    answer = json.loads(data)
    if status != 201:
        return status, answer, None
    facts = daemon.json("GET", f"/v1.51/containers/{name}/json")
    daemon.request("DELETE", f"/containers/{name}?v=1")
    return status, answer, facts


def mount(**spec):
    return {"HostConfig": {"NetworkMode": "none", "Mounts": [spec]}}


# (older version, newer version, the body, what is looked at, its value before, and since).
CREATED = [
    ("1.41", "1.42", {"Tty": True, "HostConfig": {"ConsoleSize": [33, 44]}}, lambda f: f["HostConfig"]["ConsoleSize"], [0, 0], [33, 44]),
    ("1.42", "1.43", {"HostConfig": {"Annotations": {"a": "b"}}}, lambda f: f["HostConfig"].get("Annotations"), None, {"a": "b"}),
    ("1.43", "1.44", {"Healthcheck": {"Test": ["CMD", "true"], "StartInterval": 5_000_000}}, lambda f: f["Config"]["Healthcheck"].get("StartInterval"),
     None, 5_000_000),
    ("1.43", "1.44", mount(Type="bind", Source="/etc", Target="/x", ReadOnly=True, BindOptions={"ReadOnlyNonRecursive": True}),
     lambda f: f["HostConfig"]["Mounts"][0].get("BindOptions", {}).get("ReadOnlyNonRecursive"), None, True),
    ("1.43", "1.44", {"HostConfig": {"NetworkMode": "bridge"}, "NetworkingConfig": {"EndpointsConfig": {"bridge": {"MacAddress": "02:42:ac:11:00:55"}}}},
     lambda f: f["NetworkSettings"]["Networks"]["bridge"]["MacAddress"], "", "02:42:ac:11:00:55"),
    ("1.47", "1.48", {"HostConfig": {"NetworkMode": "bridge"}, "NetworkingConfig": {"EndpointsConfig": {"bridge": {"GwPriority": 7}}}},
     lambda f: f["NetworkSettings"]["Networks"]["bridge"]["GwPriority"], 0, 7),
]


@pytest.mark.parametrize("older, newer, body, look, before, since", CREATED)
def test_a_member_counts_from_its_version_on(daemon, older, newer, body, look, before, since):
    for version, wanted in ((older, before), (newer, since)):
        status, answer, facts = created(daemon, version, body)
        assert status == 201, (version, answer)
        assert look(facts) == wanted, version


# (the last version that refuses, the first that takes it, the body, the refusal's words).
REFUSED_BEFORE = [
    ("1.43", "1.44", mount(Type="bind", Source="/etc", Target="/x", ReadOnly=True, BindOptions={"ReadOnlyForceRecursive": True}),
     "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer"),
    ("1.44", "1.45", mount(Type="volume", Source="vers", Target="/x", VolumeOptions={"Subpath": "a", "NoCopy": True}),
     "VolumeOptions.Subpath needs API v1.45 or newer"),
    ("1.45", "1.46", mount(Type="tmpfs", Target="/x", TmpfsOptions={"Options": [["exec"]]}), "TmpfsOptions.Options needs API v1.46 or newer"),
    ("1.47", "1.48", mount(Type="image", Source="busybox", Target="/x"), "a mount of type image needs API v1.48 or newer"),
]


@pytest.mark.parametrize("older, newer, body, words", REFUSED_BEFORE)
def test_what_files_depend_on_is_refused_by_older_versions(daemon, older, newer, body, words):
    status, answer, _ = created(daemon, older, body)
    assert (status, answer["message"]) == (400, words)
    assert created(daemon, newer, body)[0] == 201
    daemon.request("DELETE", "/volumes/vers")


def test_options_of_another_type_of_mount_are_a_mistake_in_every_version(daemon):
    for version in ("1.24", "1.41", "1.42", "1.51"):
        status, answer, _ = created(daemon, version, mount(Type="tmpfs", Target="/x", VolumeOptions={"NoCopy": True}))
        assert status == 400 and "field VolumeOptions must not be specified" in answer["message"]


def test_a_missing_source_of_a_bind_is_made_on_demand_since_1_42(daemon, tmp_path):
    body = mount(Type="bind", Source=str(tmp_path / "new"), Target="/x", BindOptions={"CreateMountpoint": True})
    assert "bind source path does not exist" in created(daemon, "1.41", body)[1]["message"]
    assert created(daemon, "1.42", body)[0] == 201 and (tmp_path / "new").is_dir()


def test_both_ways_to_be_read_only_exclude_each_other(daemon):
    body = mount(Type="bind", Source="/etc", Target="/x", ReadOnly=True, BindOptions={"ReadOnlyForceRecursive": True, "ReadOnlyNonRecursive": True})
    status, answer, _ = created(daemon, "1.51", body)
    assert status == 400 and "mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive" in answer["message"]


def test_the_containers_mac_address_moved_to_its_endpoint_with_1_44(daemon):
    body = {"MacAddress": "02:42:ac:11:00:66", "HostConfig": {"NetworkMode": "bridge"}}
    assert created(daemon, "1.43", body)[1]["Warnings"] == []
    status, answer, facts = created(daemon, "1.44", body)
    assert answer["Warnings"] == ["The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."]
    assert facts["NetworkSettings"]["Networks"]["bridge"]["MacAddress"] == "02:42:ac:11:00:66"
    body["NetworkingConfig"] = {"EndpointsConfig": {"bridge": {"MacAddress": "02:42:ac:11:00:67"}}}
    status, answer, _ = created(daemon, "1.44", body)
    assert status == 400 and answer["message"].startswith("the container-wide MAC address must match the endpoint-specific MAC address")


def test_several_networks_at_creation_came_with_1_44(daemon):
    daemon.docker("network", "create", "vers")
    body = {"HostConfig": {"NetworkMode": "bridge"}, "NetworkingConfig": {"EndpointsConfig": {"bridge": {}, "vers": {}}}}
    status, answer, _ = created(daemon, "1.43", body)
    assert (status, answer["message"]) == (400, "Container cannot be connected to network endpoints: bridge, vers")
    assert created(daemon, "1.44", body)[0] == 201
    daemon.docker("network", "rm", "vers")


def has(path):
    """Whether the answer has the member, by a path of keys; "0" is the first of a list."""
    def look(answer):
        for key in path.split("."):
            if isinstance(answer, list):
                answer = answer[int(key)] if len(answer) > int(key) else {}
            elif key not in (answer or {}):
                return False
            else:
                answer = answer[key]
        return True
    return look


# (request, the member, the last version of one kind, the first of the other, whether the newer one has it).
ANSWERS = [
    ("/system/df", "BuilderSize", "1.41", "1.42", False),
    ("/info", "KernelMemory", "1.41", "1.42", False),
    ("/images/busybox/json", "VirtualSize", "1.43", "1.44", False),
    ("/images/json", "0.VirtualSize", "1.43", "1.44", False),
    ("/images/busybox/json", "ContainerConfig", "1.44", "1.45", False),
    ("/networks/bridge", "EnableIPv4", "1.47", "1.48", True),
    ("/info", "FirewallBackend", "1.48", "1.49", True),
    ("/info", "RuncCommit.Expected", "1.48", "1.49", False),
    ("/info", "BridgeNfIptables", "1.49", "1.50", False),
    ("/images/busybox/json", "Config.Hostname", "1.49", "1.50", False),
]


@pytest.mark.parametrize("path, member, older, newer, newer_has", ANSWERS)
def test_a_member_of_an_answer_comes_or_goes_with_its_version(daemon, path, member, older, newer, newer_has):
    for version, wanted in ((older, not newer_has), (newer, newer_has), ("1.51", newer_has)):
        assert has(member)(daemon.json("GET", f"/v{version}{path}")) is wanted, version


def test_disk_usage_can_be_asked_by_type_since_1_42(daemon):
    assert set(daemon.json("GET", "/v1.42/system/df?type=volume")) == {"Volumes"}
    assert {"Images", "Volumes", "Containers"} <= set(daemon.json("GET", "/v1.41/system/df?type=volume"))


def test_images_count_their_containers_since_1_51(daemon):
    daemon.docker("create", "--name", "counted", "busybox")
    count = lambda version: next(i["Containers"] for i in daemon.json("GET", f"/v{version}/images/json") if "busybox:latest" in i["RepoTags"])
    assert count("1.50") == -1 and count("1.51") >= 1
    daemon.docker("rm", "counted")


def test_ping_recommends_a_builder_and_tells_of_the_swarm(daemon):
    _, headers, _ = daemon.request("GET", "/_ping")
    assert headers["Builder-Version"] == "1" and headers["Swarm"] == "inactive" and headers["Api-Version"] == "1.51"
