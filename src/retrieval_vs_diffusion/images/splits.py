"""Train, validation and test images of a labelled collection: as it gives them, or drawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.images.collections.part_names import PARTS
from retrieval_vs_diffusion.images.sample import Sample
from retrieval_vs_diffusion.seeds import derive_seed


@dataclass(frozen=True)
class Drawn:
    """Labels in their order, each of which has images in all parts, and keys by part (train, val, test)."""

    labels: tuple[str, ...]
    keys: Mapping[str, Set[str]]


@dataclass(frozen=True)
class Split:
    """How a labelled collection is split; parts that it gives are kept, missing ones are drawn from train.

    Args:
        val: of a validation part that is drawn, images a class (an integer) or the share of each class (below 1).
        test: the same of a test part.
        given_parts: which of the collection's parts serves as one of ours: ``{"test": "val"}`` tests on what the
            collection calls val, as one does where test labels are secret. Its own part test is not used then.
        reservoir_at_most: images a class that remain for training; None for all.
        seed: decides the draws.
    """

    val: int | float = 0.15
    test: int | float = 0.25
    given_parts: Mapping[str, str] = field(default_factory=dict)
    reservoir_at_most: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("val", self.val), ("test", self.test)):
            fits = value >= 1 if isinstance(value, int) else 0 < value < 1
            if not fits or isinstance(value, bool):
                raise UserError(f"{name}: found {value!r}; a number of images a class, or a share such as 0.2, will do")
        if self.reservoir_at_most is not None and self.reservoir_at_most < 1:
            raise UserError(f"reservoir_at_most: found {self.reservoir_at_most}; 1 or more, or null for all, will do")
        for role, given in self.given_parts.items():
            if role not in PARTS or given not in PARTS:
                raise UserError(f"given_parts: found {role}: {given}; both are one of {', '.join(PARTS)}")
        if len(set(self.given_parts.values())) < len(self.given_parts):
            twice = next(iter(self.given_parts.values()))
            raise UserError(f"given_parts: {dict(self.given_parts)} uses a part, e.g. {twice}, twice; once will do")

    def draw(self, entries: Iterable[Sample]) -> Drawn:
        """Which images are in which part. The same key comes to the same part in whatever order the entries are listed.

        Args:
            entries: samples with key and label, and with the part where the collection is split.

        Raises:
            UserError: if a part is named that is not there, or a part would lack a class.
        """
        by_part: dict[str, dict[str, list[str]]] = {part: defaultdict(list) for part in PARTS}
        labels, given = set(), set()
        role_of = self._roles()
        for entry in entries:
            if entry.label is None:
                raise ValueError(f"{entry.key} has no label")
            given.add(entry.part)
            role = role_of.get(entry.part or "train")
            if role is not None:
                by_part[role][entry.label].append(entry.key)
                labels.add(entry.label)
        self._check_given(given)
        missing = [part for part in ("test", "val") if not by_part[part]]
        drawn: dict[str, set[str]] = {part: set() for part in PARTS}
        for label in sorted(labels):
            of_class = {part: by_part[part][label] for part in PARTS}
            if missing:
                of_class |= self._drawn_from_train(label, of_class["train"], missing)
            for part, keys in of_class.items():
                if not keys:
                    raise UserError(_lacking(label, part))
                drawn[part].update(keys)
            if self.reservoir_at_most is not None and len(of_class["train"]) > self.reservoir_at_most:
                kept = self._shuffled("reservoir", of_class["train"])
                drawn["train"].difference_update(kept[self.reservoir_at_most :])
        return Drawn(tuple(sorted(labels)), drawn)

    def _roles(self) -> dict[str, str]:
        """What each given part serves as; one whose role another part took has none, unless it is given one."""
        own = {part: part for part in PARTS if part not in self.given_parts}
        taken = {given: role for role, given in self.given_parts.items()}
        return own | taken

    def _check_given(self, given: set[str | None]) -> None:
        found = sorted(part for part in given if part)
        for role, part in self.given_parts.items():
            if part not in found:
                known = f"it has {', '.join(found)}" if found else "it is not split"
                raise UserError(f"target.reader.given_parts.{role}: the collection has no part {part}; {known}")

    def _drawn_from_train(self, label: str, keys: Sequence[str], missing: Sequence[str]) -> dict[str, list[str]]:
        """Test first, so that another number for validation leaves the test images as they are."""
        numbers = {part: _number(self.test if part == "test" else self.val, len(keys)) for part in missing}
        if sum(numbers.values()) >= len(keys):
            asked = " and ".join(f"{part} {number}" for part, number in numbers.items())
            raise UserError(
                f'target: class "{label}" has {len(keys)} images from which {asked} are to be drawn, which leaves the '
                "part train empty; add images, ask for fewer in target.reader, or leave the class out"
            )
        shuffled, drawn, start = self._shuffled("split", keys), {}, 0
        for part, number in numbers.items():
            drawn[part] = shuffled[start : start + number]
            start += number
        return {**drawn, "train": shuffled[start:]}

    def _shuffled(self, purpose: str, keys: Sequence[str]) -> list[str]:
        """In an order that depends on the keys alone, not on how they were listed."""
        return sorted(
            keys, key=lambda key: (derive_seed(purpose, self.seed, key.encode(errors="surrogatepass").hex()), key)
        )


def _number(asked: int | float, available: int) -> int:
    return asked if isinstance(asked, int) else max(1, round(asked * available))


def _lacking(label: str, part: str) -> str:
    return (
        f'target: class "{label}" has no image in the part {part}; add some, leave the class out, or take the part '
        "away so that it is drawn"
        if part != "train"
        else f'target: class "{label}" has no image in the part train; add some, or leave the class out of the others'
    )
