"""Films play by themselves, show every picture, and are no larger than 2 MB."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageSequence

from nas_lab import plots
from nas_lab.plots import films


def pictures(n=6):
    """A ball on its way to the right."""
    made = [Image.new("RGB", (120, 60), "white") for _ in range(n)]
    for i, picture in enumerate(made):
        x = 10 + i * 90 // n
        ImageDraw.Draw(picture).ellipse([x, 20, x + 15, 35], fill=plots.COLORS["nor_conv_3x3"])
    return made


def near(a, b):
    """Whether two pictures look alike."""
    return np.abs(np.asarray(a, dtype=int) - np.asarray(b, dtype=int)).max() <= 12


def test_a_gif_has_all_pictures_in_their_time(tmp_path):
    path = plots.save_film(pictures(), tmp_path / "film.gif", seconds=3)
    with Image.open(path) as film:
        shown = [(f.convert("RGB"), f.info["duration"]) for f in ImageSequence.Iterator(film)]
        assert film.info["loop"] == 0
    assert [duration for _, duration in shown] == [500] * 5 + [1500]
    assert all(near(got, picture) for (got, _), picture in zip(shown, pictures(), strict=True))


def test_a_page_holds_every_picture_and_nothing_from_outside(tmp_path):
    path = plots.save_film(pictures(), tmp_path / "film.html", alt='a "ball"')
    page = path.read_text("utf-8")
    assert not re.search(r"(https?:)?//\w|@\w+@|import|src=\"(?!data:)", page.split("base64", 1)[0])
    assert "http" not in re.sub(r"[A-Za-z0-9+/=]{200,}", "", page)
    assert 'alt="a &quot;ball&quot;"' in page
    first = picture_of(re.search(r'src="data:image/png;base64,([^"]+)"', page)[1])
    layers = re.findall(r'"([A-Za-z0-9+/=]{60,})"', page.split("const layers")[1])
    assert len(layers) == 6
    for layer, picture in zip(layers, pictures(), strict=True):
        shown = Image.alpha_composite(first, picture_of(layer)).convert("RGB")
        assert near(shown, picture)


def picture_of(encoded):
    return Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGBA")


@pytest.mark.parametrize("suffix", ["gif", "html"])
def test_a_film_that_is_too_large_loses_every_second_picture(tmp_path, monkeypatch, suffix):
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)) for _ in range(9)]
    whole = plots.save_film(noise, tmp_path / f"whole.{suffix}").stat().st_size
    monkeypatch.setattr(films, "LIMIT", whole // 2)
    assert plots.save_film(noise, tmp_path / f"film.{suffix}").stat().st_size <= whole // 2
    monkeypatch.setattr(films, "LIMIT", 100)
    with pytest.raises(ValueError, match="make pictures smaller"):
        plots.save_film(noise, tmp_path / f"film.{suffix}")


def test_what_makes_no_film_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"films are .gif or .html"):
        plots.save_film(pictures(), tmp_path / "film.avi")
    with pytest.raises(ValueError, match="no picture"):
        plots.save_film([], tmp_path / "film.gif")
    assert list(tmp_path.iterdir()) == []
