import itertools
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from email.utils import formatdate

import pytest

from retrieval_vs_diffusion.images.downloads.fetcher import Fetcher
from tests.images.downloads.server import (
    PNG,
    answer,
    cut_off,
    endless,
    fetch_one,
    in_turn,
    packed,
    quick,
    redirect,
    slow,
    status,
    trickling,
)

IN_AN_HOUR, AN_HOUR_AGO = (formatdate(time.time() + seconds, usegmt=True) for seconds in (3600, -3600))


def test_bodies_come_as_they_are_and_each_address_is_asked_once(web):
    urls = [web.add(f"{number}.png", PNG + bytes([number])) for number in range(40)]
    fetched = Fetcher(quick(per_host=32)).fetch([*urls, *urls])
    assert list(fetched) == urls
    assert [each.data[-1] for each in fetched.values()] == list(range(40))
    assert {each.reason for each in fetched.values()} == {None}
    assert set(web.asked.values()) == {1}
    assert Fetcher(quick()).fetch([]) == {}


def test_a_host_is_told_who_asks_and_gets_no_cookie_back(web):
    web.add("a", status(200, [("Set-Cookie", "seen=1; Path=/")], PNG))
    web.add("b", status(302, [("Set-Cookie", "seen=2; Path=/"), ("Location", "/a")]))
    Fetcher(quick(user_agent="tester", concurrency=1)).fetch([web.url("a"), web.url("b")])
    for headers in web.headers:
        assert headers["User-Agent"] == "tester"
        assert headers["Accept-Encoding"] == "identity"
        assert headers["Host"] == web.address.removeprefix("http://")
        assert not {"Cookie", "Authorization", "Referer"} & set(headers)
    assert len(web.headers) == 3


def test_the_environment_names_no_proxy(web, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch_one(web.add("a", PNG)).data == PNG


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (status(404), "dead: 404"),
        (status(410), "dead: 410"),
        (status(204), "dead: 204"),
        (status(302), "dead: 302"),  # without saying where to
        (b"", "dead: empty answer"),
        (b"x" * 1001, "dead: too large"),
        (endless, "dead: too large"),
        (packed(b"x" * 1001), "dead: too large"),
        (packed(b"\0" * 1_000_000, times=2), "dead: too large"),  # 1000 bytes once unpacked once, and not one more
        (packed(b"x", "gzip, gzip", 2), "dead: unknown compression"),
        (packed(b"x", "br"), "dead: unknown compression"),
        (status(200, [("Content-Encoding", "gzip")], b"no gzip"), "dead: broken compression"),
        (status(200, [("X-Robots-Tag", "noindex, noai")], b"x"), "dead: opted out"),
    ],
)
def test_what_is_no_use_says_why_and_is_not_asked_again(web, page, reason):
    fetched = fetch_one(web.add("a.jpg", page), largest_bytes=1000)
    assert (fetched.data, fetched.reason) == (None, reason)
    assert web.asked == {"a.jpg": 1}


def test_a_body_that_was_packed_unasked_is_unpacked(web):
    assert fetch_one(web.add("gzip", packed(PNG))).data == PNG
    assert fetch_one(web.add("identity", status(200, [("Content-Encoding", "identity")], PNG))).data == PNG
    assert fetch_one(web.add("robots", status(200, [("X-Robots-Tag", "otherbot: noai, all")], PNG))).data == PNG


def test_a_bomb_takes_no_more_memory_than_is_allowed(web):
    url = web.add("bomb", packed(b"\0" * 50_000_000))
    tracemalloc.start()
    assert fetch_one(url, largest_bytes=1_000_000).reason == "dead: too large"
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10_000_000


def test_a_length_that_is_too_large_is_believed(web):
    def large(request):
        request.close_connection = True
        request.send_response(200)
        request.send_header("Content-Length", "1001")
        request.end_headers()
        time.sleep(1)

    fetched = fetch_one(web.add("a", large), largest_bytes=1000)
    assert fetched.reason == "dead: too large"
    assert fetched.seconds < 0.9


@pytest.mark.parametrize("page", [slow(30), trickling(0.05)])
def test_an_answer_that_takes_too_long_ends_in_time(web, page):
    fetched = fetch_one(web.add("a", page), timeout=0.4)
    assert fetched.reason == "dead: timed out"
    assert 0.35 < fetched.seconds < 1.5
    assert web.asked["a"] == 1


def test_redirects_have_the_time_of_one_answer_together(web):
    for number in range(5):
        web.add(str(number), lambda request, number=number: (time.sleep(0.2), redirect(f"/{number + 1}")(request)))
    web.add("5", PNG)
    assert fetch_one(web.url("0"), timeout=0.5).reason == "dead: timed out"
    assert fetch_one(web.url("0"), timeout=5.0).data == PNG


def test_waiting_for_ones_turn_does_not_count(web):
    urls = [web.add(str(number), slow(0.15)) for number in range(6)]
    fetched = Fetcher(quick(per_host=1, timeout=0.6)).fetch(urls)  # 0.9 s for all
    assert {each.reason for each in fetched.values()} == {None}


def test_what_may_pass_is_tried_again(web):
    for number, first in enumerate((status(500), status(503), status(429), cut_off)):
        url = web.add(f"a{number}", in_turn(first, first, PNG))
        assert fetch_one(url).data == PNG
        assert fetch_one(web.add("b", first), retries=1).reason in {
            "dead: 500",
            "dead: 503",
            "dead: 429",
            "dead: broken connection",
        }
        assert web.asked.pop("b") == 2


def test_retries_wait_longer_each_time(web):
    began = time.monotonic()
    assert fetch_one(web.add("a", status(500)), backoff=0.1, retries=2).reason == "dead: 500"
    assert 0.3 < time.monotonic() - began < 1.0  # 0.1 + 0.2


def test_a_host_that_names_a_time_is_let_be_for_so_long(web):
    web.add("a", in_turn(status(429, [("Retry-After", "1")]), PNG))
    urls = [web.url("a"), *(web.add(str(number), PNG) for number in range(3))]
    fetched = Fetcher(quick(per_host=1)).fetch(urls)
    assert {each.data for each in fetched.values()} == {PNG}
    gaps = [later - earlier for earlier, later in itertools.pairwise(web.starts)]
    assert gaps[0] > 0.9  # nothing else is asked of it meanwhile
    assert max(gaps[1:]) < 0.9


@pytest.mark.parametrize("value", ["31", "99999999999", pytest.param(IN_AN_HOUR, id="in an hour")])
def test_a_host_that_asks_to_wait_too_long_is_not_waited_for(web, value):
    fetched = fetch_one(web.add("a", status(503, [("Retry-After", value)])))
    assert fetched.reason == "dead: 503"
    assert fetched.seconds < 1
    assert web.asked["a"] == 1


@pytest.mark.parametrize("value", ["soon", "-1", "", pytest.param(AN_HOUR_AGO, id="an hour ago")])
def test_a_time_that_is_none_is_passed_over(web, value):
    assert fetch_one(web.add("a", in_turn(status(429, [("Retry-After", value)]), PNG))).data == PNG


def test_a_resolver_that_never_answers_is_not_waited_for():
    async def resolve(host, port):
        import asyncio

        await asyncio.sleep(60)

    began = time.monotonic()
    assert Fetcher(quick(timeout=0.3), resolve=resolve).fetch(["http://a.example/"]).popitem()[1].reason == (
        "dead: timed out"
    )
    assert time.monotonic() - began < 2


def test_a_host_is_asked_few_things_at_once_and_others_meanwhile(web):
    crowded = [web.add(f"crowded{number}", slow(0.05)) for number in range(12)]
    other = web.add("other", PNG).replace("127.0.0.1", "localhost")
    arrived = []
    Fetcher(quick(per_host=3, concurrency=3)).fetch_each([*crowded, other], lambda url, _: arrived.append(url))
    assert web.most_at_once == 3
    assert arrived.index(other) <= 6  # though it came last, and could not have had a place from the first
    web.most_at_once = 0
    Fetcher(quick(per_host=12, concurrency=2)).fetch(crowded)
    assert web.most_at_once == 2


def test_a_host_is_not_asked_faster_than_it_should_be(web):
    Fetcher(quick(seconds_between=0.1)).fetch([web.add(str(number), PNG) for number in range(5)])
    assert web.starts[-1] - web.starts[0] > 0.35  # four times 0.1, less what a busy machine is late with the first


def test_a_host_that_never_answers_is_given_up(web):
    urls = [web.add(str(number), slow(30)) for number in range(30)]
    began = time.monotonic()
    fetched = Fetcher(quick(timeout=0.2, host_failures=4, per_host=2)).fetch(urls)
    assert time.monotonic() - began < 2  # not 30 / 2 x 0.2 s
    reasons = [each.reason for each in fetched.values()]
    assert 4 <= reasons.count("dead: timed out") <= 5
    assert reasons.count("dead: host does not answer") == 30 - reasons.count("dead: timed out")


def test_dead_links_do_not_make_a_host_dead(web):
    urls = [web.url(str(number)) for number in range(20)] + [web.add("alive", PNG)]
    fetched = Fetcher(quick(host_failures=3)).fetch(urls)
    assert fetched[web.url("alive")].data == PNG
    assert sum(each.reason == "dead: 404" for each in fetched.values()) == 20


def test_a_host_that_answers_now_and_then_is_not_given_up(web):
    urls = [web.add(str(number), PNG if number % 3 == 2 else cut_off) for number in range(12)]
    fetched = Fetcher(quick(host_failures=3, per_host=1, retries=0)).fetch(urls)
    assert [each.reason for each in fetched.values()] == [*["dead: broken connection"] * 2, None] * 4


def test_no_more_bodies_are_held_than_can_be_used(web):
    urls = [web.add(str(number), PNG) for number in range(60)]
    lock, held = threading.Lock(), []

    def arrived(url, fetched):
        time.sleep(0.03)
        with lock:
            held.append(sum(web.asked.values()) - len(held))

    Fetcher(quick(per_host=4, concurrency=4)).fetch_each(urls, arrived)
    assert len(held) == 60
    assert max(held) <= 4 + 2 * 4 + 4  # being fetched, waiting to be used, being used


def test_what_goes_wrong_with_an_answer_stops_all(web):
    urls = [web.add(str(number), slow(0.05)) for number in range(40)]

    def arrived(url, fetched):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Fetcher(quick()).fetch_each(urls, arrived)
    assert sum(web.asked.values()) < 10


def test_it_works_inside_a_running_event_loop(web):
    import asyncio

    url = web.add("a", PNG)

    async def notebook():
        return Fetcher(quick()).fetch([url])

    assert asyncio.run(notebook())[url].data == PNG


def test_ctrl_c_ends_it_at_once(web):
    web.add("slow", slow(30))
    script = f"""
        from retrieval_vs_diffusion.images.downloads.fetcher import Fetcher
        from tests.images.downloads.server import quick
        try:
            Fetcher(quick(timeout=60)).fetch(["{web.url("slow")}"])
        except KeyboardInterrupt:
            print("interrupted")
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=-1, stderr=-1, text=True) as process:
        while not web.asked:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, err = process.communicate(timeout=10)
    assert out == "interrupted\n"
    assert err == ""
    assert time.monotonic() - began < 5


def test_odd_answers_are_dead_and_stop_nothing(web):
    def raw(data: bytes):
        def page(request):
            request.close_connection = True
            request.wfile.write(data)

        return page

    odd = [
        b"",
        b"\0\1\2\3",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:99999999/\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ]
    urls = [web.add(str(number), raw(data)) for number, data in enumerate(odd)]
    fetched = Fetcher(quick(retries=0, timeout=2, host_failures=100)).fetch([*urls, web.add("good", PNG)])
    assert fetched.pop(web.url("good")).data == PNG
    assert all(each.reason.startswith("dead: ") for each in fetched.values())


def test_a_page_without_a_length_is_limited_too(web):
    def without_length(request):
        request.close_connection = True
        request.send_response(200)
        request.end_headers()
        request.wfile.write(b"x" * 2000)

    assert fetch_one(web.add("a", without_length), largest_bytes=1000).reason == "dead: too large"
    assert len(fetch_one(web.add("b", without_length), largest_bytes=2000).data) == 2000
    assert fetch_one(web.add("c", lambda request: answer(request, 200, b"x" * 2000)), largest_bytes=2000).data
