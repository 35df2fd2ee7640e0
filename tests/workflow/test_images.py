"""A reader's own images: what torchvision reads, we read; what is wrong is said with its place."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.datasets import ImageFolder

from nas_lab.workflow import Images, Splits, read_csv, read_folder, split, without_copies
from nas_lab.workflow.images import save_png


def drawn(n, side=4, channels=1, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (n, side, side, channels), dtype=np.uint8)
    return Images(pixels, np.arange(n) % classes, tuple("abcdefgh"[:classes]))


def written(images, folder):
    for number, (pixels, label) in enumerate(zip(images.pixels, images.labels, strict=True)):
        place = folder / images.classes[label]
        place.mkdir(parents=True, exist_ok=True)
        save_png(pixels.squeeze(), place / f"{number:03}.png")
    return folder


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_is_read_as_torchvision_reads_it(tmp_path, channels):
    root = written(drawn(9, channels=channels), tmp_path)
    mine, theirs = read_folder(root), ImageFolder(str(root))
    assert list(mine.classes) == theirs.classes
    assert mine.labels.tolist() == theirs.targets
    mode = "L" if channels == 1 else "RGB"
    expected = [np.asarray(image.convert(mode)).reshape(4, 4, -1) for image, _ in theirs]
    assert np.array_equal(mine.pixels, np.stack(expected))


def test_one_coloured_file_makes_all_of_them_coloured(tmp_path):
    root = written(drawn(6), tmp_path)
    Image.new("RGB", (4, 4), (255, 0, 7)).save(root / "b" / "zz.png")
    found = read_folder(root)
    assert found.pixels.shape == (7, 4, 4, 3)
    assert [255, 0, 7] in found.pixels[:, 0, 0].tolist()


def test_a_side_makes_images_of_different_sizes_alike(tmp_path):
    root = written(drawn(6), tmp_path)
    Image.new("L", (9, 5), 128).save(root / "a" / "large.png")
    with pytest.raises(ValueError, match=r"large\.png is 9 x 5 pixels, .* is 4 x 4"):
        read_folder(root)
    found = read_folder(root, side=6)
    assert found.pixels.shape == (7, 6, 6, 1)
    assert 128 in found.pixels.mean(axis=(1, 2, 3))


def test_hidden_files_and_other_files_are_left_alone(tmp_path):
    root = written(drawn(6), tmp_path)
    (root / "a" / ".hidden.png").write_text("no image")
    (root / "a" / "notes.txt").write_text("no image")
    (root / ".git").mkdir()
    assert len(read_folder(root)) == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: (root / "a" / "x.png").write_text("no"), r"x\.png is no readable image"),
        (lambda root: (root / "empty").mkdir(), "empty holds no image"),
        (lambda root: (root / "a").rename(root.parent / "away"), "1 folder"),
    ],
)
def test_a_folder_that_is_wrong_is_told(tmp_path, change, said):
    root = written(drawn(6, classes=2), tmp_path / "images")
    change(root)
    with pytest.raises(ValueError, match=said):
        read_folder(root)
    with pytest.raises(ValueError, match="is no folder"):
        read_folder(tmp_path / "nowhere")


def as_csv(images, path, heading=False):
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        if heading:
            out.writerow(["label", *(f"pixel{i}" for i in range(images.pixels[0].size))])
        for pixels, label in zip(images.pixels, images.labels, strict=True):
            out.writerow([images.classes[label], *pixels.ravel().tolist()])
    return path


@pytest.mark.parametrize("heading", [False, True])
def test_a_csv_comes_back(tmp_path, heading):
    images = drawn(7, channels=1)
    found = read_csv(as_csv(images, tmp_path / "a.csv", heading))
    assert np.array_equal(found.pixels, images.pixels)
    assert found.labels.tolist() == images.labels.tolist()
    assert found.classes == images.classes


def test_classes_that_are_numbers_are_in_their_order(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("10,0\n9,1\nzebra,2\n9,3\n")
    found = read_csv(path)
    assert found.classes == ("9", "10", "zebra")
    assert found.labels.tolist() == [1, 0, 2, 0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no line"),
        ("label,pixel\n", "no line"),
        ("a,1,2,3,4\nb,1,2,3\n", "line 2 has 4 fields, the lines before have 5"),
        ("a,1,2,3,4\nb,1,2,3,x\n", r"line 2.*'x'"),
        ("a,1,2,3,4\nb,1,2,3,256\n", "line 2 has a pixel outside"),
        ("a,1,2,3,4\nb,1,2,3,nan\n", "line 2 has a pixel outside"),
        ("a,1,2,3\nb,1,2,3\n", "3 pixels a line, which make no square"),
        ("a,1\na,2\n", "two classes at least"),
        ("a\nb\n", "0 pixels"),
    ],
)
def test_a_csv_that_is_wrong_is_told(tmp_path, text, said):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_csv(path)


@pytest.mark.parametrize(
    ("shape", "kind", "labels", "classes", "error"),
    [
        ((2, 3, 3, 1), float, [0, 1], "ab", TypeError),
        ((2, 3, 3, 1), np.uint8, [0.0, 1.0], "ab", TypeError),
        ((2, 3, 3), np.uint8, [0, 1], "ab", ValueError),
        ((2, 3, 3, 2), np.uint8, [0, 1], "ab", ValueError),
        ((2, 3, 3, 1), np.uint8, [0, 1, 2], "ab", ValueError),
        ((2, 3, 3, 1), np.uint8, [1, 2], "ab", ValueError),
        ((2, 3, 3, 1), np.uint8, [0, 0], "a", ValueError),
        ((2, 3, 3, 1), np.uint8, [0, 1], "aa", ValueError),
    ],
)
def test_images_that_do_not_fit_are_refused(shape, kind, labels, classes, error):
    with pytest.raises(error):
        Images(np.zeros(shape, kind), np.array(labels), tuple(classes))


@given(st.lists(st.integers(5, 40), min_size=2, max_size=4), st.integers(0, 9))
def test_a_split_deals_every_image_once_and_every_class_alike(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    pixels = np.zeros((len(labels), 1, 1, 3), np.uint8)
    pixels[:, 0, 0, 0], pixels[:, 0, 0, 1] = np.arange(len(labels)) % 256, labels
    images = Images(pixels, labels, tuple("abcd"[: len(sizes)]))
    parts = split(images, (0.5, 0.3, 0.2), seed=seed)
    dealt = [key for part in parts.parts.values() for key in part.keys]
    assert sorted(dealt) == sorted(images.keys)
    for share, part in zip((0.5, 0.3, 0.2), parts.parts.values(), strict=True):
        assert np.abs(part.counts - share * np.array(sizes)).max() <= 1.01
        assert np.array_equal(part.pixels[:, 0, 0, 1], part.labels)
    again = split(images, (0.5, 0.3, 0.2), seed=seed)
    assert np.array_equal(again.test.pixels, parts.test.pixels)


def test_a_seed_changes_the_split_and_what_cannot_be_split_is_refused():
    images = drawn(60)
    first, other = (split(images, seed=seed).test.pixels for seed in (0, 1))
    assert not np.array_equal(first, other)
    with pytest.raises(ValueError, match="class 'a' has 2 image"):
        split(drawn(6))
    for shares in ((0.5, 0.5, 0.5), (1.0, 0.0, 0.0), (0.5, 0.5)):
        with pytest.raises(ValueError, match="shares"):
            split(drawn(30), shares)
    with pytest.raises(ValueError, match="different image sizes or classes"):
        Splits(drawn(4), drawn(4), drawn(4, side=5))


def test_copies_go_and_contradictions_go_wholly():
    images = drawn(6, classes=3)
    both = Images(images.pixels[[0, 1, 2, 0, 1, 5]], np.array([0, 1, 2, 0, 2, 2]), images.classes)
    kept = without_copies(both)  # 0 twice with one label, 1 twice with two
    assert np.array_equal(kept.pixels, images.pixels[[0, 2, 5]])
    assert kept.labels.tolist() == [0, 2, 2]
