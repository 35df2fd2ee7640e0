"""A channel to a box: a line of JSON there, a line back, and a limit on everything."""

from __future__ import annotations

import json
import os
import secrets
import selectors
import subprocess
import time
from collections.abc import Callable
from typing import Any

from nas_lab.homework.drivers import Plain
from nas_lab.homework.grading import processes
from nas_lab.homework.question import Question

MOST_BYTES = 8 << 20
"""Of one reply: 40 cases of the runner's longest value."""
MOST_DIGITS = 400
"""Of a whole number in a reply."""
LOOK_SECONDS = 0.25
"""How often processes, their memory and their time are looked at."""
CPU_FACTOR = 1.2
"""A request may compute this many times its seconds, all processes together."""


class Trouble(Exception):
    """A box that gave no proper reply: ``kind`` is timed out, ended, memory or tampered."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


class Channel:
    """A conversation with one box.

    Args:
        process: with pipes to the runner's requests and from its replies.
        memory: bytes that its processes may hold together.
        most: how many processes there may be.
    """

    def __init__(self, process: subprocess.Popen, memory: int, most: int = 1_000) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self.memory, self.most = process, memory, most
        self._out, self._in = process.stdin.fileno(), process.stdout.fileno()
        self._buffer = bytearray()
        self._looked = self._computed = self._most_computed = 0.0
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)

    def ask(
        self,
        request: dict,
        seconds: float,
        answer_query: Callable[[Any], dict] | None = None,
    ) -> dict:
        """Send a request and return the reply to it.

        Args:
            request: plain data; a fresh nonce is added.
            seconds: until the reply must be there.
            answer_query: answers what the box asks meanwhile, where it may ask.

        Raises:
            Trouble: there was no proper reply.
        """
        nonce, deadline = secrets.token_hex(16), time.monotonic() + seconds
        self._most_computed = self._computed + CPU_FACTOR * seconds
        line = json.dumps({"nonce": nonce, **request}).encode() + b"\n"
        while True:
            reply = self._exchange(line, deadline, nonce)
            if answer_query is None or "ask" not in reply:
                return reply
            line = json.dumps(answer_query(reply["ask"])).encode() + b"\n"

    def _exchange(self, line: bytes, deadline: float, nonce: str) -> dict:
        self._read()
        if self._buffer:
            raise Trouble("tampered", "there was a reply before the question")
        self._send(line, deadline)
        reply = decoded(self._receive(deadline))
        if not isinstance(reply, dict) or reply.get("nonce") != nonce:
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
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        return line

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
                if time.monotonic() > self._looked + LOOK_SECONDS:
                    self._look_around()
                if selector.select(min(left, LOOK_SECONDS)):
                    return

    def _look_around(self) -> None:
        number, size, self._computed = processes.usage(self.process.pid)
        self._looked = time.monotonic()
        too_much = size > self.memory and processes.shared_out(self.process.pid) > self.memory
        short = size > processes.LEAST_FREE and processes.memory_is_short()
        if too_much or short:
            raise Trouble("memory", "it took too much memory")
        if self._computed > self._most_computed:
            raise Trouble("timed out", "it computed too long, all its processes together")
        if number > self.most:
            raise Trouble("ended", "it started too many processes")


def call(question: Question, cases: list[list[Plain]], **more: bool) -> dict[str, Any]:
    """The request that puts an answer to work on cases."""
    return {
        "do": "call",
        "question": question.name,
        "answer": question.answer,
        "drive": f"{question.drive.__module__}.{question.drive.__name__}",
        "cases": cases,
        **more,
    }


def as_text(words: object, most: int = 600) -> str:
    """What a hand-in says, which may be anything, as a short text."""
    return words[:most] if isinstance(words, str) else "an error that is no text"


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
