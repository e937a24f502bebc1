"""How images are downloaded: with how much patience, and with what respect for whom they are asked of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

USER_AGENT = "Mozilla/5.0 (compatible; retrieval_vs_diffusion; downloads single images for research)"


class Downloads(BaseModel):
    """What is asked, how often, and what is refused.

    Args:
        concurrency: downloads at once.
        per_host: downloads at once from one host.
        seconds_between: from the start of one download to the start of the next from the same host.
        timeout: seconds that an address may take from first connection to last byte, redirects and all; waiting
            for one's turn does not count.
        largest_bytes: of an answer, also once it is decompressed.
        redirects: that are followed.
        retries: after broken connections and the answers 429 and 5xx.
        backoff: seconds before the first retry, doubled before each further one, where the host names no time.
        host_failures: of a host in a row, after which the rest of its addresses are not asked.
        schemes: of addresses that are asked.
        private_addresses: whether this machine and its own network may be asked; for tests and mirrors at home.
        disallowed_directives: an image whose answer has one of these in ``X-Robots-Tag`` is not kept; as img2dataset.
        user_agent: what the servers are told of who asks.
        short_side: pixels to which the shorter side of larger images is shrunk; None keeps them as they are.
        overfetch: how many times as many images are asked for as are wanted, for many links are dead.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    concurrency: Annotated[int, Field(ge=1, le=1000)] = 32
    per_host: Annotated[int, Field(ge=1)] = 2
    seconds_between: Annotated[float, Field(ge=0)] = 0.1
    timeout: Annotated[float, Field(gt=0)] = 10.0
    largest_bytes: Annotated[int, Field(ge=1)] = 20_000_000
    redirects: Annotated[int, Field(ge=0)] = 5
    retries: Annotated[int, Field(ge=0)] = 2
    backoff: Annotated[float, Field(ge=0)] = 0.5
    host_failures: Annotated[int, Field(ge=1)] = 10
    schemes: tuple[Literal["http", "https"], ...] = ("http", "https")
    private_addresses: bool = False
    disallowed_directives: tuple[str, ...] = ("noai", "noimageai", "noindex", "noimageindex")
    user_agent: str = USER_AGENT
    short_side: Annotated[int, Field(ge=1)] | None = 512
    overfetch: Annotated[float, Field(ge=1)] = 1.5
