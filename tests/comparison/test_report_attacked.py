"""Whatever is brought in is shown as text, and nothing of it runs."""

import json
import re

import pandas as pd
import pytest

from retrieval_vs_diffusion.comparison.report import template, write_report
from tests.comparison.reported import INDEX_CHECK, Page, given, picture, report, said

ATTACK = '</script><script>alert(1)</script><img src=x onerror=alert(2)>"'


def renamed(value, old: str, new: str):
    """The same with a text in the place of another wherever it stands, names of fields and columns included."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {renamed(key, old, new): renamed(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [renamed(each, old, new) for each in value]
    if isinstance(value, pd.DataFrame):
        return value.map(lambda each: renamed(each, old, new))
    return value


def brought(text: str) -> str:
    """A report in which all that is not ours is this text: names, titles, prompts, captions, notes, settings."""
    hostile = picture(caption=text, prompt=text, refused=f"leak: {text}", source=f"{text}.png")
    tables = renamed(given(class_names=("zero", text), examples=hostile), "prompts", text)
    for name in tables["order"]:
        tables[f"results_of_{name}"]["description"] = text
    tables["summary"] |= {"notes": [text], "worth": text, "family": text}
    tables["settings"] = {
        **tables["settings"],
        "world": text,
        "left_out": [text],
        "protocol": {text: text},
        "published": {"source": text, "top1": {"other": [62.6, 0.1]}},
    }
    tables["index_check"] = renamed(INDEX_CHECK, "IVF4,Flat", text)
    return write_report(template(), **tables)


@pytest.fixture(scope="module")
def attacked() -> str:
    return brought(ATTACK)


def test_whatever_is_not_ours_is_shown_as_text(attacked):
    page, plain = Page(attacked), Page(brought("harmless"))
    assert len(page.elements("script")) == 3
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in plain.tags}
    # No attribute that the page has not without it: none begins with `on`.
    assert {key for _, attributes in page.tags for key in attributes} == {key for _, each in plain.tags for key in each}
    assert not [each for each in page.elements("img") if not each["src"].startswith("data:image/")]
    for where in (r"<title>(.*?)</title>", r'<p id="verdict">(.*?)</p>', r'<table id="leaderboard">(.*?)</table>'):
        assert "&lt;script&gt;" in re.search(where, attacked, re.DOTALL).group(1)


@pytest.mark.browser
def test_a_browser_runs_none_of_it(attacked, browser, tmp_path):
    (tmp_path / "report.html").write_text(attacked)
    page = browser.new_context(offline=True).new_page()
    dialogs, problems = [], []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((tmp_path / "report.html").as_uri())
    page.wait_for_selector("#figure-accuracy .scatterlayer .point")
    for select in page.locator("select").all():
        for option in select.locator("option").all():
            select.select_option(option.get_attribute("value"))
    page.hover("#figure-accuracy .scatterlayer .point >> nth=0", force=True)
    assert page.locator("#figure-accuracy .ytick").count()
    assert (dialogs, problems) == ([], [])
    page.context.close()


def test_names_captions_prompts_and_notes_cannot_run_scripts():
    hostile = picture(caption=ATTACK, prompt=ATTACK, refused=f"leak: {ATTACK}")
    attacked = report(class_names=("zero", ATTACK), examples=hostile)
    page = Page(attacked)
    assert len(page.elements("script")) == len(Page(report()).elements("script")) == 3
    assert not [attributes for _, attributes in page.tags if "onerror" in attributes]
    assert said(attacked).count("alert(1)") > 4  # shown as text: caption, prompt, refusal, class
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', attacked, re.DOTALL).group(1)
    drawn = json.dumps(json.loads(data)["figures"]["classes"]["data"][0]["x"])
    assert "&lt;script&gt;" in drawn  # plotly reads tags in text, and is given none
    assert "<script" not in data
