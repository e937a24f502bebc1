import base64
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from retrieval_vs_diffusion.comparison.leaderboard import COLUMNS
from retrieval_vs_diffusion.comparison.report import accuracy_chart, template, write_report
from retrieval_vs_diffusion.comparison.sets import COLUMNS as SET_COLUMNS
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row

ATTACK = '"><script>alert(1)</script>'
BOARD = pd.DataFrame(
    [("original_only", 2, 0.5, 0.01, 0, np.nan, "", 4.0), ("text", 2, 0.625, 0.02, 30, 0.6, "judge", 9.5)],
    columns=list(COLUMNS),
)
SETS = pd.DataFrame(
    [
        ("text", 2, 30, 0.61, "true_labels", 0.0712, 0.0051, 0.333, 0.02, 0.04, np.nan, np.nan, np.nan),
        ("prompts", 1, 30, 0.98, "clip_zero_shot", 0.5, np.nan, np.nan, np.nan, np.nan, 0.875, 0.999, 0.03),
    ],
    columns=list(SET_COLUMNS),
)
SUMMARY = {"sentence": "Too close to call.", "low_label_agreement": ["text"], "threshold": 0.7, "notes": []}


def results(name: str) -> dict:
    return {"strategy": name, "arm": "retrieve", "description": f"About {name}.", "repetitions": []}


def pictures(side: int = 16, **columns) -> ImageTable:
    return ImageTable.from_rows([image_row(np.full((side, side, 3), 90, np.uint8), "a", label=1, **columns)])


def report(**changes) -> str:
    arguments = {
        "order": ["original_only", "text"],
        "leaderboard": BOARD,
        "summary": SUMMARY,
        "sets": SETS,
        "class_names": ["zero", "one"],
        "results_of_original_only": results("original_only"),
        "examples_of_original_only": pictures(),
        "results_of_text": results("text"),
        "examples_of_text": pictures(caption="a two", similarity=0.25, prompt="a photo of a one"),
        **changes,
    }
    return write_report(template(), "toy", **arguments)


class Page(HTMLParser):
    """Tags with their attributes, and the text outside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        if self._open not in {"script", "style"}:
            self.text.append(data.strip())


@pytest.fixture(scope="module")
def html() -> str:
    return report()


def test_the_file_stands_alone(html):
    tags = Page(html).tags
    addresses = [value for _, attributes in tags for key, value in attributes.items() if key in {"src", "href"}]
    assert addresses
    assert all(address.startswith("data:image/") for address in addresses)
    assert not [tag for tag, _ in tags if tag in {"link", "iframe", "object", "embed", "base"}]
    assert "@import" not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


def test_the_sentence_and_the_numbers_of_the_table_are_there(html):
    text = Page(html).text
    assert "Too close to call." in text
    assert [cell for cell in text if cell in {"50.0 %", "62.5 %", "60 %", "2.0", "30", "9.5", "judge"}] == [
        *("50.0 %", "62.5 %", "2.0", "30", "60 %", "judge", "9.5")
    ]


def test_a_weak_row_is_marked_and_the_best_one_is_set_off(html):
    page = Page(html)
    assert any("text: under 70 % of the images show the class" in text for text in page.text)
    assert [tag for tag, attributes in page.tags if attributes.get("title") == "low label agreement"] == ["span"]
    assert len([tag for tag, attributes in page.tags if attributes.get("class") == "best"]) == 1


def test_a_picture_carries_its_class_caption_prompt_and_similarity(html):
    titles = [attributes["title"] for tag, attributes in Page(html).tags if tag == "img"]
    assert titles == ["one", "one · prompt: a photo of a one · caption: a two · similarity 0.250"]


def test_captions_prompts_and_names_cannot_run_scripts():
    hostile = pictures(caption=ATTACK, prompt=ATTACK)
    about = {**results("text"), "description": ATTACK}
    page = Page(
        report(
            examples_of_text=hostile,
            results_of_text=about,
            class_names=["zero", ATTACK],
            summary={**SUMMARY, "sentence": ATTACK},
        )
    )
    scripts = len([tag for tag, _ in page.tags if tag == "script"])
    assert scripts == len([tag for tag, _ in Page(report()).tags if tag == "script"])
    assert f"{ATTACK} · prompt: {ATTACK} · caption: {ATTACK}" in [
        attributes.get("title") for _, attributes in page.tags
    ]
    assert page.text.count(ATTACK) >= 3  # shown as text: sentence, description, name of the class


def test_a_strategys_name_cannot_run_scripts():
    board = BOARD.assign(strategy=["original_only", "<script>alert(2)</script>"])
    arms = {"original_only": "neither", "<script>alert(2)</script>": "generate"}
    assert "<script>alert(2)" not in accuracy_chart(board, arms)
    assert "alert(2)" in accuracy_chart(board, arms)


def test_the_chart_names_each_arm_that_has_a_row_and_no_other():
    chart = accuracy_chart(BOARD, {"original_only": "neither", "text": "retrieve"})
    assert '"name":"retrieved"' in chart
    assert '"name":"generated"' not in chart


def test_a_strategy_whose_results_do_not_hold_is_left_out():
    page = Page(report(results_of_text=None, examples_of_text=None, leaderboard=BOARD[:1]))
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 1
    assert "About text." not in page.text


def test_pictures_are_embedded_as_what_they_are():
    for side, kind in ((16, "png"), (80, "jpeg")):  # images above 64 pixels are JPEGs
        images = pictures(side=side)
        sources = [attributes["src"] for tag, attributes in Page(report(examples_of_text=images)).tags if tag == "img"]
        media, data = sources[1].split(";base64,")
        assert base64.b64decode(data) == next(images.encoded())
        assert media == f"data:image/{kind}"


def test_the_judge_is_told_of_where_there_is_one(html):
    assert "The judge is right" not in html
    judged = report(judge_check={"judge_top1_on_val": 0.875, "images": 40})
    assert "The judge is right on 88 % of the target's 40 validation images." in judged


def cells(html: str, strategy: str) -> list[str]:
    """The cells of a strategy's row in the table of added images."""
    table = re.search(r'<table id="sets">.*?</table>', html, flags=re.DOTALL).group()
    (row,) = [each for each in re.findall("<tr>.*?</tr>", table) if f"<td>{strategy}</td>" in each]
    return re.findall("<td>(.*?)</td>", row)[1:]


def test_the_table_of_added_images_shows_a_dash_for_what_is_not_known(html):
    assert cells(html, "text") == [
        *("61 %", "true labels", "0.071 ± 0.005", "0.333 ± 0.020", "4 %"),
        *("–", "–", "–"),  # nothing was generated
    ]
    assert cells(html, "prompts") == ["98 %", "clip zero shot", "0.500", "–", "–", "0.875", "0.999", "3 %"]
    assert "nan" not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL).lower()


def test_each_column_of_that_table_is_explained_in_a_line(html):
    table = re.search(r'<table id="sets">.*?</thead>', html, flags=re.DOTALL).group()
    headings = re.findall("<th>(.*?)</th>", table)
    explained = re.findall("<dt>(.*?)</dt>", html)
    assert [each for each in headings[1:] if each != "judged by" and each.split(",")[0] not in explained] == []


def test_where_nothing_is_added_there_is_no_such_table():
    assert "before training" not in report(sets=SETS[:0])


def test_tables_read_from_their_files_make_the_same_report(html, tmp_path):
    BOARD.to_csv(tmp_path / "leaderboard.csv", index=False)
    SETS.to_csv(tmp_path / "sets.csv", index=False)
    again = report(leaderboard=pd.read_csv(tmp_path / "leaderboard.csv"), sets=pd.read_csv(tmp_path / "sets.csv"))
    assert Page(again).text == Page(html).text
