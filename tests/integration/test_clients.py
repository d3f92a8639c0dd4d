"""The same things through three real clients: Debian's docker command, python3-docker, raw HTTP; and our own command."""
import json

import pytest

from support import DOCKER_DEBIAN, run


@pytest.fixture(params=["docker", "docker_new", "sampan"])
def cli(request, daemon):
    return getattr(daemon, request.param)


def test_version_and_info(cli):
    assert "Server" in cli("version")
    assert "overlay2" in cli("info")


def test_run_prints_and_passes_the_exit_code(cli):
    assert cli("run", "--rm", "busybox", "echo", "hello") == "hello\n"
    out = cli("run", "--rm", "busybox", "sh", "-c", "echo oops >&2; exit 7", check=False)
    assert (out.code, out, out.err) == (7, "", "oops\n")


def test_exit_codes_of_a_command_that_cannot_run(cli):
    missing = cli("run", "--rm", "busybox", "no-such-program", check=False)
    assert missing.code == 127 and "executable file not found in $PATH" in missing.err
    denied = cli("run", "--rm", "busybox", "/etc/passwd", check=False)
    assert denied.code == 126 and "permission denied" in denied.err
    unknown = cli("run", "--rm", "--pull", "never", "nothing-of-this-name", check=False) if cli.__name__ != "docker" else None
    if unknown is not None:
        assert unknown.code == 125


def test_a_killed_container_answers_128_plus_the_signal(cli):
    name = "killed"
    cli("run", "-d", "--name", name, "busybox", "sleep", "1000")
    cli("kill", name)
    assert cli("wait", name).strip() == "137"
    cli("rm", name)


def test_detached_lifecycle(cli):
    ident = cli("run", "-d", "--name", "life", "-l", "a=b", "busybox", "sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done").strip()
    assert len(ident) == 64
    assert "life" in cli("ps")
    assert cli("logs", "life") == "up\n"
    assert cli("exec", "life", "echo", "inside") == "inside\n"
    assert cli("exec", "life", "sh", "-c", "exit 9", check=False).code == 9
    assert "sleep" in cli("top", "life")
    cli("pause", "life")
    assert "Paused" in cli("ps")
    cli("unpause", "life")
    cli("rename", "life", "afterlife")
    cli("stop", "-t", "5", "afterlife")
    state = json.loads(cli("inspect", "afterlife"))[0]["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 3)
    cli("start", "afterlife")
    cli("restart", "-t", "1", "afterlife")
    refused = cli("rm", "afterlife", check=False)
    assert refused.code == 1 and "running" in refused.err
    cli("rm", "-f", "afterlife")
    assert "afterlife" not in cli("ps", "-a")


def test_stdin_is_passed_and_closed(cli):
    assert cli("run", "--rm", "-i", "busybox", "cat", input=b"through\n") == "through\n"
    data = bytes(range(256)) * 4096
    assert cli("run", "--rm", "-i", "busybox", "cat", input=data).raw == data


def test_every_byte_of_a_fast_producer_arrives(cli):
    out = cli("run", "--rm", "busybox", "sh", "-c", "dd if=/dev/zero bs=65536 count=256 2>/dev/null")
    assert len(out.raw) == 256 * 65536


def test_copy_in_and_out(cli, tmp_path):
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "f").write_text("content")
    cli("create", "--name", "cp", "busybox", "sleep", "1000")
    cli("cp", tmp_path / "tree", "cp:/root/")
    cli("start", "cp")
    assert cli("exec", "cp", "cat", "/root/tree/sub/f") == "content"
    cli("exec", "cp", "sh", "-c", "echo changed > /root/tree/sub/g; mkdir -p /srv/www")
    cli("cp", "cp:/root/tree/.", tmp_path / "out")
    assert (tmp_path / "out" / "sub" / "g").read_text() == "changed\n"
    missing = cli("cp", "cp:/no/such", tmp_path, check=False)
    assert missing.code == 1 and "/no/such" in missing.err
    diff = cli("diff", "cp")
    assert "A /root/tree" in diff and "A /srv" in diff
    cli("rm", "-f", "cp")


def test_images_tag_history_save_load_rmi(cli, tmp_path):
    cli("tag", "busybox", "copy:1")
    assert "copy" in cli("images")
    assert "CMD" in cli("history", "--no-trunc", "busybox") or "import" in cli("history", "--no-trunc", "busybox").lower()
    before = json.loads(cli("inspect", "copy:1"))[0]
    cli("save", "-o", tmp_path / "copy.tar", "copy:1")
    cli("rmi", "copy:1")
    assert cli("inspect", "copy:1", check=False).code == 1
    assert "Loaded image: copy:1" in cli("load", "-i", tmp_path / "copy.tar")
    after = json.loads(cli("inspect", "copy:1"))[0]
    assert before["Id"] == after["Id"] and before["RootFS"] == after["RootFS"]
    assert cli("run", "--rm", "copy:1", "echo", "same") == "same\n"
    cli("rmi", "copy:1")


def test_stats_once(cli):
    cli("run", "-d", "--name", "st", "-m", "64m", "busybox", "sleep", "1000")
    out = cli("stats", "--no-stream", "st")
    assert "64MiB" in out
    cli("rm", "-f", "st")


def test_update_and_port_and_wait(cli):
    cli("run", "-d", "--name", "up", "-p", "127.0.0.1:0:80", "busybox", "sh", "-c", "sleep 0.3; exit 4")
    assert "80/tcp -> 127.0.0.1:" in cli("port", "up")
    cli("update", "--cpu-shares", "300", "up")
    assert json.loads(cli("inspect", "up"))[0]["HostConfig"]["CpuShares"] == 300
    assert cli("wait", "up").strip() == "4"
    cli("rm", "up")


def test_logs_options(cli):
    cli("run", "--name", "lg", "busybox", "sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done; echo err >&2")
    assert cli("logs", "--tail", "2", "lg").splitlines()[-1:] in (["line 5"], ["err"])
    stamped = cli("logs", "-t", "lg").splitlines()[0]
    assert stamped.endswith("line 1") and stamped[10] == "T" and stamped.split()[0].endswith("Z")
    assert cli("logs", "--since", "1h", "lg").count("line") == 5
    assert cli("logs", "--until", "1h", "lg").count("line") == 0
    assert cli("logs", "-f", "lg").count("line") == 5  # ends with the container
    cli("rm", "lg")


def test_sdk_runs_a_container(sdk):
    assert sdk.containers.run("busybox", ["echo", "sdk"], remove=True) == b"sdk\n"
    container = sdk.containers.run("busybox", ["sleep", "1000"], detach=True, name="sdk", mem_limit="32m", labels={"x": "y"})
    assert container.status in ("created", "running")
    assert container.exec_run(["echo", "exec"]).output == b"exec\n"
    assert container.exec_run(["sh", "-c", "exit 5"]).exit_code == 5
    assert container.stats(stream=False)["memory_stats"]["limit"] == 32 << 20
    container.stop(timeout=0)
    assert container.wait()["StatusCode"] == 137
    assert sdk.containers.list(all=True, filters={"label": "x=y"})[0].id == container.id
    container.remove()


def test_sdk_images_networks_volumes(sdk):
    assert sdk.images.get("busybox").attrs["Os"] == "linux"
    network = sdk.networks.create("sdknet", driver="bridge")
    volume = sdk.volumes.create("sdkvol", labels={"a": "b"})
    assert sdk.containers.run("busybox", ["sh", "-c", "echo hi > /v/f; cat /v/f"], remove=True, network="sdknet",
                              volumes={"sdkvol": {"bind": "/v", "mode": "rw"}}) == b"hi\n"
    assert volume.attrs["Driver"] == "local"
    volume.remove()
    network.remove()
    assert "sampan" in sdk.info()["Name"] or sdk.info()["Driver"] == "overlay2"


def test_raw_http_create_start_wait_remove(daemon):
    created = daemon.json("POST", "/v1.41/containers/create?name=raw", {"Image": "busybox", "Cmd": ["sh", "-c", "exit 3"]}, expect=201)
    assert set(created) == {"Id", "Warnings"}
    status, headers, _ = daemon.request("POST", "/v1.41/containers/raw/start")
    assert status == 204 and headers["Api-Version"] == "1.51" and headers["Ostype"] == "linux"
    assert daemon.json("POST", "/v1.41/containers/raw/wait")["StatusCode"] == 3
    assert daemon.request("POST", "/v1.41/containers/raw/kill")[0] == 409
    assert daemon.request("DELETE", "/v1.41/containers/raw")[0] == 204


def test_events_of_one_life_in_order(daemon, docker):
    import time
    since = f"{time.time() - 0.001:.6f}"
    docker("run", "--rm", "--name", "ev", "busybox", "true")
    until = f"{time.time() + 0.5:.6f}"
    _, _, body = daemon.request("GET", f"/events?since={since}&until={until}&filters=" + "%7B%22container%22%3A%5B%22ev%22%5D%7D")
    actions = [json.loads(line)["Action"] for line in body.decode().splitlines() if line]
    order = [a for a in actions if a in ("create", "attach", "start", "die", "destroy")]
    assert order == ["create", "attach", "start", "die", "destroy"]
