"""The clock: one at a time, as long as wanted, and no longer than its widget."""

import asyncio
import gc
import time
import weakref

from nas_lab.widgets.base import Clock
from tests.widgets.reading import until


class Owner:
    """Something that counts ticks, and the tasks that they come from."""

    def __init__(self, last=10**9):
        self.ticks, self.passed, self.last, self.tasks = 0, 0.0, last, set()
        self.clock = Clock(self.tick, period=0.0)

    def tick(self, passed):
        self.ticks += 1
        self.passed += passed
        self.tasks.add(id(asyncio.current_task()))
        return self.ticks < self.last

    async def start(self):
        """Start the clock and wait until it has ticked."""
        ticks = self.ticks
        self.clock.start()
        await until(lambda: self.ticks > ticks)

    async def ended(self):
        await until(self.clock._task.done)


def test_it_ticks_until_it_is_told_no_more():
    async def main():
        owner, began = Owner(), time.monotonic()
        for owner.last in (3, 5):
            await owner.start()
            await owner.ended()
            assert owner.ticks == owner.last
        assert 0 < owner.passed <= time.monotonic() - began

    asyncio.run(main())


def test_a_second_start_is_no_second_clock():
    async def main():
        owner = Owner()
        for _ in range(5):
            await owner.start()
        assert len(owner.tasks) == 1

    asyncio.run(main())


def test_others_have_their_turn_between_ticks():
    async def main():
        owner, heard = Owner(last=20), set()
        owner.clock.start()
        while not owner.clock._task.done():
            heard.add(owner.ticks)
            await asyncio.sleep(0)
        assert len(heard) > 1

    asyncio.run(main())


def test_it_goes_on_in_the_loop_of_the_last_start():
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    owner = Owner()
    first.run_until_complete(owner.start())
    old = owner.clock._task
    second.run_until_complete(owner.start())  # the first loop has stopped with its task in it
    assert owner.clock._task is not old
    ticks = owner.ticks
    first.run_until_complete(until(old.done))  # when it wakes up again, it has nothing to do
    assert owner.ticks == ticks
    owner.last = 0
    second.run_until_complete(owner.ended())
    first.close()
    second.close()


def test_it_keeps_nothing_alive():
    async def main():
        owner = Owner()
        await owner.start()
        gone, task = weakref.ref(owner), owner.clock._task
        del owner
        gc.collect()
        assert gone() is None
        await until(task.done)

    asyncio.run(main())


def test_an_error_ends_it_and_it_can_be_started_again():
    class Broken(Owner):
        def tick(self, passed):
            super().tick(passed)
            raise ZeroDivisionError

    async def main():
        owner = Broken()
        for ticks in (1, 2):
            owner.clock.start()
            await owner.ended()
            assert isinstance(owner.clock._task.exception(), ZeroDivisionError)
            assert owner.ticks == ticks

    asyncio.run(main())


def test_without_an_event_loop_it_does_not_start():
    assert not Owner().clock.start()
