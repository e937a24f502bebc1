"""clip-retrieval's own reader, mapper, writer and runner over tars of JPEGs, with the model loaded beforehand.

    clip_retrieval.py MODEL WEIGHTS WORKERS BATCH_SIZE

Asked ``{"tars": [...], "output": FOLDER}``, answers with the seconds of a whole run, embeddings on the disk. Its process
that writes statistics is left out, which favours it.
"""

import json
import sys
import time

del sys.path[0]  # this script's folder: the script is called as the package is

from clip_retrieval.clip_inference.mapper import ClipMapper  # noqa: E402
from clip_retrieval.clip_inference.reader import WebdatasetReader  # noqa: E402
from clip_retrieval.clip_inference.runner import Runner  # noqa: E402
from clip_retrieval.clip_inference.writer import NumpyWriter  # noqa: E402


class _Silent:
    def __init__(self, partition):
        pass

    def start(self):
        pass

    def end(self):
        pass

    def __call__(self, stats):
        pass


def main() -> None:
    """Load the model; then answer."""
    from all_clip import load_clip

    model, weights, workers, batch_size = sys.argv[1:]
    named = {"clip_model": f"open_clip:{model}/{weights}", "use_jit": False, "warmup_batch_size": int(batch_size)}
    what = {"enable_image": True, "enable_text": False, "enable_metadata": False}
    _, preprocess, tokenizer = load_clip(**named, clip_cache_path=None)
    mapper = ClipMapper(**what, **named, use_mclip=False, mclip_model="")
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)

        def reader(sampler, tars=asked["tars"]):
            return WebdatasetReader(sampler, preprocess, tokenizer, tars, int(batch_size), int(workers), **what)

        def writer(partition, output=asked["output"]):
            return NumpyWriter(partition, output, False, True, False, 1)

        started = time.perf_counter()
        Runner(reader, lambda: mapper, writer, _Silent, 1)(0)
        print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main()
