from retrieval_vs_diffusion.images.downloads.shares import host_of, shares_of


def urls(host: str, count: int) -> list[str]:
    return [f"http://{host}.example/{number}" for number in range(count)]


def test_a_hosts_addresses_stay_together_in_their_order():
    mixed = [url for pair in zip(urls("a", 3), urls("b", 3), strict=True) for url in pair]
    assert shares_of(mixed) == [[urls("a", 3) + urls("b", 3)]]
    assert shares_of([]) == []


def test_shares_grow_with_the_addresses_and_never_beyond_a_shard():
    def sizes(hosts: int, of_each: int) -> list[int]:
        return [
            len(shard)
            for share in shares_of([u for h in range(hosts) for u in urls(str(h), of_each)])
            for shard in share
        ]

    assert sizes(100, 1) == [100]  # the smallest
    assert sizes(101, 1) == [100, 1]
    assert sizes(3_200, 2) == [200] * 32  # 6,400 / 32
    assert sizes(40_000, 1) == [1_000] * 40  # 40,000 / 32 is more than a shard holds


def test_no_two_shares_have_a_host_in_common_and_a_large_host_is_several_shards_of_one():
    shares = shares_of([*urls("a", 90), *urls("large", 2_500), *urls("b", 30), *urls("c", 50)])
    # 2,670 addresses: shares of 100
    assert [[len(shard) for shard in share] for share in shares] == [[1_000, 1_000, 500], [90], [80]]
    hosts = [{host_of(url) for shard in share for url in shard} for share in shares]
    assert hosts == [{"large.example"}, {"a.example"}, {"b.example", "c.example"}]


def test_a_host_is_one_however_it_is_written():
    assert {host_of(url) for url in ("http://A.example/", "https://a.example:8080/x", "http://u@a.example")} == {
        "a.example"
    }
    assert host_of("http://[/") == host_of("nothing") == ""
