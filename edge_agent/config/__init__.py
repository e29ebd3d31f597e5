"""The station's configuration: frozen records that mirror one TOML file, with all defaults and limits."""

from edge_agent.config.tables import (
    ORDINARY,
    SHIPPED_BUNDLES,
    ActionsConfig,
    Config,
    CostsConfig,
    EngineConfig,
    ImageHealthConfig,
    PairingConfig,
    RecipeConfig,
    ReplayConfig,
    SourceConfig,
    StationConfig,
)

__all__ = [
    "ActionsConfig",
    "Config",
    "CostsConfig",
    "EngineConfig",
    "ImageHealthConfig",
    "ORDINARY",
    "PairingConfig",
    "RecipeConfig",
    "ReplayConfig",
    "SHIPPED_BUNDLES",
    "SourceConfig",
    "StationConfig",
]
