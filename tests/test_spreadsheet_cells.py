import pytest

from retrieval_vs_diffusion.spreadsheet_cells import cell_of, text_of

RUN = ["=1+1", '=HYPERLINK("http://x","y")', "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "'=1", "''"]
HARMLESS = ["", "a dog", "a = b", " =1", "1-2", "it's"]


@pytest.mark.parametrize("text", RUN)
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe_and_loses_nothing(text):
    assert cell_of(text) == "'" + text
    assert text_of(cell_of(text)) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_all_else_stays_as_it_is(text):
    assert cell_of(text) == text
    assert text_of(text) == text
