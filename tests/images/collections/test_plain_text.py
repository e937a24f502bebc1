from retrieval_vs_diffusion.images.collections.plain_text import plain, plain_caption


def test_halves_of_pairs_are_written_out():
    assert plain("a\ud83d b") == "a\\ud83d b"
    assert plain("ä 犬 🐕") == "ä 犬 🐕"


def test_captions_are_one_clean_line():
    assert plain_caption("  a\tdog\r\n\x07on\x9f grass \u2028 ok ", 100) == "a dog on grass ok"


def test_captions_are_cut():
    assert plain_caption("x" * 20_000, 10_000) == "x" * 10_000
    assert plain_caption("x" * 10_000, 10_000) == "x" * 10_000
