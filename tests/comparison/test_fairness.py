import pytest

from retrieval_vs_diffusion.comparison.fairness import measure
from retrieval_vs_diffusion.models.classifier import Classifier, create_network
from retrieval_vs_diffusion.models.sampling import Sampling


@pytest.fixture
def judge(target) -> Classifier:
    return Classifier(create_network("tiny_convnet", 10).eval(), "tiny_convnet", target.class_names, 16)


def test_all_figures_are_shares_and_the_same_each_time(clip, diffusion, judge, pool, target, device):
    def figures() -> dict:
        sampling = Sampling(steps=1, batch_size=20, guidance_scale=1)
        return measure(clip, diffusion, judge, pool, target.val, target.class_names, sampling, 2, device)

    first = figures()
    assert first.pop("images_per_class") == 2
    assert set(first) == {"generation_label_agreement", "retrieval_precision", "judge_top1_on_val"}
    assert all(0 <= share <= 1 for share in first.values())
    assert first["judge_top1_on_val"] * 20 == pytest.approx(round(first["judge_top1_on_val"] * 20))  # of 20 images
    again = figures()
    assert first == {key: again[key] for key in first}
