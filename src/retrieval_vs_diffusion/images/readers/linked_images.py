"""A pool that is only links, with the CLIP embeddings of their images: LAION, and what clip-retrieval makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
from pydantic import Field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.plain_text import plain, plain_caption
from retrieval_vs_diffusion.images.collections.record_batches import DAMAGE
from retrieval_vs_diffusion.images.downloads.embedding_files import check_pairs, in_order
from retrieval_vs_diffusion.images.downloads.link_columns import Link, LinkColumns, find_columns, read_links
from retrieval_vs_diffusion.images.image_stream import ImageStream
from retrieval_vs_diffusion.parts import part
from retrieval_vs_diffusion.remote.ahead import fetched_ahead
from retrieval_vs_diffusion.remote.ranges import opened_in_part
from retrieval_vs_diffusion.remote.remote_path import AnyPath


@part
class LinkedImages:
    """Links whose images are downloaded when a strategy has chosen them by their embeddings.

    Rows are never dropped, for row i has embedding i; those that must not be used are marked as refused.

    Args:
        path: a folder as clip-retrieval writes it (``metadata/*.parquet``, ``img_emb/*.npy``, perhaps
            ``image.index``), or metadata in Parquet alone: a folder of files or a file.
        embeddings: folder of ``.npy`` files, one for each file of metadata; None for ``img_emb`` in ``path``.
        index: a FAISS index over the embeddings; None for ``image.index`` in ``path``, if it is there.
        clip: the CLIP model that made the embeddings, e.g. ``ViT-B-32/laion2b_s34b_b79k``; None if it is not said.
        url_column: None for ``url`` or ``image_url``, however capitalised.
        caption_column: None for ``caption`` or ``text``, however capitalised; there may be none.
        unsafe_below: images are used whose probability of being unsafe (``punsafe``) is below; unknown ones are
            used. The word ``NSFW`` in a column ``NSFW`` refuses an image, whatever this is.
        watermark_below: the same of watermarks (``pwatermark``).
        similarity_from: images are used whose similarity to their caption (``similarity``) is at least this;
            None for all. Unknown ones are not used.
    """

    path: AnyPath
    embeddings: AnyPath | None = None
    index: AnyPath | None = None
    clip: str | None = None
    url_column: str | None = None
    caption_column: str | None = None
    unsafe_below: Annotated[float, Field(ge=0)] = 0.5
    watermark_below: Annotated[float, Field(ge=0)] = 0.8
    similarity_from: Annotated[float, Field(ge=-1, le=1)] | None = None

    @property
    def reads(self) -> tuple[Path, ...]:
        """Where the metadata is, the embeddings and the index."""
        index = self._index_place()
        return (self._metadata_place(), self._embeddings_place(), *([index] if index is not None else []))

    def read(self) -> ImageStream:
        """Rows in the metadata's order, without images: ``source`` is the link, ``refused`` why it is never used.

        The ledger says where the embeddings are (``embeddings``, in order; ``index``; ``clip``; ``dimension``)
        and, once the rows are made, how many were ``read``, are ``unsafe``, ``watermarked``, ``dissimilar``,
        or have no link (``no_url``).

        Raises:
            UserError: if metadata or embeddings are missing, do not belong together, or cannot be read.
        """
        files = self._metadata_files()
        columns = {path: self._columns(path) for path in files}
        first = columns[files[0]]
        for path, found in columns.items():
            if found != first:
                raise UserError(
                    f"{path}: has other columns than {files[0].name} ({_difference(found, first)}); "
                    f"bring metadata that was made together"
                )
        if self.similarity_from is not None and first.similarity is None:
            raise UserError(f"{files[0]}: similarity_from needs a column similarity, which is not here; leave it out")
        embeddings = self._embedding_files()
        dimension = check_pairs([(path, _rows(path)) for path in files], embeddings)
        index = self._index_place()
        if index is not None and not index.exists():
            raise UserError(f"{index}: there is no index; leave `index` out to search the embeddings themselves")
        ledger: dict[str, Any] = {
            "kind": "links",
            "embeddings": [str(path.absolute()) for path in embeddings],
            "index": str(index.absolute()) if index is not None else None,
            "clip": self.clip,
            "dimension": dimension,
            **dict.fromkeys(("read", *_COUNTED.values()), 0),
        }
        return ImageStream(self._links(files, first, ledger), ledger)

    def _links(self, files: list[Path], columns: LinkColumns, ledger: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
        for path in fetched_ahead(files):
            rows = 0
            try:
                for number, link in enumerate(read_links(path, columns)):
                    refused = self._refused(link)
                    ledger["read"] += 1
                    rows += 1
                    if refused is not None:
                        ledger[_COUNTED[refused.partition(":")[0]]] += 1
                    yield {
                        "image_id": f"{path.stem}/{number}",
                        "content_hash": "",  # nobody has seen the image yet
                        "image": None,
                        "caption": plain_caption(link.caption or "") or None,
                        "source": None if link.url is None else plain(link.url),
                        "refused": refused,
                    }
            except DAMAGE as error:
                raise UserError(_unreadable(path, error)) from error
            if rows != _rows(path):  # what follows would have the embeddings of other rows
                raise UserError(f"{path}: says that it has {_rows(path):,} rows and has {rows:,}; bring it again")

    def _refused(self, link: Link) -> str | None:
        if link.url is None:
            return "no url"
        if link.is_nsfw:
            return "unsafe: NSFW"
        if link.unsafe is not None and link.unsafe >= self.unsafe_below:
            return f"unsafe: punsafe {link.unsafe:.2f}"
        if link.watermark is not None and link.watermark >= self.watermark_below:
            return f"watermark: {link.watermark:.2f}"
        if self.similarity_from is not None and (link.similarity is None or link.similarity < self.similarity_from):
            said = "unknown" if link.similarity is None else f"{link.similarity:.3f}"
            return f"dissimilar: similarity {said}, not {self.similarity_from:g} or more"
        return None

    def _columns(self, path: Path) -> LinkColumns:
        try:
            with opened_in_part(path) as file:
                schema = pq.read_schema(file)
        except DAMAGE as error:
            raise UserError(_unreadable(path, error)) from error
        return find_columns(path, schema, self.url_column, self.caption_column)

    def _metadata_place(self) -> Path:
        inner = self.path / "metadata"
        return inner if inner.is_dir() else self.path

    def _metadata_files(self) -> list[Path]:
        place = self._metadata_place()
        files = [place] if place.is_file() else in_order(place, ".parquet") if place.is_dir() else []
        if not files:
            found = "no .parquet file in it" if place.is_dir() else "nothing there"
            raise UserError(f"{place}: {found}; bring metadata in Parquet, as LAION and clip-retrieval have it")
        return files

    def _embeddings_place(self) -> Path:
        beside = self.path if self.path.is_dir() else self.path.parent
        return self.embeddings if self.embeddings is not None else beside / "img_emb"

    def _embedding_files(self) -> list[Path]:
        place = self._embeddings_place()
        files = [place] if place.is_file() else in_order(place, ".npy") if place.is_dir() else []
        if not files:
            raise UserError(
                f"{place}: no embeddings (.npy) of the images behind the links; bring img_emb as clip-retrieval "
                f"makes it, or download the pool with img2dataset and read it as captioned_images"
            )
        return files

    def _index_place(self) -> Path | None:
        default = self.path / "image.index"
        return self.index if self.index is not None else default if default.exists() else None


# What a refusal begins with, and under which name the ledger counts it.
_COUNTED = {"no url": "no_url", "unsafe": "unsafe", "watermark": "watermarked", "dissimilar": "dissimilar"}


def _rows(path: Path) -> int:
    try:
        with opened_in_part(path) as file:
            return pq.read_metadata(file).num_rows
    except DAMAGE as error:
        raise UserError(_unreadable(path, error)) from error


def _difference(found: LinkColumns, first: LinkColumns) -> str:
    pairs = ((name, getattr(first, name), getattr(found, name)) for name in vars(first))
    return ", ".join(
        f"{name}: {there or 'none'} there, {here or 'none'} here" for name, there, here in pairs if there != here
    )


def _unreadable(path: Path, error: Exception) -> str:
    told = str(error).partition("\n")[0].rstrip(".")
    return f"{path}: is no whole Parquet file ({told}); bring it again"
