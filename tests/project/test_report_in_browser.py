"""The report of a finished run in a real headless Chromium, with the network away."""

from __future__ import annotations

import json

import pytest

from tests.project.conftest import ADD_NOTHING, ROWS

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(browser, finished):
    """Opens the report in a window, and tells what went wrong or was asked of the network meanwhile."""
    contexts = []

    def open_report(width: int = 1280, **options):
        context = browser.new_context(offline=True, viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.problems, page.requests = [], []
        page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(finished.reporting("report.html").as_uri())
        page.wait_for_selector("#figure-accuracy .scatterlayer .point")
        return page

    yield open_report
    for context in contexts:
        context.close()


def test_it_stands_alone_and_draws_everything_without_the_network(opened):
    page = opened()
    assert page.locator("#verdict").inner_text()
    assert page.locator("#leaderboard tbody tr").count() == len(ROWS)
    assert page.locator("#sets tbody tr").count() == len(ROWS) - len(ADD_NOTHING)
    assert page.locator("#figure-accuracy .scatterlayer .point").count() == len(ROWS)  # a point a strategy
    assert page.locator("#figure-cost .scatterlayer .point").count() == len(ROWS) - 1  # all but the baseline
    assert page.locator("#figure-size_curve .scatterlayer .point").count() >= 3  # the curve's own sizes
    for matrix in ("classes", "confusion"):
        assert page.locator(f"#figure-{matrix} .heatmaplayer image").count() == 1
    assert page.evaluate("[...document.images].filter(image => !image.naturalWidth).length") == 0
    assert page.problems == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_gallery_shows_one_class_and_one_kind(opened):
    page = opened()
    shown = page.locator("#gallery .card:visible")
    assert {card.get_attribute("data-class") for card in shown.all()} == {"0"}
    page.select_option("#pick-class", "3")
    assert {card.get_attribute("data-class") for card in shown.all()} == {"3"}
    everything = shown.count()
    page.select_option("#pick-kind", "retrieved")
    titles = set(page.locator("#gallery h3:visible").all_inner_texts())
    assert "retrieval_text" in titles
    assert not titles & {"original_only", "simple_prompt"}
    page.select_option("#pick-kind", "refused")
    refused = page.locator("#gallery .card:visible")
    assert 0 < refused.count() < everything
    assert all("refused" in card.get_attribute("class") for card in refused.all())
    # retrieval_image has a floor that this small pool does not reach in every class.
    assert "below the floor" in page.locator("#gallery").inner_text()


def test_the_ledger_shows_a_class_and_its_rows_add_up(opened):
    page = opened()
    rows = page.locator("#ledger tbody tr:visible")
    together = rows.count()
    page.select_option("#pick-ledger", "seven")
    assert rows.count() == together
    for row in rows.all():
        cells = row.locator("td").all_inner_texts()[1:]
        asked, brought, *refused, used, short_by, _ = map(int, cells)
        assert (brought, asked) == (used + sum(refused), used + short_by)


def test_the_matrix_of_confusions_follows_the_row_that_is_chosen(opened):
    page = opened()
    cells = page.locator("#figure-confusion .heatmap-label")
    page.select_option("#pick-confusion", "more_real")
    before = cells.all_text_contents()
    page.select_option("#pick-confusion", "boomerang")
    page.wait_for_function(
        "before => [...document.querySelectorAll('#figure-confusion .heatmap-label')]"
        ".map(each => each.textContent).join() !== before",
        arg=",".join(before),
    )
    assert cells.count() == len(before)


def test_the_keyboard_reaches_what_can_be_used(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"pick-class", "pick-kind", "pick-confusion", "A", "SUMMARY"} <= reached
    page.focus("#pick-class")
    page.keyboard.press("ArrowDown")
    assert page.locator("#gallery .card:visible").first.get_attribute("data-class") == "1"


def test_every_picture_and_figure_says_what_it_shows(opened):
    page = opened()
    assert page.evaluate("[...document.images].filter(image => !image.alt).length") == 0
    assert page.evaluate("[...document.querySelectorAll('.figure')].filter(each => !each.ariaLabel).length") == 0


def test_it_says_how_to_repeat_it_and_the_digest_that_the_run_left(opened, finished):
    page = opened()
    made = json.loads(finished.reporting("results_digest.json").read_text())
    assert page.locator("#digest").inner_text() == made["digest"]
    assert page.locator("#repeat .command").inner_text() == "kedro run --env=test --params only=all"
    page.locator("#repeat summary").click()
    shown = page.locator("#digests tbody td").all_inner_texts()
    assert shown == list(made["rows"].values())


def test_it_fits_a_phone(opened):
    page = opened(width=390)
    # The tables scroll in their own boxes; the page itself is no wider than the screen.
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_it_is_dark_where_the_reader_wants_it_and_light_on_paper(opened):
    def ink(page):
        return page.evaluate("getComputedStyle(document.querySelector('#figure-accuracy .ytick text')).fill")

    light, dark = opened(color_scheme="light"), opened(color_scheme="dark")
    assert light.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert dark.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 25, 29)"
    assert ink(light) != ink(dark)
    dark.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert ink(dark) == "rgb(51, 51, 51)"
    dark.emulate_media(media="print")
    assert dark.locator("nav").is_hidden()


def test_it_is_small_enough_to_send(finished):
    assert finished.reporting("report.html").stat().st_size < 30e6
