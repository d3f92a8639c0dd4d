"""Images mounted into containers: read-only, with what the layers make of them, and held as long as a container may want them."""
import io
import tarfile

import pytest

from support import CommandError


@pytest.fixture
def tools(daemon):
    """An image of two layers: the second one replaces a file, removes one and adds one."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in {"bin/tool": "old", "bin/gone": "gone", "etc/conf": "conf", "etc/deep/er": "deep"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("way")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/deep"
        tar.addfile(link)
    daemon.docker("import", "-", "tools:base", input=archive.getvalue())
    daemon.docker("create", "--name", "change", "tools:base", "none")
    with_layer = io.BytesIO()
    with tarfile.open(fileobj=with_layer, mode="w") as tar:
        for name in ("tool", "added"):
            member = tarfile.TarInfo(name)
            member.size = 3
            tar.addfile(member, io.BytesIO(b"new"))
    daemon.docker("cp", "-", "change:/bin", input=with_layer.getvalue())
    daemon.docker("commit", "change", "tools:latest")
    daemon.docker("rm", "change")
    yield "tools:latest"
    for name in ("tools:latest", "tools:base"):
        daemon.docker("rmi", name, check=False)


def create(daemon, name, mounts, command, expect=201):
    body = {"Image": "busybox", "Cmd": ["sh", "-c", command],
            "HostConfig": {"NetworkMode": "none", "Mounts": [{"Type": "image", "Target": "/img", **m} for m in mounts]}}
    return daemon.json("POST", f"/v1.48/containers/create?name={name}", body, expect=expect)


def run(daemon, mounts, command):
    create(daemon, "mounter", mounts, command)
    try:
        return daemon.docker("start", "-a", "mounter", check=False)
    finally:
        daemon.docker("rm", "-f", "mounter")


def test_an_image_is_mounted_read_only_as_its_layers_make_it(daemon, tools):
    out = run(daemon, [{"Source": "tools"}], "cat /img/bin/tool /img/bin/added /img/etc/conf; touch /img/x 2>&1; rm /img/bin/tool 2>&1")
    assert out.startswith("newnewconf") and out.count("Read-only file system") == 2, out


@pytest.mark.parametrize("subpath, command, wanted", [
    ("bin", "cat /img/tool /img/added; ls /img", "newnewadded\ngone\ntool\n"),
    ("etc", "cat /img/conf /img/deep/er", "confdeep"),
    ("way", "cat /img/er", "deep"),
    ("bin/tool", "cat /img; echo x 2>&1 > /img", "new"),
    ("../../etc/deep", "cat /img/er", "deep"),
])
def test_a_subpath_is_resolved_inside_the_image(daemon, tools, subpath, command, wanted):
    out = run(daemon, [{"Source": tools, "ImageOptions": {"Subpath": subpath}}], command)
    assert out.startswith(wanted), out


@pytest.mark.parametrize("mount, status, words", [
    ({"Source": "nothing:here"}, 404, "No such image: nothing:here"),
    ({"Source": ""}, 400, "field Source must not be empty"),
    ({"Source": "tools", "ImageOptions": {"Subpath": "missing"}}, 404, "missing"),
    ({"Source": "tools", "ImageOptions": {"Subpath": "/etc"}}, 400, "relative path"),
    ({"Source": "tools", "BindOptions": {"Propagation": "rshared"}}, 400, "field BindOptions must not be specified"),
])
def test_what_cannot_be_mounted_is_refused_when_the_container_is_created(daemon, tools, mount, status, words):
    assert words in create(daemon, "refused", [mount], "true", expect=status)["message"]
    assert daemon.request("GET", "/containers/refused/json")[0] == 404


def test_a_mounted_image_stays_until_the_container_is_removed(daemon, tools):
    image = daemon.json("GET", "/images/tools/json")["Id"]
    create(daemon, "holder", [{"Source": tools}], "cat /img/bin/tool")
    facts = daemon.inspect("holder")
    assert facts["Mounts"] == [{"Type": "image", "Name": tools, "Source": image, "Destination": "/img", "Mode": "", "RW": False, "Propagation": ""}]
    assert facts["HostConfig"]["Mounts"] == [{"Type": "image", "Source": tools, "Target": "/img"}]
    for force in ("", "?force=1"):
        status, _, body = daemon.request("DELETE", f"/images/{image}{force}")
        assert status == 409 and b"is mounted by container" in body, body
    daemon.docker("image", "prune", "-af", check=False)
    assert daemon.docker("start", "-a", "holder") == "new"
    daemon.docker("rm", "holder")
    daemon.docker("rmi", tools)
    assert daemon.request("GET", "/images/tools/json")[0] == 404


def test_a_moved_tag_changes_no_mount_that_is_there(daemon, tools):
    create(daemon, "holder", [{"Source": tools}], "cat /img/bin/tool")
    daemon.docker("tag", "tools:base", tools)
    try:
        assert daemon.docker("start", "-a", "holder") == "new"
        assert run(daemon, [{"Source": tools}], "cat /img/bin/tool") == "old"
    finally:
        image = daemon.inspect("holder")["Mounts"][0]["Source"]
        daemon.docker("rm", "holder")
        daemon.docker("rmi", image)


def test_volumes_from_brings_image_mounts_along(daemon, tools):
    create(daemon, "holder", [{"Source": tools, "ImageOptions": {"Subpath": "bin"}}], "true")
    assert daemon.docker("run", "--rm", "--network=none", "--volumes-from", "holder", "busybox", "cat", "/img/tool") == "new"
    daemon.docker("rm", "holder")


def test_our_command_line_asks_for_it(daemon, tools):
    out = daemon.sampan("run", "--rm", "--network=none", "--mount", "type=image,src=tools,dst=/img,image-subpath=etc", "busybox", "cat", "/img/conf")
    assert out == "conf"
    with pytest.raises(CommandError, match="nope"):
        daemon.sampan("run", "--rm", "--mount", "type=image,src=tools,dst=/img,image-subpath=nope", "busybox", "true")


def test_mounts_come_back_with_a_restarted_daemon(own_daemon):
    daemon = own_daemon
    daemon.docker("tag", "busybox", "tools:copy")
    create(daemon, "holder", [{"Source": "tools:copy", "ImageOptions": {"Subpath": "bin"}}], "test -x /img/busybox && echo there; sleep 100")
    daemon.docker("start", "holder")
    daemon.kill()
    daemon.start()
    assert daemon.docker("exec", "holder", "ls", "/img/busybox").strip() == "/img/busybox"
    daemon.docker("restart", "-t", "0", "holder")
    assert daemon.docker("logs", "holder") == "there\nthere\n"
    daemon.docker("rm", "-f", "holder")
