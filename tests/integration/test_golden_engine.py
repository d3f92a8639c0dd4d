"""The answers recorded from Debian's dockerd (tests/golden/engine), asked again of ours. What differs on purpose stands in
differences.py with its reason; anything else is a bug. `./dev golden engine` records again."""
import json
import pathlib
import re
import sys

import pytest

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "engine"
sys.path.insert(0, str(GOLDEN))

import script  # noqa: E402
import shapes  # noqa: E402
from differences import DIFFERENCES  # noqa: E402

used = set()


def is_deliberate(step, path):
    for index, (steps, members, _) in enumerate(DIFFERENCES):
        if re.fullmatch(steps, step) and re.fullmatch(members, path):
            used.add(index)
            return True
    return False


@pytest.mark.parametrize("group", script.Conversation.GROUPS)
def test_answers_are_those_of_dockerd(daemon, group):
    recorded = json.loads((GOLDEN / f"{group}.json").read_text())
    answers = script.Conversation(daemon.socket, daemon.home).run(group)
    assert set(recorded) == set(answers)
    wrong = [f"{step}: {path}: dockerd {json.dumps(theirs)[:200]}, ours {json.dumps(ours)[:200]}"
             for step, answer in recorded.items() for path, theirs, ours in shapes.differences(answer, answers[step])
             if not is_deliberate(step, path)]
    assert not wrong, "\n".join(wrong)


def test_the_table_of_differences_has_no_row_too_many(daemon):
    if not used:
        pytest.skip("the recorded answers were not asked in this run")
    stale = [f"{DIFFERENCES[i][0]} | {DIFFERENCES[i][1]}" for i in range(len(DIFFERENCES)) if i not in used]
    assert not stale, "\n".join(stale)


# What is told otherwise on purpose: dockerd mounts a volume for docker cp, names untagged images by id, and tells of the
# tag of a commit without ":latest".
def told(answer):
    return [f"{event['Type']} {event['Action']}" for event in answer["body"]["stream"]]


def test_events_are_those_of_the_recording(daemon):
    recorded = told(json.loads((GOLDEN / "events.json").read_text())["events"])
    ours = told(script.Conversation(daemon.socket, daemon.home).run("events")["events"])
    of_cp = recorded.index("container archive-path")
    assert recorded[of_cp - 1] == "volume mount" and recorded[of_cp + 1] == "volume unmount"
    expected = recorded[recorded.index("volume create"):of_cp - 1] + ["container archive-path"] + recorded[of_cp + 2:]
    assert ours == expected
