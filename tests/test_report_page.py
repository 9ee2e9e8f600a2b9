"""A page of the report is complete in itself, can be read by all, and shows what the runs say."""

import os
import re
import shutil
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import browser
import pytest
import sample

from paper import tables
from report.site import write
from report.tables import lines, printed

VOID = {"meta", "link", "img", "br"}
PAGE = "report/table-demo.html"


class Parsed(HTMLParser):
    """A page's elements as (name, attributes), its text, and what is wrong with its nesting."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.wrong += self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, *names: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name in names]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Data and results in a folder with a name of all kinds: two seeds, an edited run, a damaged one, a missing one."""
    root = tmp_path_factory.mktemp("我的 & <home>")
    sample.dataset(root / "data/demo")
    sample.run(root / "results", "demo/vgg16_global", 1)
    sample.run(root / "results", "demo/vgg16_global", 2)
    sample.run(root / "results", "demo/alexnet_global", 1, edited=True)
    damaged = sample.run(root / "results", "demo/vgg16_local", 1)
    (damaged.path / "predictions_iter_400.csv").write_text("")
    write([tables()["demo"]], root / "data", root / "results", root / "results/report", with_photos=True)
    return root


@pytest.fixture(scope="module")
def page(home) -> Parsed:
    return Parsed((home / "results" / PAGE).read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=["index.html", "table-demo.html"])
def each(request, home) -> Path:
    return home / "results/report" / request.param


def test_a_page_asks_for_nothing_outside_itself(each):
    text = each.read_text(encoding="utf-8")
    parsed = Parsed(text)
    assert parsed.all("script", "iframe", "object", "embed", "base") == []
    addresses = [value for _, found in parsed.elements for name, value in found.items() if name in ("src", "href")]
    assert [address for address in addresses if re.match(r"\w+:(?!image/jpeg;base64,|,)|//", address)] == []
    assert re.findall(r"https?:|@import|url\((?!#)", re.sub(r"base64,[^\"]*", "", text)) == []
    assert each.stat().st_size < 3_000_000


def test_a_page_is_well_formed_and_every_address_within_it_is_there_once(each):
    text = each.read_text(encoding="utf-8")
    parsed = Parsed(text)
    assert parsed.wrong == []
    ids = [found["id"] for _, found in parsed.elements if "id" in found]
    assert len(ids) == len(set(ids))
    assert {*re.findall(r'href="#([^"]*)"', text), *re.findall(r"url\(#([^)]*)\)", text)} <= set(ids)


def test_whoever_hears_a_page_gets_headings_in_order_and_words_for_every_picture(each):
    parsed = Parsed(each.read_text(encoding="utf-8"))
    levels = [int(name[1]) for name, _ in parsed.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    pictures = [found.get("alt") for found in parsed.all("img")]
    assert all(pictures)
    drawn = [found for _, found in parsed.elements if found.get("role") == "img"]
    assert all(found["aria-label"] for found in drawn)
    assert len(drawn) == len(parsed.all("svg"))
    assert all(found.get("aria-hidden") == "true" for found in parsed.all("svg"))
    if each.name != "index.html":
        assert len(drawn) == len(parsed.all("figure")) == 2 * 4
        assert parsed.text.count("The numbers of this figure") == len(drawn)


def test_a_page_shows_the_table_as_it_is_printed(home, page):
    table = tables()["demo"]
    for row in printed(table, lines(table, home / "results")):
        for cell in row:
            assert cell in page.text


def test_photos_are_shown_with_id_score_votes_and_probability(page):
    first = sample.predictions(1)
    mistakes = sorted((p for p in first if p.label != p.predicted), key=lambda p: -abs(p.p_good - 0.5))[:10]
    words = page.text.partition("Means over 2 seeds")[2].partition("worst mistakes")[2]
    there = [words.index(f"{p.photo_id} {'good' if p.label else 'bad'}, called") for p in mistakes]
    assert there == sorted(there)
    assert f"p(good) {mistakes[0].p_good:.3f}" in words
    assert "score 4.00 of 100 votes" in page.text
    assert len([found for found in page.all("img") if found["src"].startswith("data:image/jpeg;base64,/9j/")]) > 60


def test_what_was_not_run_or_cannot_be_read_is_named(home, page):
    assert "Local view, AlexNet (not run)" in page.text
    assert "Local view, VGGNet (unreadable)" in page.text
    assert f"Unreadable: {home}/results/demo/vgg16_local/seed-1/predictions_iter_400.csv: is not the file" in page.text


def test_the_origin_of_each_run_is_told_with_its_edits_and_resumes(page):
    origin = page.text.partition("Where the numbers come from run")[2]
    for words in (
        "0123456789 and changes", "1.0.0 at 99bd997 cpu OpenBLAS 0.3.34", "NVIDIA H200", "from 100",
        "edited: net", "+ lr_mult: <0>", "b" * 64, "c" * 64, sample.RULE,
    ):  # fmt: skip
        assert words in origin, words


def test_links_lead_to_the_raw_files(home, page):
    links = [unquote(found["href"]) for found in page.all("a") if found["href"].startswith("../")]
    assert {os.path.basename(link) for link in links} >= {"metrics.csv", "predictions.csv", "run.json", "edits.diff"}
    assert all((home / "results/report" / link).exists() for link in links)


def test_a_page_far_from_the_results_names_the_folders_instead(home, tmp_path):
    write([tables()["demo"]], home / "data", home / "results", tmp_path, with_photos=False)
    page = Parsed((tmp_path / "table-demo.html").read_text(encoding="utf-8"))
    assert not [found for found in page.all("a") if found["href"].startswith(("../", "/"))]
    assert f"in {home}/results/demo/vgg16_global/seed-2" in page.text


def test_a_page_for_the_web_has_no_photo_and_the_same_numbers(home, page, tmp_path):
    write([tables()["demo"]], home / "data", home / "results", tmp_path, with_photos=False)
    web = Parsed((tmp_path / "table-demo.html").read_text(encoding="utf-8"))
    assert web.all("img") == []
    assert "made without photos (--no-photos)" in web.text
    assert "score 4.00 of 100 votes" in web.text
    assert len(web.all("svg")) == len(page.all("svg"))


def test_the_index_leads_to_pages_that_were_written_before(home, tmp_path):
    shutil.copy(home / "results" / PAGE, tmp_path / "table-mine.html")
    (tmp_path / "table-notes.html").write_text("<p>somebody's</p>")
    write([], home / "data", home / "results", tmp_path, with_photos=False)
    index = Parsed((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert [found["href"] for found in index.all("a") if found["href"].startswith("table-")] == ["table-mine.html"]


def test_the_same_results_give_the_same_bytes(home, tmp_path):
    copy = tmp_path / "results"
    shutil.copytree(home / "results", copy, ignore=shutil.ignore_patterns("report"))
    write([tables()["demo"]], home / "data", copy, copy / "report", with_photos=True)
    for name in ("index.html", "table-demo.html"):
        first = (home / "results/report" / name).read_text().replace(escape(str(home)), "")
        assert (copy / "report" / name).read_text().replace(str(tmp_path), "") == first


@pytest.mark.skipif(browser.CHROMIUM is None, reason="Chromium is not installed here")
def test_a_browser_draws_every_picture_complains_of_nothing_and_asks_nobody(home):
    with browser.Browser() as chromium:
        for name, width, dark in (("table-demo.html", 400, True), ("index.html", 1280, False)):
            chromium.open(home / "results/report" / name, width=width, dark=dark)
            others = [address for address in chromium.requests() if not address.startswith("data:")]
            assert others == [(home / "results/report" / name).as_uri()]
            assert chromium.complaints() == []
            assert chromium.value("[...document.images].filter(i => !i.complete || !i.naturalWidth).length") == 0
            boxes = "[...document.querySelectorAll('svg')].filter(s => !(s.getBoundingClientRect().height > 90)).length"
            assert chromium.value(boxes) == 0
            assert chromium.value("document.documentElement.scrollWidth <= innerWidth")
            bright = "getComputedStyle(document.body).backgroundColor"
            assert chromium.value(bright) == ("rgb(22, 24, 27)" if dark else "rgb(255, 255, 255)")
        assert chromium.pdf().startswith(b"%PDF")
