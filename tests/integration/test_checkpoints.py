"""Checkpoints through the engine on a host whose kernel CRIU does not know: the refusals, and that they harm nothing.
What works is seen in the virtual machine (tests/guest)."""
import pytest

from support import Daemon
from test_checkpoint import criu_works


@pytest.fixture
def experimental(tmp_path, rootfs_tar):
    daemon = Daemon(tmp_path / "d", ["--experimental"])
    daemon.start()
    daemon.import_busybox(rootfs_tar)
    daemon.json("POST", "/containers/create?name=box", {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "none"}})
    daemon.json("POST", "/containers/box/start")
    yield daemon
    daemon.request("DELETE", "/containers/box?force=1")
    daemon.end()


def refusal(daemon, method, path, body=None):
    status, _, text = daemon.request(method, path, body)
    return status, text.decode()


def test_it_says_that_it_is_experimental(experimental):
    assert experimental.request("GET", "/_ping")[1]["Docker-Experimental"] == "true"
    assert experimental.json("GET", "/info")["ExperimentalBuild"] is True
    assert experimental.json("GET", "/version")["Components"][0]["Details"]["Experimental"] == "true"
    assert experimental.docker("checkpoint", "ls", "box").split() == ["CHECKPOINT", "NAME"]


@pytest.mark.skipif("criu_works()", reason="CRIU knows this kernel")
def test_a_checkpoint_that_fails_says_why_and_the_container_runs_on(experimental):
    for leave in (True, False):
        status, text = refusal(experimental, "POST", "/containers/box/checkpoints", {"CheckpointID": "first", "Exit": not leave})
        assert status in (500, 501) and "Cannot checkpoint container box: criu" in text, text
        assert experimental.inspect("box")["State"]["Running"] and experimental.json("GET", "/containers/box/checkpoints") == []
    directory = experimental.data_root / "containers" / experimental.inspect("box")["Id"] / "checkpoints"
    assert not list(directory.iterdir()), "nothing half made is left"


def test_what_cannot_be_is_told_in_dockers_words(experimental):
    for body, words in (({"CheckpointID": "../x"}, "Invalid checkpoint ID (../x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
                        ({"CheckpointID": ""}, "Invalid checkpoint ID ()"), ({"CheckpointID": "ok", "CheckpointDir": "here"}, "not absolute")):
        status, text = refusal(experimental, "POST", "/containers/box/checkpoints", body)
        assert status in (400, 500) and words in text, text
    for method, path, words in (("DELETE", "/containers/box/checkpoints/none", "checkpoint none does not exist for container box"),
                                ("DELETE", "/containers/box/checkpoints/..", "Invalid checkpoint ID"),
                                ("POST", "/containers/nobody/checkpoints", "No such container: nobody")):
        status, text = refusal(experimental, method, path, {"CheckpointID": "ok"} if method == "POST" else None)
        assert status in (404, 500) and words in text, text
    experimental.json("POST", "/containers/box/kill")
    experimental.json("POST", "/containers/box/wait")
    status, text = refusal(experimental, "POST", "/containers/box/checkpoints", {"CheckpointID": "ok"})
    assert status == 500 and "Container box not running" in text
    status, text = refusal(experimental, "POST", "/containers/box/start?checkpoint=none")
    assert status == 500 and "checkpoint none does not exist for container box" in text
    experimental.json("POST", "/containers/create?name=term", {"Image": "busybox", "Cmd": ["sleep", "9"], "Tty": True})
    experimental.json("POST", "/containers/term/start")
    status, text = refusal(experimental, "POST", "/containers/term/checkpoints", {"CheckpointID": "ok"})
    experimental.request("DELETE", "/containers/term?force=1")
    assert status == 500 and "containers with tty" in text


@pytest.mark.skipif("criu_works()", reason="CRIU knows this kernel")
def test_a_restore_that_fails_leaves_the_container_as_it_was(experimental, tmp_path):
    (tmp_path / "place" / "empty").mkdir(parents=True)
    experimental.json("POST", "/containers/box/kill")
    experimental.json("POST", "/containers/box/wait")
    status, text = refusal(experimental, "POST", f"/containers/box/start?checkpoint=empty&checkpoint-dir={tmp_path}/place")
    assert status == 500 and "criu" in text, text
    assert not experimental.inspect("box")["State"]["Running"]
    experimental.json("POST", "/containers/box/start")
    assert experimental.inspect("box")["State"]["Running"]
