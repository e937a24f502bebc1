import json

import pandas as pd
import pytest

from retrieval_vs_diffusion.comparison.tuning import chosen_settings, trial_table


def history(*looks: float) -> pd.DataFrame:
    """Validation looks as training writes them: kept are those that were the best so far."""
    kept = [accuracy > max(looks[:position], default=-1) for position, accuracy in enumerate(looks)]
    return pd.DataFrame({"val_top1": looks, "kept": kept})


def table(**accuracies: list[float]) -> pd.DataFrame:
    """Trials of two strategies; each name is <strategy>_<number>, each value an accuracy a repetition."""
    trials = [{"strategy": name[:-2], "name": name, "settings": {"place": int(name[-1])}} for name in accuracies]
    histories = {
        f"{name}_{repetition}": history(value)
        for name, each in accuracies.items()
        for repetition, value in enumerate(each)
    }
    return trial_table(trials, list(range(len(next(iter(accuracies.values()))))), histories)


def test_a_trial_is_worth_the_mean_of_its_repetitions():
    row = table(prompts_0=[0.5, 0.7]).iloc[0]
    assert row["val_top1_mean"] == pytest.approx(0.6)
    assert row["val_top1_se"] == pytest.approx(0.1)  # |0.5 - 0.7| / 2
    assert json.loads(row["val_top1"]) == [0.5, 0.7]
    assert (row["strategy"], row["trial"], json.loads(row["settings"])) == ("prompts", "prompts_0", {"place": 0})


def test_of_a_training_the_look_counts_that_was_kept():
    trials = [{"strategy": "a", "name": "a_0", "settings": {}}]
    looks = {"a_0_0": history(0.2, 0.6, 0.4)}  # the second was the best and its weights were kept
    assert trial_table(trials, [0], looks)["val_top1_mean"].tolist() == [0.6]


def test_the_best_trial_of_each_strategy_is_chosen():
    found = table(prompts_0=[0.5, 0.5], prompts_1=[0.4, 0.8], words_0=[0.9, 0.9], words_1=[0.1, 0.1])
    assert found["chosen"].tolist() == [False, True, True, False]  # means 0.5 < 0.6 and 0.9 > 0.1
    assert chosen_settings(found) == {"prompts": {"place": 1}, "words": {"place": 0}}


def test_of_equals_the_first_is_chosen_which_is_what_was_there_before():
    found = table(prompts_0=[0.5, 0.7], prompts_1=[0.7, 0.5], prompts_2=[0.6, 0.6])
    assert found["chosen"].tolist() == [True, False, False]


def test_one_repetition_has_no_error():
    assert table(prompts_0=[0.5])["val_top1_se"].isna().all()
