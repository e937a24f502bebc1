import asyncio

import pytest

from retrieval_vs_diffusion.images.downloads.addresses import (
    RefusedAddressError,
    UnknownHostError,
    follow,
    is_public,
    parse,
    system_resolve,
)

WEB = ("http", "https")
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "fc00::1",
    "fd00::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "2001:0:808:808::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_of_the_public_internet_is_told(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_of_the_public_internet_is_told(address):
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/passwd", "a file address"),
        ("ftp://example.com/x.jpg", "a ftp address"),
        ("data:image/png;base64,xx", "a data address"),
        ("//example.com/x.jpg", "a malformed address"),
        ("example.com/x.jpg", "a malformed address"),
        ("http:///x.jpg", "a malformed address"),
        ("http://[::1/x.jpg", "a malformed address"),
        ("http://example.com:port/", "a malformed address"),
        ("http://example.com:0/", "a malformed address"),
        ("http://example.com:65536/", "a malformed address"),
        ("http://exa\nmple.com/", "a malformed address"),
        ("http://" + "x" * 9000, "a malformed address"),
        ("", "a malformed address"),
        ("http://me:secret@example.com/x.jpg", "an address with a password"),
    ],
)
def test_addresses_that_are_not_asked_say_why(url, said):
    with pytest.raises(RefusedAddressError, match=f"^{said}$"):
        parse(url, WEB)


def test_other_addresses_are_taken_as_they_are():
    url = parse("https://Bücher.example/a b/ü.jpg?x=1#top", WEB)
    assert url.raw_host == b"xn--bcher-kva.example"
    assert url.raw_path == b"/a%20b/%C3%BC.jpg?x=1"
    with pytest.raises(RefusedAddressError, match="a http address"):
        parse("http://example.com/x.jpg", ("https",))


def test_a_redirect_is_relative_to_where_it_was_found_and_checked_anew():
    here = parse("https://example.com/a/b.jpg", WEB)
    assert str(follow(here, "c.jpg", WEB)) == "https://example.com/a/c.jpg"
    assert str(follow(here, "//other.example/c.jpg", WEB)) == "https://other.example/c.jpg"
    for location in ("file:///etc/passwd", "gopher://example.com/", "http://me@example.com/", "http://a:port/"):
        with pytest.raises(RefusedAddressError):
            follow(here, location, WEB)


def test_a_number_is_resolved_to_the_address_that_it_means():
    for spelled in ("2130706433", "0x7f.1", "127.1", "localhost"):
        assert "127.0.0.1" in asyncio.run(system_resolve(spelled, 80))


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a..b", "x" * 70 + ".example", "a\0b"])
def test_a_name_that_is_none_stands_for_nothing(host):
    with pytest.raises((UnknownHostError, OSError)):
        asyncio.run(asyncio.wait_for(system_resolve(host, 80), 5))
