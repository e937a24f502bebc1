import numpy as np

from retrieval_vs_diffusion.images.contact_sheet import CELL, contact_sheet, spread_over_classes
from retrieval_vs_diffusion.images.image_table import ImageTable, image_row


def table(*labels: int | None, side: int = 16) -> ImageTable:
    """Flat pictures, number n of grey level 10 n."""
    rows = enumerate(labels)
    return ImageTable.from_rows(
        image_row(np.full((side, side, 3), 10 * n, np.uint8), str(n), label=label) for n, label in rows
    )


def test_a_sheet_has_room_for_all_images_and_gaps():
    sheet = contact_sheet(table(0, 0, 0), columns=2)
    assert sheet.size == (2 * (CELL + 2) + 2, 2 * (CELL + 2) + 2)  # three images in two columns: two rows


def test_images_stand_in_reading_order_on_white_paper():
    sheet = np.asarray(contact_sheet(table(0, 0, 0), columns=2))[..., 0]
    cell = CELL + 2
    assert (sheet[10, 10], sheet[10, cell + 10], sheet[cell + 10, 10]) == (0, 10, 20)
    assert sheet[cell + 10, cell + 10] == 255  # no fourth image
    assert sheet[0, 0] == 255


def test_large_images_are_reduced_to_the_cell():
    sheet = contact_sheet(table(0, side=100), columns=1)
    assert sheet.size == (CELL + 4, CELL + 4)


def test_a_sheet_of_nothing_is_blank_paper():
    assert np.asarray(contact_sheet(table(), columns=3)).min() == 255


def test_examples_are_spread_a_column_a_class():
    spread, columns = spread_over_classes(table(1, 0, 0, 1, 1), columns=10, rows=6)
    assert spread.column("image_id") == ["1", "0", "2", "3"]  # class 0, class 1; two rows, for class 0 has two
    assert columns == 2


def test_of_many_classes_and_images_only_the_first_are_shown():
    spread, columns = spread_over_classes(table(0, 1, 2, 0, 1, 2), columns=2, rows=1)
    assert (spread.column("label"), columns) == ([0, 1], 2)


def test_a_pool_without_labels_is_shown_from_its_beginning():
    spread, columns = spread_over_classes(table(None, 1, None, None), columns=3, rows=1)
    assert (spread.column("image_id"), columns) == (["0", "1", "2"], 3)
