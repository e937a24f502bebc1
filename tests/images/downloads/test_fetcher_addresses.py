"""Which addresses are asked: redirects, names and what they stand for, certificates."""

import ssl
import subprocess

import pytest

from retrieval_vs_diffusion.images.downloads.fetcher import Fetcher
from tests.images.downloads.server import (
    PNG,
    fetch_one,
    quick,
    redirect,
    resolve_to,
    serve,
    status,
)


def test_redirects_are_followed_so_far(web):
    for number in range(4):
        web.add(str(number), redirect(f"{number + 1}", 301 + number % 2))
    web.add("4", PNG)
    fetched = fetch_one(web.url("0"), redirects=4)
    assert (fetched.data, fetched.final_url) == (PNG, web.url("4"))
    assert fetch_one(web.url("0"), redirects=3).reason == "dead: too many redirects"
    assert fetch_one(web.add("circle", redirect("/circle"))).reason == "dead: too many redirects"
    assert web.asked["circle"] == 6


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("file:///etc/passwd", "dead: refused redirect to a file address"),
        ("ftp://127.0.0.1/x.jpg", "dead: refused redirect to a ftp address"),
        ("http://me:secret@127.0.0.1/", "dead: refused redirect to an address with a password"),
        ("http://a:port/", "dead: refused redirect to a malformed address"),
    ],
)
def test_a_redirect_to_what_is_not_asked_is_refused(web, location, reason):
    assert fetch_one(web.add("a", redirect(location))).reason == reason


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"])
def test_this_machine_is_not_asked(web, host):
    url = web.url("a").replace("127.0.0.1", host)
    web.add("a", PNG)
    assert fetch_one(url, private_addresses=False).reason == "dead: refused a private address"
    assert not web.asked


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"], ["64:ff9b::a9fe:a9fe"]])
def test_a_name_that_stands_for_a_private_address_is_not_asked(web, answers):
    port = web.address.rpartition(":")[2]
    url = f"http://pictures.example:{port}/a"
    fetched = Fetcher(quick(private_addresses=False), resolve=resolve_to(answers)).fetch([url])[url]
    assert fetched.reason == "dead: refused a private address"
    assert not web.asked


def test_a_redirect_to_a_private_address_is_refused(web, monkeypatch):
    port = int(web.address.rpartition(":")[2])
    web.add("a", redirect(f"http://inside.example:{port}/b"))
    web.add("b", PNG)

    async def resolve(host, port):
        return ["127.0.0.1"] if host == "outside.example" else ["127.0.0.2"]

    # No test can ask the internet: one address of this machine plays a public one.
    monkeypatch.setattr(
        "retrieval_vs_diffusion.images.downloads.connections.is_public", lambda address: address == "127.0.0.1"
    )
    url = f"http://outside.example:{port}/a"
    fetched = Fetcher(quick(private_addresses=False), resolve=resolve).fetch([url])[url]
    assert fetched.reason == "dead: refused redirect to a private address"
    assert web.asked == {"a": 1}


def test_a_name_that_changes_its_address_is_connected_to_the_one_that_was_checked(web, monkeypatch):
    port = web.address.rpartition(":")[2]
    for number in range(6):
        web.add(str(number), status(200, [("Connection", "close")], PNG))
    monkeypatch.setattr(
        "retrieval_vs_diffusion.images.downloads.connections.is_public", lambda address: address == "127.0.0.1"
    )
    urls = [f"http://pictures.example:{port}/{number}" for number in range(6)]
    fetched = Fetcher(quick(private_addresses=False), resolve=resolve_to(["127.0.0.1"], ["127.0.0.2"])).fetch(urls)
    assert {each.data for each in fetched.values()} == {PNG}
    assert {headers["Host"] for headers in web.headers} == {f"pictures.example:{port}"}


def test_the_second_address_of_a_host_is_tried(web):
    port = web.address.rpartition(":")[2]
    web.add("a", PNG)
    url = f"http://pictures.example:{port}/a"
    assert Fetcher(quick(), resolve=resolve_to(["127.0.0.3", "127.0.0.1"])).fetch([url])[url].data == PNG


def test_hosts_that_are_not_there_say_so():
    async def resolve(host, port):
        if host == "later.example":
            raise OSError("try again")
        return ["127.0.0.1"]

    fetcher = Fetcher(quick(), resolve=resolve)
    assert fetcher.fetch(["http://later.example/"]).popitem()[1].reason == "dead: no connection"
    assert fetcher.fetch(["http://there.example:9/"]).popitem()[1].reason == "dead: no connection"
    assert fetch_one("http://no-such-name.invalid/").reason in {"dead: no such host", "dead: no connection"}
    assert fetch_one("nonsense").reason == "dead: refused a malformed address"


def test_a_certificate_is_checked_against_the_name_not_the_address(tmp_path):
    certificate, key = self_signed("pictures.example", tmp_path)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with serve(server_side) as web:
        web.add("a", PNG)
        port = web.address.rpartition(":")[2]
        urls = [f"https://{name}:{port}/a" for name in ("pictures.example", "other.example")]
        resolve = resolve_to(["127.0.0.1"])
        good, other = Fetcher(quick(), resolve, trusting).fetch(urls).values()
        assert (good.data, other.reason) == (PNG, "dead: no trusted certificate")
        assert Fetcher(quick(), resolve).fetch(urls[:1])[urls[0]].reason == "dead: no trusted certificate"


def self_signed(name: str, folder):
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(
        [*made, *subject, "-days", "2", "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    return certificate, key
