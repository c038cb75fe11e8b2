"""The page as text: one file, nothing asked for, nothing broken out of, every link inside whole."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from alexnet.evaluation import compute_metrics
from alexnet.reporting.run.examples import choose_examples
from alexnet.reporting.run.page import draw_page
from alexnet.reporting.thumbnails import make_thumbnails

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='x",
    "</section></main></title>",
    "javascript:alert(1)",
    "a\u202eb\u2067c\ud800\x00",
    "{{7*7}} ${x} &lt;b&gt;",
    "C:\\con\\..\\..\\é",
]
FILES = ["curves.png", "predictions.csv"]
VOID = {"br", "img", "meta"}


class Outline(HTMLParser):
    """Tags, ids and addresses; fails where tags are not closed in the order they were opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), f"an attribute twice in <{tag}>"
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def every(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]


@pytest.fixture
def page_of(report_data_of):
    def page_of(**changes):
        data = report_data_of(**changes)
        examples = choose_examples(data)
        thumbnails = make_thumbnails(data.image, examples.items())
        return draw_page(data, examples, thumbnails, FILES)

    return page_of


@pytest.fixture
def hostile(page_of):
    some = dict.fromkeys(HOSTILE, "</dd><script>1</script>")
    return page_of(
        classes=HOSTILE,
        title=HOSTILE[0],
        command=f"alexnet train {HOSTILE[1]}",
        facts=some | {"machine": HOSTILE[3]},
        preprocessing=some,
        class_words={HOSTILE[4]: HOSTILE[0]},
        skipped=[(each, each) for each in HOSTILE],
        notes=HOSTILE,
        recipe={"model": HOSTILE[0], "milestones": HOSTILE},
        filters=None,
        no_filters=HOSTILE[1],
        split=HOSTILE[2],
    )


def test_nothing_outside_of_the_page_is_named(hostile):
    outline = Outline(hostile)
    assert all(each.startswith("data:image/") for each in outline.every("src"))
    links = outline.every("href")
    assert {each for each in links if not each.startswith("#")} == set(FILES)
    assert not re.search(r"url\((?!#)|@import|srcset|<link|<iframe|<base|<form", hostile)
    style = hostile.split("<style>")[1].split("</style>")[0]
    assert "://" not in style


def test_hostile_names_bring_no_tags_no_attributes_and_no_scripts(hostile, page_of):
    outline, usual = Outline(hostile), Outline(page_of())
    assert {tag for tag, _ in outline.tags} <= {tag for tag, _ in usual.tags}
    assert [tag for tag, _ in outline.tags].count("script") == 1
    names = {name for _, attributes in outline.tags for name in attributes}
    assert not any(name.startswith("on") for name in names)
    assert names <= {name for _, attributes in usual.tags for name in attributes}
    assert "\u202e" not in hostile
    hostile.encode()


def test_the_policy_allows_the_own_script_alone(hostile):
    script = hostile.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(
        a["content"] for t, a in Outline(hostile).tags if "Security" in a.get("http-equiv", "")
    )
    rules = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["img-src"] == "data:"


def test_every_inner_link_has_its_place(page_of):
    outline = Outline(page_of(n=200, accuracy=0.6))
    ids = outline.every("id")
    assert len(ids) == len(set(ids))
    inner = [each[1:] for each in outline.every("href") if each.startswith("#")]
    assert set(inner) <= set(ids)
    assert any(each.startswith("cell-") for each in inner)
    assert set(outline.every("aria-labelledby")) <= set(ids)


def test_every_image_has_words(page_of):
    assert all(attributes.get("alt") for tag, attributes in Outline(page_of()).tags if tag == "img")
    drawings = [a for t, a in Outline(page_of()).tags if t == "svg"]
    assert drawings
    assert all(a["role"] == "img" and a["aria-label"] for a in drawings)


def test_the_headline_says_the_accuracy_with_its_interval(page_of, report_data_of):
    results = report_data_of().results
    page = page_of(class_words={})
    assert f"{100 * results.top1:.1f}<small>" in page
    assert "top-1 accuracy on 40 test images." in page
    low, high = results.top1_interval.low, results.top1_interval.high
    assert f"interval {100 * low:.1f} to {100 * high:.1f}\u202f%." in page
    assert "A sentence worth reading." in page
    assert "most frequent class 25.0\u202f%" in page


def test_missing_classes_and_unreadable_images_are_said(page_of, report_data_of):
    import dataclasses

    results = dataclasses.replace(
        report_data_of().results, missing_classes=["wasp"], unreadable=[("a.png", "it is cut off")]
    )
    page = page_of(results=results)
    assert "1 class had no image here: wasp." in page
    assert "1 image could not be read and are not counted." in page


def test_fields_of_the_recipe_that_differ_stand_out(page_of):
    page = page_of(
        recipe={"model": "alexnet", "lr": 0.2, "milestones": [3, 5], "flip": False, "seed": 0}
    )
    own = re.findall(r'<div class="own"><dt>([^<]+)</dt><dd>([^<]+)', page)
    assert own == [("lr", "0.2"), ("milestones", "3, 5"), ("flip", "no")]


def test_without_training_filters_or_skipped_images_the_page_says_so(page_of):
    page = page_of(epochs=[], filters=None, no_filters="There is no convolution.", skipped=[])
    for words in (
        "No training was recorded here.",
        "There is no convolution.",
        "Every image could be read.",
    ):
        assert words in page
    Outline(page)


def test_many_skipped_images_are_named_some_of_them(page_of):
    page = page_of(skipped=[(f"{i}.jpg", "it is cut off") for i in range(120)])
    assert "120 images could not be read." in page
    assert "49.jpg" in page
    assert "50.jpg" not in page
    assert "... and 70 more in skipped.csv of the run." in page


@pytest.mark.parametrize("split", [("test", "test "), ("val", "validation "), ("all", "")])
def test_the_split_is_named_in_words(page_of, split):
    assert f"top-1 accuracy on 40 {split[1]}images." in page_of(split=split[0])


@pytest.mark.parametrize(
    ("side", "shown", "crisp"),
    [(32, 96, True), (8, 104, True), (64, 104, False), (256, 128, False)],
)
def test_small_images_are_enlarged_by_a_whole_factor(page_of, side, shown, crisp):
    body = re.search(r"<body[^>]*>", page_of(side=side))
    assert body
    assert f"--image:{shown}px" in body[0]
    assert ("crisp" in body[0]) is crisp
    assert shown % side == 0 or not crisp


def test_filters_of_gray_images_are_said_to_be_added_up(page_of):
    gray = np.repeat(np.random.default_rng(0).normal(size=(8, 1, 5, 5)), 3, axis=1)
    assert "pixels, red, green and blue added up. Mid-gray" in page_of(filters=gray)
    assert "pixels over red, green and blue. Mid-gray" in page_of()


def test_many_epochs_are_thinned_and_the_last_stays(page_of, epoch_of):
    page = page_of(epochs=[epoch_of(e, best=False) for e in range(1, 1001)])
    table = page.split('id="epochs"')[1].split("</table>")[0]
    rows = [int(each) for each in re.findall(r'<th scope="row">(\d+)</th>', table)]
    assert len(rows) <= 201
    assert rows[0] == 1
    assert rows[-1] == 1000


def test_the_readout_shows_the_epoch_whose_weights_were_saved(page_of, epoch_of):
    nan = float("nan")
    epochs = [epoch_of(1, images_per_s=nan), epoch_of(2, train_loss=nan, best=False)]
    page = page_of(epochs=epochs)
    assert "Epoch 1<span>the weights that were saved" in page
    assert "<dt>images/s</dt><dd>–</dd>" in page
    assert "nan" not in re.sub(r"data:image[^\"]*|<script>.*?</script>", "", page, flags=re.DOTALL)


def test_captions_count_what_is_shown_of_how_many(page_of, report_data_of):
    data = report_data_of(n=400, accuracy=0.5)
    mistakes, correct = int((~data.correct).sum()), int(data.correct.sum())
    page = page_of(n=400, accuracy=0.5)
    assert f"24 of {mistakes} mistakes, most confident first." in page
    assert f"10 of {correct} correct predictions, least first." in page
    few = page_of(n=8, accuracy=0.5, seed=3)
    assert " mistakes, most confident first." in few
    assert " of 3 mistakes" not in few


def test_a_mistake_is_shown_with_its_label(page_of):
    page = page_of(classes=["ant", "bee"], n=4, accuracy=0.0)
    assert page.count('class="card wrong"') == 4
    assert page.count('class="label"') == 4
    assert "No image was predicted correctly." in page
    page = page_of(accuracy=1.0)
    assert "Every image was predicted correctly." in page
    assert "No class was predicted as another." in page


@pytest.mark.parametrize(
    ("probability", "said"),
    [(1.0, "100"), (0.999, "&gt;99"), (0.42, "42"), (0.001, "&lt;1"), (0.0, "0")],
)
def test_a_probability_is_never_rounded_to_certainty(page_of, probability, said):
    found = np.array([[probability, 1 - probability]], np.float32)
    results = compute_metrics(found, np.array([0]), ["ant", "bee"], crops=1)
    page = page_of(
        classes=["ant", "bee"], n=1, labels=np.array([0]), probabilities=found, results=results
    )
    assert f'<span class="p">{said}\u202f%</span></span>' in page
    assert f'class="{"prediction" if probability >= 0.5 else "label"}"' in page


def test_an_image_that_is_gone_leaves_a_word(page_of):
    assert "no image</span>" in page_of(image=lambda item: None)


def test_the_page_says_how_far_the_figure_can_be_trusted(page_of):
    assert "40 images: the true accuracy on images like these may be anything from" in page_of(n=40)
    text = page_of(n=400)
    assert "Measured on 400 images, so the true accuracy" in text
    assert "says little" not in text


def test_the_ways_that_were_tried_stand_on_the_page_with_the_one_that_was_chosen(page_of):
    ways = [
        {"name": "features", "top1": 0.875, "loss": 0.4321, "seconds": 3.0, "chosen": False},
        {"name": "<b>tuned", "top1": 0.9, "loss": 0.3, "seconds": 61.0, "chosen": True},
    ]
    page = page_of(ways=ways, why="tuned was best", split="cross-validation")
    Outline(page)
    table = re.search(r'id="ways".*?</section>', page, re.DOTALL).group()
    rows = re.findall(r"<tr>\s*<th scope=\"row\">.*?</tr>", table, re.DOTALL)
    assert [("chosen" in row) for row in rows] == [False, True]
    assert "87.5" in rows[0]
    assert "0.432" in rows[0]
    assert "&lt;b&gt;tuned" in rows[1]
    assert "tuned was best." in table
    assert "out of fold" in page
    assert "cross-validation images" not in page


def test_a_page_without_a_choice_has_no_ways(page_of):
    assert 'id="ways"' not in page_of()
    assert "out of fold" not in page_of()
