"""A channel to a sandbox: a line of JSON there, a line back, and a limit on everything."""

from __future__ import annotations

import json
import os
import secrets
import selectors
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil

from nas_lab.homework.grading.boxes import Limits

MOST_BYTES = 8 << 20
"""Of one reply: 40 cases of the runner's longest value."""
MOST_DIGITS = 400
"""Of a whole number in a reply."""
CHECK_SECONDS = 0.25
"""How often processes, their memory and their time are checked."""
CPU_FACTOR = 1.2
"""A request may compute this many times its seconds, all processes together."""
LEAST_FREE = 256 << 20
"""Below this many free bytes of the machine, a sandbox that grows is ended."""


class Trouble(Exception):
    """A sandbox gave no proper reply.

    Attributes:
        kind: timed out, ended, memory or tampered.
        queries: how many a search had made before.
    """

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind, self.queries = kind, 0


class Channel:
    """Requests to one sandbox and its replies.

    Args:
        process: with pipes to the runner's requests and from its replies.
        limits: what it may use.
    """

    def __init__(self, process: subprocess.Popen, limits: Limits) -> None:
        self.process, self.limits = psutil.Process(process.pid), limits
        pipes = filter(None, (process.stdin, process.stdout))
        self._out, self._in = (pipe.fileno() for pipe in pipes)
        self._buffer = bytearray()
        self._checked = self._computed = self._most_computed = 0.0
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)

    def request(
        self, message: dict, seconds: float, reply_to: Callable[[Any], dict] | None = None
    ) -> dict:
        """Send a message and return the reply to it.

        Args:
            message: plain data; a fresh nonce is added.
            seconds: until the reply must be there.
            reply_to: replies to queries that the sandbox makes meanwhile, where it may.

        Raises:
            Trouble: there was no proper reply.
        """
        nonce, deadline = secrets.token_hex(16), time.monotonic() + seconds
        self._most_computed = self._computed + CPU_FACTOR * seconds
        while True:
            reply = self._exchange({"nonce": nonce, **message}, deadline)
            if reply_to is None or "ask" not in reply:
                return reply
            message = reply_to(reply["ask"])

    def _exchange(self, message: dict, deadline: float) -> dict:
        self._read()
        if self._buffer:
            raise Trouble("tampered", "there was a reply before the question")
        self._send(json.dumps(message).encode() + b"\n", deadline)
        reply = decoded(self._receive(deadline))
        if not isinstance(reply, dict) or reply.get("nonce") != message["nonce"]:
            raise Trouble("tampered", "a reply does not belong to its question")
        return reply

    def _send(self, line: bytes, deadline: float) -> None:
        while line:
            self._wait(self._out, selectors.EVENT_WRITE, deadline)
            try:
                line = line[os.write(self._out, line[: 1 << 16]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise Trouble("ended", "its process ended") from None

    def _receive(self, deadline: float) -> bytes:
        while b"\n" not in self._buffer:
            self._wait(self._in, selectors.EVENT_READ, deadline)
            if not self._read():
                raise Trouble("ended", "its process ended")
            if len(self._buffer) > MOST_BYTES:
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

    def _wait(self, pipe: int, event: int, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Trouble("timed out", "it took too long")
                if time.monotonic() > self._checked + CHECK_SECONDS:
                    self._check_usage()
                if selector.select(min(left, CHECK_SECONDS)):
                    return

    def _check_usage(self) -> None:
        processes = [self.process, *self.process.children(recursive=True)]
        size, self._computed = map(sum, zip(*map(_usage, processes), strict=True))
        self._checked = time.monotonic()
        # What processes share counts several times in their sizes: if in doubt, once.
        too_much = size > self.limits.memory and sum(map(_share, processes)) > self.limits.memory
        if too_much or (size > LEAST_FREE > psutil.virtual_memory().available):
            raise Trouble("memory", "it took too much memory")
        if self._computed > self._most_computed:
            raise Trouble("timed out", "it computed too long, all its processes together")
        if len(processes) > 2 * self.limits.processes:
            raise Trouble("ended", "it started too many processes")


def _usage(process: psutil.Process) -> tuple[int, float]:
    """Bytes in memory, and seconds computed with children that have ended."""
    with suppress(psutil.Error):
        return process.memory_info().rss, sum(process.cpu_times()[:4])
    return 0, 0.0


def _share(process: psutil.Process) -> int:
    """Bytes in memory, divided by how many processes share them. Slower than `_usage`."""
    with suppress(psutil.Error, AttributeError):  # ended, another user's, or no Linux
        return process.memory_full_info().pss
    return _usage(process)[0]


def decoded(line: bytes) -> Any:
    """A reply as plain data: nothing in it can be more than that.

    Raises:
        Trouble: it is no JSON.
    """
    try:
        return json.loads(line.decode("utf-8"), parse_int=_whole)
    except (ValueError, RecursionError):
        raise Trouble("tampered", "a reply is no JSON") from None


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= MOST_DIGITS else "a number with too many digits"
