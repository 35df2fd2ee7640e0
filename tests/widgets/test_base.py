"""The clock: one at a time, as long as wanted, and no longer than its widget."""

import asyncio
import gc
import weakref

from nas_lab.widgets.base import Clock


class Owner:
    """Something that counts ticks, and the tasks that they come from."""

    def __init__(self, last=10**9, period=0.0):
        self.ticks, self.last, self.tasks = 0, last, set()
        self.clock = Clock(self.tick, period)

    def tick(self):
        self.ticks += 1
        self.tasks.add(id(asyncio.current_task()))
        return self.ticks < self.last


async def turns(n=50):
    for _ in range(n):
        await asyncio.sleep(0.0005)


def test_it_ticks_until_it_is_told_no_more():
    async def main():
        owner = Owner(last=3)
        owner.clock.start()
        await turns()
        assert owner.ticks == 3
        owner.last = 5
        owner.clock.start()
        await turns()
        assert owner.ticks == 5

    asyncio.run(main())


def test_a_second_start_is_no_second_clock():
    async def main():
        owner = Owner()
        for _ in range(5):
            owner.clock.start()
            await turns(3)
        assert owner.ticks > 1
        assert len(owner.tasks) == 1

    asyncio.run(main())


def test_others_have_their_turn_between_ticks():
    async def main():
        owner, heard = Owner(), []
        owner.clock.start()
        for _ in range(20):
            await asyncio.sleep(0)
            heard.append(owner.ticks)
        assert len(set(heard)) > 1

    asyncio.run(main())


def test_it_goes_on_in_the_loop_of_the_last_start():
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    owner = Owner()

    async def go():
        owner.clock.start()
        await turns(5)

    first.run_until_complete(go())
    old = owner.clock._task
    second.run_until_complete(go())  # the first loop has stopped with its task in it
    assert owner.clock._task is not old
    ticks = owner.ticks
    first.run_until_complete(turns(5))  # when it wakes up again, it has nothing to do
    assert old.done()
    assert owner.ticks == ticks
    owner.last = 0
    second.run_until_complete(turns(5))
    assert owner.clock._task.done()
    first.close()
    second.close()


def test_it_keeps_nothing_alive():
    async def main():
        owner = Owner()
        owner.clock.start()
        await turns(3)
        gone, task = weakref.ref(owner), owner.clock._task
        del owner
        gc.collect()
        assert gone() is None
        await turns(3)
        assert task.done()

    asyncio.run(main())


def test_an_error_ends_it_and_it_can_be_started_again():
    class Broken(Owner):
        def tick(self):
            super().tick()
            raise ZeroDivisionError

    async def main():
        owner = Broken()
        for ticks in (1, 2):
            owner.clock.start()
            await turns(3)
            assert isinstance(owner.clock._task.exception(), ZeroDivisionError)
            assert owner.ticks == ticks

    asyncio.run(main())


def test_without_an_event_loop_it_does_not_start():
    assert not Owner().clock.start()
