"""AppArmor confinement of containers, on a kernel that has it. Runs in the virtual machine that tests/guest/run starts."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
from test_runtime import runtime  # noqa: E402,F401  the fixture: every case on ours and on runc

PROFILE = "sampan-guest-test"
# Like what engines give a container by default: nothing that the runtime itself does may need a right from here.
RULES = f"""
profile {PROFILE} flags=(attach_disconnected, mediate_deleted) {{
  file, capability, network, unix,
  deny mount,
  signal receive peer=unconfined,
  deny /etc/secret r,
}}
profile {PROFILE}-exec flags=(attach_disconnected, mediate_deleted) {{
  file, capability, network, mount, umount, pivot_root, signal, ptrace, unix,
}}
"""
ENABLED = pathlib.Path("/sys/module/apparmor/parameters/enabled")
PARSER = os.environ.get("GUEST_APPARMOR_PARSER", "")

pytestmark = pytest.mark.skipif(not PARSER or not ENABLED.exists() or ENABLED.read_text().strip() != "Y",
                                reason="needs AppArmor: ./dev guest")


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    rules = tmp_path_factory.mktemp("apparmor") / "rules"
    rules.write_text(RULES)
    parser = [PARSER, "--config-file=/dev/null", "--skip-cache", "--base", str(rules.parent)]
    subprocess.run([*parser, "--replace", str(rules)], check=True, timeout=60)
    yield PROFILE
    subprocess.run([*parser, "--remove", str(rules)], check=True, timeout=60)


def test_the_host_is_purely_version_two():
    kinds = [line.split(" - ")[1].split()[0] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    assert kinds.count("cgroup2") == 1 and "cgroup" not in kinds


def test_a_container_runs_under_its_profile(runtime, profile):  # noqa: F811
    runtime.spec("cat", "/proc/self/attr/current", apparmorProfile=profile)
    assert runtime("run", "--bundle", str(runtime.bundle), runtime.id).stdout.strip() == f"{profile} (enforce)"


def test_the_profile_is_enforced(runtime, profile):  # noqa: F811
    secret = runtime.bundle / "rootfs/etc/secret"
    secret.write_text("hidden")
    runtime.spec("cat", "/etc/secret")
    assert runtime("run", "--bundle", str(runtime.bundle), runtime.id).stdout == "hidden"
    runtime.spec("cat", "/etc/secret", apparmorProfile=profile)
    done = runtime("run", "--bundle", str(runtime.bundle), runtime.id, check=False)
    assert done.returncode == 1 and "Permission denied" in done.stderr and not done.stdout


def test_unconfined_is_no_profile(runtime):  # noqa: F811
    runtime.spec("cat", "/proc/self/attr/current", apparmorProfile="unconfined")
    assert runtime("run", "--bundle", str(runtime.bundle), runtime.id).stdout.strip() == "unconfined"


def test_an_unknown_profile_is_an_error_and_leaves_nothing(runtime):  # noqa: F811
    runtime.spec("cat", "/proc/self/attr/current", apparmorProfile="sampan-no-such-profile")
    done = runtime("run", "--bundle", str(runtime.bundle), runtime.id, check=False)
    assert done.returncode == 1 and "apparmor" in done.stderr and not done.stdout
    assert runtime("state", runtime.id, check=False).returncode == 1


def test_profile_with_no_new_privileges_and_an_unprivileged_user(runtime, profile):  # noqa: F811
    runtime.spec("cat", "/proc/self/attr/current", apparmorProfile=profile, noNewPrivileges=True, user={"uid": 1000, "gid": 1000})
    assert runtime("run", "--bundle", str(runtime.bundle), runtime.id).stdout.strip() == f"{profile} (enforce)"


def test_exec_gets_the_containers_profile_its_own_or_an_error(runtime, profile, tmp_path):  # noqa: F811
    runtime.spec("sleep", "100", apparmorProfile=profile)
    runtime.detached("run", "--detach")
    label = ("cat", "/proc/self/attr/current")
    assert runtime("exec", runtime.id, *label).stdout.strip() == f"{profile} (enforce)"
    own = runtime("exec", "--apparmor", f"{profile}-exec", runtime.id, *label)
    assert own.stdout.strip() == f"{profile}-exec (enforce)"
    process = json.loads((runtime.bundle / "config.json").read_text())["process"]
    process |= {"args": list(label), "apparmorProfile": f"{profile}-exec"}
    (tmp_path / "process.json").write_text(json.dumps(process))
    described = runtime("exec", "--process", str(tmp_path / "process.json"), runtime.id)
    assert described.stdout.strip() == f"{profile}-exec (enforce)"
    refused = runtime("exec", "--apparmor", "sampan-no-such-profile", runtime.id, *label, check=False)
    assert refused.returncode != 0 and "apparmor" in refused.stderr and not refused.stdout
    assert runtime.state()["status"] == "running"
