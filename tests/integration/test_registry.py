"""Pulling from Debian's docker-registry: media types, platforms, compression, authentication, TLS, damage."""
import base64
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import urllib.request

import pytest

from support import Registry, run

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class Publisher:
    """Puts blobs and manifests into a registry by its HTTP interface."""

    def __init__(self, registry, repository, auth=None):
        self.base = f"http://{registry.host}/v2/{repository}"
        self.auth = auth

    def send(self, method, url, data=None, content_type="application/octet-stream"):
        request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": content_type})
        if self.auth:
            request.add_header("Authorization", "Basic " + base64.b64encode(self.auth.encode()).decode())
        return urllib.request.urlopen(request)

    def blob(self, data):
        location = self.send("POST", f"{self.base}/blobs/uploads/", b"").headers["Location"]
        self.send("PUT", location + ("&" if "?" in location else "?") + f"digest={sha(data)}", data)
        return {"digest": sha(data), "size": len(data)}

    def manifest(self, reference, body, media_type):
        data = json.dumps(body).encode()
        self.send("PUT", f"{self.base}/manifests/{reference}", data, media_type)
        return {"mediaType": media_type, "digest": sha(data), "size": len(data)}

    def image(self, reference, files, oci=False, compress="gzip", architecture="amd64", base=(), config=None):
        tars = [*base, layer(files)]
        packed = [self.compress(t, compress) for t in tars]
        kind = "application/vnd.oci.image.layer.v1.tar" if oci else "application/vnd.docker.image.rootfs.diff.tar"
        suffix = {"gzip": "+gzip" if oci else ".gzip", "zstd": "+zstd", "none": ""}[compress]
        document = json.dumps({"architecture": architecture, "os": "linux", "config": {"Cmd": ["cat", "/f"], "Env": ["PATH=/bin"], **(config or {})},
                               "rootfs": {"type": "layers", "diff_ids": [sha(t) for t in tars]}}).encode()
        body = {"schemaVersion": 2, "mediaType": OCI_MANIFEST if oci else DOCKER_MANIFEST,
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json" if oci else "application/vnd.docker.container.image.v1+json", **self.blob(document)},
                "layers": [{"mediaType": kind + suffix, **self.blob(p)} for p in packed]}
        return self.manifest(reference, body, body["mediaType"])

    @staticmethod
    def compress(data, how):
        if how == "gzip":
            return gzip.compress(data, mtime=0)
        if how == "zstd":
            return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout
        return data


@pytest.fixture(scope="module")
def busybox_layer(rootfs_tar):
    return rootfs_tar.read_bytes()


@pytest.mark.parametrize("oci, compress", [(False, "gzip"), (True, "gzip"), (True, "zstd"), (True, "none")])
@pytest.mark.parametrize("client", ["docker", "sampan"])
def test_pull_and_run(daemon, registry, busybox_layer, oci, compress, client):
    cli = getattr(daemon, client)
    repository = f"t/{'oci' if oci else 'docker'}-{compress}-{client}"
    Publisher(registry, repository).image("v1", {"f": b"content\n"}, oci, compress, base=[busybox_layer])
    name = f"{registry.host}/{repository}:v1"
    out = cli("pull", name)
    assert "Digest: sha256:" in out and f"Status: Downloaded newer image for {name}" in out
    assert f"Status: Image is up to date for {name}" in cli("pull", name)
    assert cli("run", "--rm", name) == "content\n"
    assert name.rsplit(":", 1)[0] + "@sha256:" in json.loads(cli("inspect", name))[0]["RepoDigests"][0]
    cli("rmi", name)


def test_an_index_gives_this_machines_platform(daemon, registry, busybox_layer):
    publisher = Publisher(registry, "t/multi")
    entries = []
    for arch in ("arm64", "amd64"):
        entry = publisher.image(arch, {"f": arch.encode()}, True, architecture=arch, base=[busybox_layer])
        entries.append({**entry, "platform": {"os": "linux", "architecture": arch}})
    publisher.manifest("latest", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}, OCI_INDEX)
    name = f"{registry.host}/t/multi"
    daemon.docker("pull", name)
    assert daemon.docker("run", "--rm", name) == "amd64"
    daemon.docker("rmi", name)
    daemon.docker("pull", "--platform", "linux/arm64", name)
    assert json.loads(daemon.docker("inspect", name))[0]["Architecture"] == "arm64"
    daemon.docker("rmi", name)
    nothing = daemon.docker("pull", "--platform", "linux/s390x", name, check=False)
    assert nothing.code == 1 and "no matching manifest for linux/s390x" in nothing.err


def test_run_pulls_what_is_missing(daemon, registry, busybox_layer):
    Publisher(registry, "t/auto").image("1", {"f": b"pulled\n"}, base=[busybox_layer])
    for cli in (daemon.docker, daemon.sampan):
        out = cli("run", "--rm", f"{registry.host}/t/auto:1")
        assert out == "pulled\n" and "Unable to find image" in out.err
        cli("rmi", f"{registry.host}/t/auto:1")


def test_missing_things_are_named(daemon, registry):
    out = daemon.docker("pull", f"{registry.host}/t/nothing:v9", check=False)
    assert out.code == 1 and ("manifest unknown" in out.err or "not found" in out.err)
    down = daemon.docker("pull", "127.0.0.1:1/x:y", check=False)
    assert down.code == 1 and "connection refused" in down.err
    for bad in ("UPPER", "a//b", "x:", "a:b:c"):
        assert daemon.docker("pull", bad, check=False).code != 0


def test_damaged_blobs_are_refused_and_leave_nothing(daemon, registry, busybox_layer):
    publisher = Publisher(registry, "t/bad")
    good = layer({"f": b"x"})
    packed = gzip.compress(good)
    document = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [sha(b"other")]}}).encode()
    body = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **publisher.blob(document)},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", **publisher.blob(packed)}]}
    publisher.manifest("diffid", body, DOCKER_MANIFEST)
    out = daemon.docker("pull", f"{registry.host}/t/bad:diffid", check=False)
    assert out.code == 1 and "sha256" in out.err
    # A blob whose bytes changed on the registry's disk.
    publisher.image("flipped", {"f": b"y" * 100000})
    for data in (registry.home / "data").rglob("data"):
        content = data.read_bytes()
        if content[:2] == b"\x1f\x8b" and gzip.decompress(content).find(b"y" * 1000) > 0:
            data.write_bytes(content[:-20] + bytes(20))
    out = daemon.docker("pull", f"{registry.host}/t/bad:flipped", check=False)
    assert out.code == 1
    assert "t/bad" not in daemon.docker("images")


def test_basic_authentication(daemon, scratch, busybox_layer, tmp_path):
    home = scratch / "auth-registry"
    home.mkdir()
    subprocess.run(["htpasswd", "-Bbc", str(home / "users"), "alice", "wonder"], check=True, capture_output=True)
    registry = Registry(home, extra=f"auth:\n  htpasswd:\n    realm: test\n    path: {home}/users\n")
    registry.start()
    try:
        Publisher(registry, "private", "alice:wonder").image("1", {"f": b"secret\n"}, base=[busybox_layer])
        name = f"{registry.host}/private:1"
        env = {"DOCKER_CONFIG": str(tmp_path)}
        denied = daemon.docker("pull", name, check=False, env=env)
        assert denied.code == 1 and ("login" in denied.err + denied or "authentication required" in denied.err)
        wrong = daemon.docker("login", "-u", "alice", "-p", "nope", registry.host, check=False, env=env)
        assert wrong.code == 1
        assert "Login Succeeded" in daemon.docker("login", "-u", "alice", "-p", "wonder", registry.host, env=env)
        daemon.docker("pull", name, env=env)
        assert daemon.docker("run", "--rm", name) == "secret\n"
        daemon.docker("rmi", name)
    finally:
        registry.stop()


def test_tls_with_a_private_authority(scratch, rootfs_tar, busybox_layer):
    from support import Daemon
    home = scratch / "tls-registry"
    home.mkdir()
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", home / "key.pem", "-out", home / "cert.pem",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
    registry = Registry(home, tls=(home / "cert.pem", home / "key.pem"))
    registry.start()
    daemon = Daemon(scratch / "tls-daemon", ["--certs-dir", str(home / "certs.d")])
    daemon.start()
    try:
        import ssl
        context = ssl._create_unverified_context()
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
        urllib.request.install_opener(opener)
        publisher = Publisher(registry, "tls")
        publisher.base = f"https://{registry.host}/v2/tls"
        publisher.image("1", {"f": b"over tls\n"}, base=[busybox_layer])
        trusted = home / "certs.d" / registry.host
        trusted.mkdir(parents=True)
        (trusted / "ca.crt").write_bytes((home / "cert.pem").read_bytes())
        daemon.docker("pull", f"{registry.host}/tls:1")
        assert daemon.docker("run", "--rm", f"{registry.host}/tls:1") == "over tls\n"
    finally:
        daemon.stop()
        registry.stop()
        daemon.cleanup()


def test_push_and_pull_back(daemon, registry):
    name = f"{registry.host}/t/pushed:1"
    daemon.docker("tag", "busybox", name)
    assert "digest: sha256:" in daemon.docker("push", name)
    daemon.docker("rmi", name)
    daemon.docker("pull", name)
    assert daemon.docker("run", "--rm", name, "echo", "back") == "back\n"
    daemon.docker("rmi", name)


def test_archives_of_skopeo_load_and_ours_are_read_by_it(daemon, registry, busybox_layer, tmp_path):
    Publisher(registry, "t/skopeo").image("1", {"f": b"by skopeo\n"}, oci=True, base=[busybox_layer])
    source = f"docker://{registry.host}/t/skopeo:1"
    for kind in ("docker-archive", "oci-archive"):
        name = f"from-{kind}:1"
        path = tmp_path / f"{kind}.tar"
        run(["skopeo", "copy", "-q", "--insecure-policy", "--src-tls-verify=false", source, f"{kind}:{path}:{name}"])
        out = daemon.docker("load", "-i", path)
        assert "Loaded image" in out
        loaded = out.split("Loaded image", 1)[1].removeprefix(" ID").lstrip(": ").strip()
        assert daemon.docker("run", "--rm", loaded) == "by skopeo\n"
        daemon.docker("rmi", "-f", loaded)
    daemon.docker("save", "-o", tmp_path / "ours.tar", "busybox")
    assert "sha256" in run(["skopeo", "inspect", "--insecure-policy", f"docker-archive:{tmp_path}/ours.tar"])
