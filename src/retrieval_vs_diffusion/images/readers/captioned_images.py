"""A user's own pool: images with captions from which strategies retrieve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.class_naming import class_name_of, folded
from retrieval_vs_diffusion.images.collections.collection import Collection, build_collection
from retrieval_vs_diffusion.images.collections.plain_text import plain_caption
from retrieval_vs_diffusion.images.collections.sidecars import APART
from retrieval_vs_diffusion.images.collections.tally import Tally
from retrieval_vs_diffusion.images.formats.detect import detect
from retrieval_vs_diffusion.images.image_stream import ImageStream
from retrieval_vs_diffusion.images.photo import SMALLEST_SIDE
from retrieval_vs_diffusion.images.pool import LINKS
from retrieval_vs_diffusion.images.readers.linked_images import LinkedImages
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.progress import progress
from retrieval_vs_diffusion.remote.ahead import SMALL_FILES, fetched_ahead
from retrieval_vs_diffusion.remote.remote_path import AnyPath


@part
class CaptionedImages:
    """What img2dataset wrote, tars of WebDataset, Parquet, a data set of ``datasets``, or a folder with captions.

    Args:
        path: the file or folder, on the disk or at ``s3://``; with ``format: hugging_face`` also a name on the hub.
        format: ``auto``, a module of ``images.formats``, or a mapping with its ``type`` and its own keys.
        short_side: pixels; larger images are shrunk so that their shorter side has so many. null keeps all sizes.
        image_column: which column holds images or paths; null finds the one that can be meant.
        caption_column: the same of captions.
        label_column: the same of true labels, by which alone it is measured whether retrieved images are right.
        classes: the classes' names by label, for true labels; a label is one of the names or the number of one.
        unsafe_below: images whose known probability of being unsafe is as high or higher are left out.
        watermark_below: the same of a watermark.
        at_most: images that are used at most, the first ones; null for all. Of a pool of links all are.
        clip: of a pool of links: the model that made its embeddings, as ``LinkedImages`` has it.
    """

    path: AnyPath
    format: str | dict[str, Any] = "auto"
    short_side: Annotated[int, Field(ge=SMALLEST_SIDE)] | None = 512
    image_column: str | None = None
    caption_column: str | None = None
    label_column: str | None = None
    classes: tuple[str, ...] | None = None
    unsafe_below: float = 1.01
    watermark_below: float = 1.01
    at_most: Annotated[int, Field(ge=1)] | None = None
    clip: str | None = None

    @property
    def reads(self) -> tuple[Path, ...]:
        """Files and folders of the collection; the path as it is where nothing is."""
        place = self.path.expanduser()
        if not place.exists():
            return (place,)
        return self._links().reads if self._is_links() else self._collection().reads

    def read(self) -> ImageStream:
        """The pool as a stream, to be gone through once; it raises UserError at its end if no image can be used.

        A collection of links is read as ``LinkedImages`` does: its images are downloaded when they are chosen.

        Raises:
            UserError: if nothing is there, or the format cannot be told. The stream raises it where limits are set on
                what is unsafe and a tar says of images too late that they are.
        """
        if self._is_links():
            return self._links().read()
        tally = Tally("pool.reader", "unsafe", "watermarked")
        tally.ledger["without_caption"] = 0  # of those that are used
        return ImageStream(self._rows(self._collection(), tally), tally.ledger)

    def _rows(self, collection: Collection, tally: Tally) -> Iterator[dict[str, Any]]:
        positions = {folded(class_name_of(name)): position for position, name in enumerate(self.classes or ())}
        samples = fetched_ahead(collection.samples(faults=tally.left_out), lambda each: (each.image,), SMALL_FILES)
        for sample in progress(samples, "reading the pool"):
            self._check_beside(tally)
            tally.add("read")
            if sample.unsafe is not None and sample.unsafe >= self.unsafe_below:
                tally.add("unsafe")
                continue
            if sample.watermark is not None and sample.watermark >= self.watermark_below:
                tally.add("watermarked")
                continue
            caption = plain_caption(sample.caption or "")
            row = tally.row(sample, self.short_side, caption=caption, true_label=_true_label(sample, positions))
            if row is None:
                continue
            tally.add("used")
            if not caption:
                tally.add("without_caption")
            yield row
            if tally["used"] == self.at_most:
                break
        self._check_beside(tally)
        tally.log()
        if not tally["used"]:
            raise UserError(
                f"pool.reader: no image of {self.path} can be used: {_counts(tally)}; images of 8 pixels a side and "
                "more in the formats PNG, JPEG, WEBP, BMP, GIF and TIFF will do"
            )

    def _check_beside(self, tally: Tally) -> None:
        """Refuse to use images as if nothing called them unsafe, where what does was read too late."""
        if tally.left_out[APART[".json"]] and min(self.unsafe_below, self.watermark_below) <= 1:
            raise UserError(
                f"pool.reader: files .json in tars of {self.path} are not beside their images, so that images "
                "that they call unsafe or watermarked would be used; pack the tars in the order of names "
                "(tar --sort=name), or set unsafe_below and watermark_below to 1.01 to use all"
            )

    def _is_links(self) -> bool:
        place = self.path.expanduser()
        return self.format == "auto" and place.exists() and detect(place, "pool") == LINKS

    def _links(self) -> LinkedImages:
        return LinkedImages(
            path=self.path.expanduser(),
            clip=self.clip,
            caption_column=self.caption_column,
            unsafe_below=self.unsafe_below,
            watermark_below=self.watermark_below,
        )

    def _collection(self) -> Collection:
        columns = {name: getattr(self, name) for name in ("image_column", "caption_column", "label_column")}
        return build_collection(self.path, self.format, "pool", columns, "pool.reader")


def _true_label(sample: Sample, positions: dict[str, int]) -> int | None:
    """Position of the sample's class; None where it has no label, or one that no class is called by."""
    if sample.label is None or not positions:
        return None
    position = positions.get(folded(class_name_of(sample.label)))
    if position is None and sample.label.isdecimal() and len(sample.label) < 10:
        return int(sample.label) if int(sample.label) < len(positions) else None
    return position


def _counts(tally: Tally) -> str:
    fates = ", ".join(f"{tally[fate]} {fate}" for fate in ("read", "broken", "unsafe", "watermarked"))
    left_out = "".join(f", {count} {reason}" for reason, count in tally.left_out.most_common())
    return fates + left_out
