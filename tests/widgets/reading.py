"""What tests do with any widget: find a control by what it says, press, and read all its words."""

import asyncio
import functools
import html
import re

import ipywidgets


def parts(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def find(widget, text):
    """The control with this description."""
    return next(p for p in parts(widget) if getattr(p, "description", None) == text)


def press(widget, text):
    """Click the button whose description begins so."""
    buttons = (p for p in parts(widget) if isinstance(p, ipywidgets.Button))
    next(b for b in buttons if b.description.startswith(text)).click()


def shown(widget):
    """The HTML of all that is shown, pictures as well."""
    return [p.value for p in parts(widget) if isinstance(p, ipywidgets.HTML)]


def words(widget):
    """All that a reader sees or hears, without tags: alternative texts first."""
    page = " ".join(shown(widget))
    alternative = " ".join(re.findall(r'alt="([^"]*)"', page))
    bare = re.sub("<[^>]+>", " ", re.sub("(?s)<style>.*?</style>", "", page))
    return " ".join(html.unescape(f"{alternative} {bare}").split())


def lit(widget):
    """Descriptions of the controls that are lit up."""
    classes = ((p, getattr(p, "_dom_classes", ())) for p in parts(widget))
    return [p.description for p, names in classes if "nas-lab-pointed" in names]


def images(widget):
    """The sources of all pictures."""
    return re.findall(r'src="([^"]*)"', " ".join(shown(widget)))


def until(condition, seconds=300):
    """Let the event loop go on until something holds."""

    async def wait():
        while not condition():
            await asyncio.sleep(0.001)

    return asyncio.wait_for(wait(), seconds)


def in_loop(test):
    """Run a coroutine that is a test."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return run
