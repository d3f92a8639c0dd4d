"""What builds leave behind: disk usage tells it, prune takes it, and a step that was forgotten is made again."""
import pytest



def build(daemon, home, text, *options):
    folder = home / "context"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text("FROM busybox\n" + text)
    return daemon.docker("build", *options, str(folder))


def cache(daemon, version="1.51"):
    return daemon.json("GET", f"/v{version}/system/df?type=build-cache")["BuildCache"]


def prune(daemon, query="", version="1.51"):
    return daemon.json("POST", f"/v{version}/build/prune?{query}")


@pytest.fixture
def clean(daemon):
    prune(daemon, "all=1")
    yield daemon
    for name in ("keep:1", "other:1"):
        daemon.docker("rmi", name, check=False)
    prune(daemon, "all=1")
    daemon.docker("image", "prune", "-f")


MEGABYTE = "RUN head -c 1048576 /dev/urandom > /big{}\n"


def test_what_nobody_names_goes_and_is_counted(clean, tmp_path):
    daemon = clean
    build(daemon, tmp_path, MEGABYTE.format(1) + "ENV A=1\n")
    entries = cache(daemon)
    assert len(entries) == 2 and not any(e["Shared"] or e["InUse"] for e in entries), entries
    big = next(e for e in entries if e["Size"] >= 1 << 20)
    assert "head -c" in big["Description"] and big["Type"] == "regular" and big["UsageCount"] == 0
    env = next(e for e in entries if e is not big)
    assert env["Parents"] == [big["ID"]] and env["Size"] == 0
    assert "Parent" in cache(daemon, "1.41")[0]
    assert "Using cache" in build(daemon, tmp_path, MEGABYTE.format(1) + "ENV A=1\n")
    assert {e["UsageCount"] for e in cache(daemon)} == {1}
    assert "Build Cache" in daemon.docker("system", "df")
    answer = prune(daemon)
    assert set(answer["CachesDeleted"]) == {big["ID"], env["ID"]} and answer["SpaceReclaimed"] >= 1 << 20
    assert cache(daemon) is None
    assert prune(daemon) == {"CachesDeleted": None, "SpaceReclaimed": 0}
    assert "Using cache" not in build(daemon, tmp_path, MEGABYTE.format(1) + "ENV A=1\n")


def test_what_a_name_or_a_container_stands_on_stays(clean, tmp_path):
    daemon = clean
    build(daemon, tmp_path, MEGABYTE.format(1) + "ENV A=1\n", "-t", "keep:1")
    assert all(e["Shared"] and not e["InUse"] for e in cache(daemon))
    assert prune(daemon)["CachesDeleted"] is None
    daemon.docker("create", "--name", "user", "keep:1", "true")
    try:
        assert all(e["InUse"] for e in cache(daemon))
        assert prune(daemon, "all=1")["CachesDeleted"] is None
    finally:
        daemon.docker("rm", "user")
    answer = prune(daemon, "all=1")
    assert len(answer["CachesDeleted"]) == 2 and answer["SpaceReclaimed"] == 0
    assert daemon.docker("run", "--rm", "--network=none", "keep:1", "ls", "/big1").strip() == "/big1"
    assert "Using cache" not in build(daemon, tmp_path, MEGABYTE.format(1), "-t", "other:1")


def test_the_oldest_go_first_and_no_more_than_asked(clean, tmp_path):
    daemon = clean
    for number in (1, 2, 3):
        build(daemon, tmp_path, MEGABYTE.format(number))
    left = lambda: sorted(e["Description"].split("/big")[1][0] for e in cache(daemon) or [])
    build(daemon, tmp_path, MEGABYTE.format(1))  # used last now
    assert prune(daemon, f"keep-storage={3 << 20}", "1.47")["CachesDeleted"] is None or left() == ["1", "2", "3"]
    prune(daemon, f"reserved-space={5 << 19}")
    assert left() == ["1", "3"]
    prune(daemon, f"max-used-space={3 << 19}")
    assert left() == ["1"]
    prune(daemon, f"max-used-space=1&reserved-space={10 << 20}")
    assert left() == ["1"]
    prune(daemon, f"min-free-space={1 << 60}")
    assert left() == []


@pytest.mark.parametrize("filters, left", [
    ('{"description":["big1"]}', ["2"]),
    ('{"until":["24h"]}', ["1", "2"]),
    ('{"unused-for":["0s"]}', []),
    ('{"shared":["true"]}', ["1", "2"]),
    ('{"private":["true"]}', []),
    ('{"type":["frontend"]}', ["1", "2"]),
    ('{"inuse":["true"]}', ["1", "2"]),
])
def test_filters_choose(clean, tmp_path, filters, left):
    for number in (1, 2):
        build(clean, tmp_path, MEGABYTE.format(number))
    prune(clean, "filters=" + filters.replace('"', "%22"))
    assert sorted(e["Description"].split("/big")[1][0] for e in cache(clean) or []) == left


def test_what_is_not_understood_is_refused(clean):
    for query, words in (("filters={%22color%22:[%22red%22]}", "invalid filter 'color'"), ("reserved-space=-1", "reserved-space"),
                         ("reserved-space=many", "reserved-space")):
        status, _, body = clean.request("POST", f"/v1.51/build/prune?{query}")
        assert status == 400 and words in body.decode(), body


def test_the_docker_command_prunes(clean, tmp_path):
    build(clean, tmp_path, MEGABYTE.format(1))
    assert "Total reclaimed space" in clean.docker("builder", "prune", "-f")
    assert cache(clean) is None
