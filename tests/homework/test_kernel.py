"""What the kernel refuses a hand-in and counts for it; with bubblewrap these are tried in a box."""

import contextlib
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from nas_lab.homework.grading import boxes, kernel
from nas_lab.homework.grading.channel import Channel, Trouble, decoded
from nas_lab.homework.grading.kernel import Group, Limits

needs_bubblewrap = pytest.mark.skipif(
    not boxes._working("bubblewrap", ""), reason="bubblewrap is not there or does not work"
)
needs_filter = pytest.mark.skipif(
    not kernel.refusals(), reason="pyseccomp or libseccomp is not there: system calls"
)

CALLS = """
import ctypes, errno, fcntl, os, socket
libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

shared = open(os.__file__, "rb")
"""
REFUSED = {
    "a user namespace": "call(272, 0x10000000)",
    "a child in a user namespace": "call(56, 0x10000000 | 17, 0, 0, 0, 0)",
    "the session keyring": "call(250, 0, -3, 0)",
    "io_uring": "call(425, 4, 0)",
    "shared memory": "call(29, 0, 4096, 0o1600)",
    "memory in a file without a name": "os.memfd_create('x')",
    "a netlink socket": "socket.socket(16, socket.SOCK_RAW)",
    "a packet socket": "socket.socket(17, socket.SOCK_RAW)",
    "a socket to the host": "socket.socket(40, socket.SOCK_STREAM)",
    "a lock on a shared file": "fcntl.flock(shared, fcntl.LOCK_EX)",
    "who holds a lock": "fcntl.fcntl(shared, fcntl.F_GETLK, bytes(32))",
    "who opens a shared file": "call(294, 0)",
}
HONEST = """
import sqlite3, subprocess
from concurrent.futures import ThreadPoolExecutor
import torch
assert [*ThreadPoolExecutor(3).map(str, range(3))] == ["0", "1", "2"]
assert subprocess.run(["/bin/echo", "hi"], capture_output=True).stdout == b"hi\\n"
with sqlite3.connect("notes.db") as notes:
    notes.execute("create table t (x)")
assert float((torch.ones(99, 99) @ torch.ones(99, 99)).sum()) == 99**3
"""


@pytest.fixture(scope="module")
def channel():
    """Of one box, for all that only asks."""
    with boxes.Bubblewrap().start(Limits()) as started:
        channel = Channel(started, Limits())
        channel.request({"do": "load"}, 60)
        assert run(channel, CALLS) is None
        yield channel


def run(channel, source):
    message = {"do": "run", "cell": 1, "source": source, "seconds": 60, "wall": 60}
    return channel.request(message, 60)["error"]


@needs_bubblewrap
@needs_filter
@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of calls are x86's")
@pytest.mark.parametrize("source", REFUSED.values(), ids=REFUSED)
def test_a_box_has_no_door_that_no_homework_needs(channel, source):
    said = run(channel, source)
    assert "Operation not permitted" in str(said)


@needs_bubblewrap
@pytest.mark.parametrize("kind", ["seconds", "wall"])
def test_a_cell_may_compute_and_wait_for_so_long_and_its_names_stay(channel, kind):
    source = {"seconds": "while True: pass", "wall": "import time; time.sleep(60)"}[kind]
    message = {"do": "run", "cell": 1, "source": f"{kind} = 1\n{source}", "seconds": 60, "wall": 60}
    reply = channel.request(message | {kind: 0.2}, 60)
    assert (reply["error"], reply["late"]) == ("KeyboardInterrupt in line 2: ", [kind])
    assert run(channel, f"assert {kind} == 1") is None


@needs_bubblewrap
def test_what_a_notebook_does_works_behind_the_filter(channel):
    assert run(channel, HONEST) is None


@needs_bubblewrap
def test_python_may_be_called_through_a_folder_that_a_box_does_not_have(monkeypatch, tmp_path):
    path = tmp_path / os.path.relpath(sys.executable, tmp_path)
    monkeypatch.setattr(sys, "executable", str(path))
    with boxes.Bubblewrap().start(Limits()) as started:
        Channel(started, Limits()).request({"do": "load"}, 60)


MANY_FILES = """import os
if os.fork() == 0:
    os._exit(0)  # what has ended shows no files
n = 0
while True:
    open(f'{n}', 'w').close()
    n += 1
"""


@needs_bubblewrap
def test_a_box_may_not_fill_the_machine_with_empty_files():
    with boxes.Bubblewrap().start(Limits()) as started:
        channel = Channel(started, Limits())
        channel.request({"do": "load"}, 60)
        with pytest.raises(Trouble, match="too many files"):
            run(channel, MANY_FILES)


def test_what_is_not_held_here_is_said(monkeypatch):
    monkeypatch.setattr(kernel, "refusals", bytes)
    monkeypatch.setattr(kernel, "own_folder", lambda: None)
    assert boxes.Bubblewrap().weak == [kernel.NOT_FILTERED, kernel.NOT_COUNTED]
    assert "socket buffers" in kernel.NOT_COUNTED
    monkeypatch.setattr(kernel, "own_folder", Path)
    assert boxes.Bubblewrap().weak == [kernel.NOT_FILTERED]


@pytest.fixture
def group(tmp_path):
    """A folder in place of a control group, with what the kernel would write."""
    group = Group(tmp_path / "box", Limits(memory=5_000, processes=7))
    (group.folder / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    (group.folder / "memory.events").write_text("low 0\noom 0\noom_kill 0\n")
    return group


def test_a_control_group_has_the_limits_and_the_process_joins_it_first(group):
    assert {path.name: path.read_text() for path in group.folder.glob("*.max")} == {
        "memory.max": "5000",
        "memory.swap.max": "0",
        "pids.max": "7",
    }
    code = "import os; print(os.getpid())"
    command = group.joined([sys.executable, "-c", code])
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (group.folder / "cgroup.procs").read_text() == found


def test_time_and_memory_are_those_that_the_kernel_counts(group):
    with subprocess.Popen(["/bin/cat"], stdin=-1, stdout=-1) as process:
        channel = Channel(boxes.Started(process, group), Limits())
        with pytest.raises(Trouble, match="computed too long"):  # 2.5 s
            channel.request({}, 0.1)
        (group.folder / "memory.events").write_text("oom_kill 1\n")
        process.kill()
        with pytest.raises(Trouble, match="too much memory"):
            channel.request({}, 60)


@pytest.mark.parametrize(("ask", "words"), [("1", "too many queries"), ("'x' * 10**6", "too long")])
def test_queries_have_a_number_and_a_size(ask, words):
    code = f"""import json, sys
for line in sys.stdin:
    print(json.dumps({{"nonce": json.loads(line)["nonce"], "ask": {ask}}}), flush=True)"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as process:
        with pytest.raises(Trouble, match=words):
            Channel(boxes.Started(process), Limits()).request({}, 60, lambda _: {"refused": ""})
        process.kill()


def test_replies_have_a_size_and_few_parts():
    code = "import sys\nfor line in sys.stdin:\n    print('x' * 10**6, flush=True)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as process:
        with pytest.raises(Trouble, match="too long"):  # of a cell, which has no cases
            Channel(boxes.Started(process), Limits()).request({"do": "run"}, 60)
        process.kill()
    for parts in (b"[],", b'{"":0},'):
        assert len(decoded(b"[" + parts * 100_000 + b"0]")) == 100_001
        with pytest.raises(Trouble, match="too many parts"):
            decoded(b"[" + parts * 300_000 + b"0]")


def test_patience_is_with_what_waits_and_not_with_what_computes():
    code = (
        "import sys, time\nfor line in sys.stdin:\n    time.sleep(1)\n    print(line, flush=True)"
    )
    for patience, slow in ((1, True), (100, False)):
        with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as process:
            channel = Channel(boxes.Started(process), Limits(patience=patience))
            with pytest.raises(Trouble) if slow else contextlib.nullcontext():
                assert channel.request({"do": "wait"}, 0.5)["do"] == "wait"
            process.kill()


@pytest.mark.parametrize(("seen", "reply_to"), [(False, None), (True, dict)])
def test_what_may_wait_for_the_grader_or_is_not_seen_passes_for_starved(seen, reply_to):
    with subprocess.Popen(["/bin/sleep", "60"], stdin=-1, stdout=-1) as process:
        channel = Channel(boxes.Started(process, seen=seen), Limits())
        with pytest.raises(Trouble) as found:
            channel.request({}, 0.2, reply_to)
        assert found.value.kind == "starved"
        process.kill()


def test_a_group_is_divided_only_where_the_grader_is_alone_in_it(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu io")
    assert kernel.divided(tmp_path) is None
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    assert kernel.divided(tmp_path) == tmp_path
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids"
    (leaf,) = tmp_path.glob("nas-lab-*")
    assert (leaf / "cgroup.procs").read_text() == str(os.getpid())


def test_children_that_live_shorter_than_a_look_are_counted():
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    mount = next((place for _, place, kind, *_ in mounts if kind == "cgroup2"), None)
    try:
        folder = Path(mount or "/nowhere", f"nas-lab-test-{os.getpid()}")
        folder.mkdir()
    except OSError:
        pytest.skip("no control group (cgroup v2) can be made here")
    folder.rmdir()
    group = Group(folder, Limits())
    try:
        burn = "for i in 1 2 3 4 5 6; do python3 -c 'sum(range(10**7))' & done; wait"
        before = os.times()
        subprocess.run(group.joined(["/bin/sh", "-c", burn]), check=True)
        after = os.times()
        used = sum(after[2:4]) - sum(before[2:4])  # of children, as the shell waited for
        assert group.seconds() == pytest.approx(used, rel=0.3)
    finally:
        group.end()
    assert not folder.exists()
