import pytest
import torch

from retrieval_vs_diffusion.errors import UserError
from retrieval_vs_diffusion.strategies.conditions import ClassMatrices, ClassPrompts


def test_prompts_are_filled_by_class_and_used_in_turn():
    conditions = ClassPrompts([{"name": "zero"}, {"name": "<one>", "hypernym": "digit"}])
    templates = ["a {name}", "a {name}, a {hypernym}"]
    assert [conditions.of(1, number, templates).prompt for number in range(3)] == [
        "a <one>",
        "a <one>, a digit",
        "a <one>",
    ]
    assert conditions.of(0, 0, templates).condition == "a zero"
    with pytest.raises(UserError, match='class "zero" has no hypernym'):
        conditions.of(0, 1, templates)


def test_matrices_are_used_in_their_turns_whatever_the_templates_say():
    matrices = [torch.stack([torch.zeros(2, 3), torch.ones(2, 3)]), torch.full((1, 2, 3), 5.0)]
    conditions = ClassMatrices(matrices, [[0, 1, 1], [0]], ["zero", "one"])
    shown = [conditions.of(0, number, ["a {name}"]) for number in range(4)]
    assert [float(each.condition[0, 0]) for each in shown] == [0, 1, 1, 0]
    assert shown[1].prompt == "[conditioning 1 of zero]"
    assert float(conditions.of(1, 7, []).condition[0, 0]) == 5
