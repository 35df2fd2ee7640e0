"""Films: pictures one after the other, as a GIF, or a page that plays by itself.

A page holds the first picture and what differs from it, in few colours: 1.1 MB for 60 pictures of
the player, which ``matplotlib.animation.HTMLWriter`` makes 13 MB and four times as slowly. As a
GIF it is 0.6 MB, and 3.7 MB with ``PillowWriter``.
"""

import base64
import html
import io
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image

LIMIT = 2_000_000  # bytes that a film has at most: what is larger loses every second picture
_PALETTE = 64
_CLEAR = 255  # place in the palette of what is transparent


def save_film(
    pictures: Sequence[Image.Image], path: str | Path, *, seconds: float = 12.0, alt: str = ""
) -> Path:
    """Save pictures as a film of at most 2 MB; the suffix decides the kind.

    ``.gif`` goes anywhere, and plays in a loop. ``.html`` is a page without anything from
    outside, with play, pause and a slider; ``alt`` says what it shows, for those who cannot see
    it.

    All pictures have one size. A sequence may draw each when it is asked for it: only copies of
    few colours are kept.
    """
    path = Path(path)
    makers = {".gif": _gif, ".html": _page}
    if path.suffix not in makers:
        raise ValueError(f"{path.name}: films are .gif or .html")
    frames = _reduced(pictures)
    content = makers[path.suffix](frames, seconds, alt)
    while len(content) > LIMIT and len(frames) > 2:
        frames = [*frames[:-1:2], frames[-1]]
        content = makers[path.suffix](frames, seconds, alt)
    if len(content) > LIMIT:
        raise ValueError(f"{path.name} would have {len(content):,} bytes: make pictures smaller")
    path.write_bytes(content)
    return path


def _gif(frames: Sequence[Image.Image], seconds: float, alt: str) -> bytes:
    buffer = io.BytesIO()
    each = max(20, round(1000 * seconds / len(frames)))
    times = [each] * (len(frames) - 1) + [max(each, 1500)]  # time to look at the end
    first, *others = frames
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=times, loop=0)
    return buffer.getvalue()


def _page(frames: Sequence[Image.Image], seconds: float, alt: str) -> bytes:
    """The first picture, and for each what differs from it."""
    first, layers = _png(frames[0]), [_png(_difference(frames[0], f)) for f in frames]
    parts = {
        "ALT": html.escape(alt, quote=True),
        "FIRST": first,
        "LAYERS": ",".join(f'"{layer}"' for layer in layers),
        "LAST": str(len(frames) - 1),
        "EACH": str(round(1000 * seconds / len(frames))),
        "WIDTH": str(frames[0].width),
    }
    page = resources.files("nas_lab.plots").joinpath("film.html").read_text("utf-8")
    for name, value in parts.items():
        page = page.replace(f"@{name}@", value)
    return page.encode()


def _reduced(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """All in one palette, that of the first, the middle and the last together."""
    if not pictures:
        raise ValueError("there is no picture to make a film of")
    some = [np.asarray(pictures[i].convert("RGB")) for i in (0, len(pictures) // 2, -1)]
    plain = Image.Dither.NONE
    palette = Image.fromarray(np.concatenate(some)).quantize(_PALETTE, dither=plain)
    return [p.convert("RGB").quantize(palette=palette, dither=plain) for p in pictures]


def _difference(first: Image.Image, frame: Image.Image) -> Image.Image:
    """The picture, transparent where it is as the first."""
    same = np.asarray(first) == np.asarray(frame)
    layer = Image.fromarray(np.where(same, _CLEAR, np.asarray(frame)).astype(np.uint8), "P")
    colours = frame.getpalette() or []
    layer.putpalette([*colours, *[255] * (3 * 256 - len(colours))])
    return layer


def _png(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", transparency=_CLEAR)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
