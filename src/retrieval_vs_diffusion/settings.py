"""Kedro's settings of the project."""

import warnings

from retrieval_vs_diffusion.terminal import LeaderboardHook
from retrieval_vs_diffusion.tracking import TrackingHook
from retrieval_vs_diffusion.world import WorldContext
from retrieval_vs_diffusion.world_config import WorldConfigLoader

# Datasets are called <what>.<draw>.<part> on purpose: kedro-viz groups them by it.
warnings.filterwarnings("ignore", message="One or more dataset names contain '.'")
# Kedro's own call of OmegaConf; nothing that a user of this project can mend.
warnings.filterwarnings("ignore", message=r"register_new_resolver\(\)")

CONTEXT_CLASS = WorldContext
HOOKS = (TrackingHook(), LeaderboardHook())

CONFIG_LOADER_CLASS = WorldConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"parameters": ["parameters*", "parameters*/**", "strategies*"]},
    # A world overrides single keys of the base world, not whole sections.
    "merge_strategy": {"parameters": "soft"},
}
