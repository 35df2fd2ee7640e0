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


def drawn(n, side=4, channels=1, classes=3):
    pixels = np.random.default_rng(0).integers(0, 256, (n, side, side, channels), dtype=np.uint8)
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
    assert (list(mine.classes), mine.labels.tolist()) == (theirs.classes, theirs.targets)
    mode = "L" if channels == 1 else "RGB"
    expected = [np.asarray(image.convert(mode)).reshape(4, 4, -1) for image, _ in theirs]
    assert np.array_equal(mine.pixels, np.stack(expected))


def test_other_files_are_left_alone_and_one_coloured_file_makes_all_of_them_coloured(tmp_path):
    root = written(drawn(6), tmp_path)
    (root / "a" / ".hidden.png").write_text("no image")
    (root / "a" / "notes.txt").write_text("no image")
    (root / ".git").mkdir()
    assert len(read_folder(root)) == 6
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: (root / "a" / "x.png").write_text("no"), r"x\.png is no readable image"),
        (lambda root: (root / "empty").mkdir(), "empty holds no image"),
        (lambda root: (root / "a").rename(root.parent / "away"), "1 folder"),
        (lambda root: root.rename(root.parent / "away"), "is no folder"),
    ],
)
def test_a_folder_that_is_wrong_is_told(tmp_path, change, said):
    root = written(drawn(6, classes=2), tmp_path / "images")
    change(root)
    with pytest.raises(ValueError, match=said):
        read_folder(root)


@pytest.mark.parametrize("heading", [[], [["label", *(f"pixel{i}" for i in range(16))]]])
def test_a_csv_comes_back(tmp_path, heading):
    images, path = drawn(7), tmp_path / "a.csv"
    rows = [
        [images.classes[y], *x.ravel()] for x, y in zip(images.pixels, images.labels, strict=True)
    ]
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([*heading, *rows])
    found = read_csv(path)
    assert np.array_equal(found.pixels, images.pixels)
    assert (found.labels.tolist(), found.classes) == (images.labels.tolist(), images.classes)


def test_classes_that_are_numbers_are_in_their_order(tmp_path):
    (tmp_path / "a.csv").write_text("10,0\n9,1\nzebra,2\n9,3\n")
    found = read_csv(tmp_path / "a.csv")
    assert (found.classes, found.labels.tolist()) == (("9", "10", "zebra"), [1, 0, 2, 0])


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
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_csv(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("shape", "labels", "classes", "said"),
    [
        ((2, 3, 3), [0, 1], "ab", "pixels have shape"),
        ((2, 3, 3, 2), [0, 1], "ab", "pixels have shape"),
        ((2, 3, 3, 1), [0, 1, 2], "ab", "2 images and 3 labels"),
        ((0, 3, 3, 1), [], "ab", "at least one"),
        ((2, 3, 3, 1), [1, 2], "ab", "labels are places"),
        ((2, 3, 3, 1), [0, 0], "a", "two classes"),
        ((2, 3, 3, 1), [0, 1], "aa", "named differently"),
    ],
)
def test_images_that_do_not_fit_are_refused(shape, labels, classes, said):
    with pytest.raises(ValueError, match=said):
        Images(np.zeros(shape, np.uint8), np.array(labels, int), tuple(classes))
    for kinds in ((float, int), (np.uint8, float)):
        with pytest.raises(TypeError, match="astype"):
            Images(np.zeros(shape, kinds[0]), np.array(labels, kinds[1]), tuple(classes))


@given(st.lists(st.integers(5, 40), min_size=2, max_size=4), st.integers(0, 9))
def test_a_split_deals_every_image_once_and_every_class_alike(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    pixels = np.zeros((len(labels), 1, 1, 3), np.uint8)
    pixels[:, 0, 0, 0], pixels[:, 0, 0, 1] = np.arange(len(labels)) % 256, labels
    images = Images(pixels, labels, tuple("abcd"[: len(sizes)]))
    parts, again = (split(images, (0.5, 0.3, 0.2), seed=seed) for _ in range(2))
    dealt = [key for part in parts.parts.values() for key in part.keys]
    assert sorted(dealt) == sorted(images.keys)
    for share, part in zip((0.5, 0.3, 0.2), parts.parts.values(), strict=True):
        assert np.abs(part.counts - share * np.array(sizes)).max() <= 1.01
        assert np.array_equal(part.pixels[:, 0, 0, 1], part.labels)
    assert np.array_equal(again.test.pixels, parts.test.pixels)


def test_a_seed_changes_the_split_and_what_cannot_be_split_is_refused():
    assert split(drawn(60)).test.keys != split(drawn(60), seed=1).test.keys
    with pytest.raises(ValueError, match="class 'a' has 2 image"):
        split(drawn(6))
    for shares in ((0.5, 0.5, 0.5), (1.0, 0.0, 0.0), (0.5, 0.5)):
        with pytest.raises(ValueError, match="shares"):
            split(drawn(30), shares)
    with pytest.raises(ValueError, match="different image sizes or classes"):
        Splits(drawn(4), drawn(4), drawn(4, side=5))


def test_copies_go_and_contradictions_go_wholly():
    images = drawn(6)
    both = Images(images.pixels[[0, 1, 2, 0, 1, 5]], np.array([0, 1, 2, 0, 2, 2]), images.classes)
    kept = without_copies(both)  # 0 twice with one label, 1 twice with two
    assert np.array_equal(kept.pixels, images.pixels[[0, 2, 5]])
    assert kept.labels.tolist() == [0, 2, 2]
