"""Talk to a sandbox: a line of JSON there, a line back, and a limit on everything.

A ``Run`` takes one hand-in through as many sandboxes as it breaks."""

from __future__ import annotations

import json
import os
import secrets
import selectors
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil

from nas_lab.homework.drivers import Plain
from nas_lab.homework.grading.boxes import SCRATCH_BYTES, Box, Started
from nas_lab.homework.grading.kernel import Limits
from nas_lab.homework.hand_ins import escaped
from nas_lab.homework.question import QueryBudget, Question

MOST_BYTES = 8 << 20  # of one reply: 40 cases of the runner's longest value
MOST_QUERIES = 1_000  # for one request, those that are refused included
MOST_QUERY_BYTES = 1 << 18  # of a query, of what a search found, or of what a cell raised
MOST_PARTS = 200_000  # lists and dicts of a reply: nobody else is served while they are made
MOST_DIGITS = 400  # of a whole number in a reply
CHECK_SECONDS = 0.25  # how often processes, their memory and their time are checked
ASLEEP = 0.02  # who computes less than this share of the time waits for nobody but itself
MOST_FILES = 20_000
LEAST_FREE = 256 << 20  # below so many free bytes of the machine, a sandbox that grows is ended
GRACE_SECONDS = 1  # for a cell to stop when its time is up, before its sandbox is ended
CELLS_SHARE = 0.75  # of a hand-in's time: then the answers that exist are asked
AGAIN_SECONDS = 2  # for a cell that ran too long, when it runs again in a fresh sandbox
START_SECONDS = 60  # for Python and the libraries that the drivers need
MOST_CHARACTERS = 600  # of what a hand-in says
MOST_NOTES = 12


class Trouble(Exception):
    """A sandbox gave no proper reply; ``kind`` is timed out, starved, ended, memory or
    tampered. Starved is what time ran out for while it waited for the machine."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


class Channel:
    """Requests to one sandbox, by the pipes of its process, and its replies."""

    def __init__(self, started: Started, limits: Limits) -> None:
        process, self.group, self.seen = started
        self.process, self.limits = psutil.Process(process.pid), limits
        pipes = filter(None, (process.stdin, process.stdout))
        self._out, self._in = (pipe.fileno() for pipe in pipes)
        self._buffer = bytearray()
        self.computed = 0.0  # seconds, all processes together
        self._checked = 0.0
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)

    def request(
        self, message: dict, seconds: float, reply_to: Callable[[Any], dict] | None = None
    ) -> dict:
        """Send a message and return the reply to it, or raise a ``Trouble``. The sandbox may
        compute so many seconds, while ``patience`` times as many pass.
        ``reply_to`` replies to the queries that the sandbox makes meanwhile, where it may."""
        most = MOST_BYTES if "cases" in message and reply_to is None else MOST_QUERY_BYTES
        nonce, self._asks, self._start = secrets.token_hex(16), reply_to, time.monotonic()
        self._deadline = self._start + self.limits.patience * seconds
        self._before, self._most_computed = self.computed, self.computed + seconds
        for _ in range(MOST_QUERIES):
            self._read()
            if self._buffer:
                raise Trouble("tampered", "there was a reply before the question")
            self._send(json.dumps({"nonce": nonce, **message}).encode() + b"\n")
            reply = decoded(self._receive(most))
            if not isinstance(reply, dict) or reply.get("nonce") != nonce:
                raise Trouble("tampered", "a reply does not belong to its question")
            if reply_to is None or "ask" not in reply:
                return reply
            message = reply_to(reply["ask"])
        raise Trouble("tampered", "it made far too many queries")

    def _send(self, line: bytes) -> None:
        while line:
            self._wait(self._out, selectors.EVENT_WRITE)
            try:
                line = line[os.write(self._out, line[: 1 << 16]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise self._ended() from None

    def _receive(self, most: int) -> bytes:
        while b"\n" not in self._buffer:
            self._wait(self._in, selectors.EVENT_READ)
            if not self._read():
                raise self._ended()
            if len(self._buffer) > most:
                raise Trouble("tampered", "a reply is far too long")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return bytes(line)

    def _read(self) -> bool:
        """Read what is there; False at the end of the pipe."""
        try:
            found = os.read(self._in, 1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._buffer += found
        return bool(found)

    def _wait(self, pipe: int, event: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            while True:
                left = self._deadline - time.monotonic()
                if left <= 0:
                    raise self.late()
                if time.monotonic() > self._checked + CHECK_SECONDS:
                    self._check_usage()
                if selector.select(min(left, CHECK_SECONDS)):
                    return

    def late(self, computed: bool = False) -> Trouble:
        """What to say when a request's time is up. If it was not ``computed``, the box was starved,
        or it slept. Searches wait for the grader, too, and inside a container nothing is seen."""
        least = CHECK_SECONDS + ASLEEP * (time.monotonic() - self._start)  # it was seen so late
        slept = self.seen and not self._asks and self.computed - self._before < least
        return Trouble("timed out" if computed or slept else "starved", "it took too long")

    def _ended(self) -> Trouble:
        self._check_group()
        return Trouble("ended", "its process ended")

    def _check_group(self) -> None:
        """Ask the kernel, where it counts."""
        if self.group:
            self.computed = self.group.seconds()
            if self.group.out_of_memory():
                raise Trouble("memory", "it took too much memory")

    def _check_usage(self) -> None:
        processes = [self.process, *self.process.children(recursive=True)]
        sizes, times, files = zip(*map(_usage, processes), strict=True)
        size, self.computed, self._checked = sum(sizes), sum(times), time.monotonic()
        # What processes share counts several times in their sizes: if in doubt, once.
        too_much = size > self.limits.memory and sum(map(_share, processes)) > self.limits.memory
        if too_much or (size > LEAST_FREE > psutil.virtual_memory().available):
            raise Trouble("memory", "it took too much memory")
        self._check_group()
        if self.computed > self._most_computed:
            raise Trouble("timed out", "it computed too long, all its processes together")
        if len(processes) > 2 * self.limits.processes:
            raise Trouble("ended", "it started too many processes")
        if max(files) > MOST_FILES:  # of one that has ended they are not seen
            raise Trouble("ended", "it made too many files")


def _usage(process: psutil.Process) -> tuple[int, float, int]:
    """Bytes in memory, seconds computed with children that have ended, and files in the scratch
    folder, where that is a file system of its own."""
    size, seconds, files = 0, 0.0, 0
    with suppress(psutil.Error, OSError):
        size, seconds = process.memory_info().rss, sum(process.cpu_times()[:4])
        found = os.statvfs(f"/proc/{process.pid}/root/tmp")
        if found.f_blocks * found.f_frsize == SCRATCH_BYTES:
            files = found.f_files - found.f_ffree
    return size, seconds, files


def _share(process: psutil.Process) -> int:
    """Bytes in memory, divided by how many processes share them. Slower than `_usage`."""
    with suppress(psutil.Error, AttributeError):  # ended, another user's, or no Linux
        return process.memory_full_info().pss
    return _usage(process)[0]


def decoded(line: bytes) -> Any:
    """A reply as plain data: nothing in it can be more than that."""

    def whole(text: str) -> int | str:
        return int(text) if len(text) <= MOST_DIGITS else "a number with too many digits"

    if line.count(b"[") + line.count(b"{") > MOST_PARTS:
        raise Trouble("tampered", "a reply has far too many parts")
    try:
        return json.loads(line.decode("utf-8"), parse_int=whole)
    except (ValueError, RecursionError):
        raise Trouble("tampered", "a reply is no JSON") from None


def short(words: object) -> str:
    """What a hand-in says, which may be anything, as a short text."""
    text = words if isinstance(words, str) else "an error that is no text"
    return escaped(" ".join(text[:MOST_CHARACTERS].split()))[:MOST_CHARACTERS]


@dataclass
class Call:
    """An answer put to work on the inputs of some cases, and what came of it.
    The outcome is a value or an error for each case, and empty when there is no such function."""

    question: Question
    cases: list[list[Plain]]
    budget: QueryBudget | None = None  # replies to the queries of a search, and counts them
    outcome: list[dict] | Trouble | None = None
    first: Call | None = None  # the public cases of hidden ones
    hidden: bool = True  # whether the inputs are; no public case comes after one whose inputs are
    other: bool = False  # asks what was checked last, where it is not what bears the answer's name

    def make(self, channel: Channel, seconds: float) -> None:
        """Get the outcome, and raise it when it is a ``Trouble``."""
        asked, asks = self.question, self.budget.reply if self.budget else None
        message = {"do": "call", "cases": self.cases, "asks": bool(asks), "other": self.other}
        message |= {"question": asked.name, "answer": asked.answer}
        message["drive"] = (asked.outside or asked).drive.__name__
        try:
            found = channel.request(message, seconds, asks).get("cases", ())
            whole = isinstance(found, list) and len(found) in (0, len(self.cases))
            if not whole or not all(type(case) is dict for case in found):
                raise Trouble("tampered", "a reply has not the form of one")
            self.outcome = found
        except Trouble as trouble:
            self.outcome = trouble
            raise


class Run:
    """One hand-in on its way through as many sandboxes as it breaks.
    A cell that breaks its sandbox is left out in the next one; a call that breaks it has its
    outcome, and the next call goes on in a fresh sandbox. The first ``given`` cells were given out.
    """

    def __init__(
        self, calls: Sequence[Call], cells: Sequence[str], limits: Limits, given: int
    ) -> None:
        self.calls, self.cells, self.limits, self.given = calls, cells, limits, given
        self.left_out: dict[int, Trouble] = {}
        self.late: dict[int, Trouble] = {}
        self.failed: dict[int, str] = {}

    @property
    def troubles(self) -> set[str]:
        """Of all kinds that there were."""
        outcomes = [call.outcome for call in self.calls if call.hidden]
        found = [*self.left_out.values(), *self.late.values(), *outcomes]
        return {trouble.kind for trouble in found if isinstance(trouble, Trouble)}

    @property
    def notes(self) -> list[str]:
        """Which cells were left out, and which failed."""
        notes = [f"left out: {self._cell(n)}, because {t}" for n, t in self.left_out.items()]
        notes += [f"cut: {self._cell(n)}, because {t}" for n, t in self.late.items()]
        notes += [f"{self._cell(n)} failed: {words}" for n, words in self.failed.items()]
        more = len(notes) - MOST_NOTES
        return [*notes[:MOST_NOTES], f"and {more} more cells"] if more > 0 else notes

    def _cell(self, place: int) -> str:
        """A cell as the student knows it: by its first line."""
        if place < self.given:
            return "a cell that was given out"
        first = self.cells[place].strip().splitlines()[0][:60]
        return f"the cell that begins with {first!r}"

    def finish(self, box: Box) -> None:
        """Get the outcome of every call."""
        self.start, self.computed, self.share = time.monotonic(), 0.0, CELLS_SHARE
        while left := [call for call in self.calls if call.outcome is None]:
            if late := self._late(1):
                for call in left:
                    call.outcome = late
                return
            with box.start(self.limits) as started:
                channel = Channel(started, self.limits)
                try:
                    channel.request({"do": "load"}, START_SECONDS)
                except Trouble as trouble:
                    raise RuntimeError(f"the box does not start: {trouble}") from trouble
                with suppress(Trouble):  # the next one goes on without what broke this one
                    failed = self._run(channel, range(len(self.cells)))
                    # A cell may need what a later one defines, when cells were moved.
                    self.failed = self._run(channel, [n for n in failed if n >= self.given])
                    self.share = 1  # of cells that run again
                    for call in left:
                        first = call.first.outcome if call.first else None
                        if isinstance(first, Trouble) and first.kind != "tampered":
                            call.outcome = first
                        elif not self._late(1, channel.computed):
                            call.make(channel, self._seconds(1, channel.computed))
                self.computed += channel.computed

    def _run(self, channel: Channel, places: Iterable[int]) -> dict[int, str]:
        """Run cells, and return what those that failed have raised."""
        failed = {}
        for place in places:
            if place in self.left_out:
                continue
            own, spent = place >= self.given, channel.computed
            if own and (late := self._late(self.share, spent)):
                self.late[place] = late
                continue
            seconds = self._seconds(self.share, spent) if own else START_SECONDS
            seconds = min(seconds, AGAIN_SECONDS) if place in self.late else seconds
            message = {"do": "run", "cell": place, "source": self.cells[place]}
            message |= {"seconds": seconds, "wall": self.limits.patience * seconds}
            try:
                reply = channel.request(message, seconds + GRACE_SECONDS)
            except Trouble as trouble:
                self.left_out[place] = trouble
                raise
            if reply.get("late"):  # a lie about it earns nothing
                self.late[place] = channel.late(computed=reply["late"] != ["wall"])
            elif reply.get("error"):
                failed[place] = short(reply["error"])
        return failed

    def _seconds(self, share: float, computed: float) -> float:
        """How many the next request may compute, in a share of the hand-in's, of which this
        sandbox has ``computed`` some."""
        left = share * self.limits.whole_seconds - self.computed - computed
        return min(self.limits.cell_seconds, left)

    def _late(self, share: float, computed: float = 0) -> Trouble | None:
        """What to say when there are none, or when too many have passed."""
        end = self.start + self.limits.patience * share * self.limits.whole_seconds
        left = self._seconds(share, computed) > 0
        kind = "starved" if left else "timed out"
        late = not left or time.monotonic() >= end
        return Trouble(kind, "the whole notebook took too long") if late else None
