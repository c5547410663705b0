"""The contenders, one file each; the order is that of the tables."""

from .base import Contender, Unavailable
from .envoy import Bare, ExtProc, Lua
from .litellm import LiteLlm
from .mlflow import MlFlow
from .not_had import NOT_HAD
from .portkey import Portkey
from .sluice import Empty, Everything, translations
from .tensorzero import TensorZero

ALL: list[Contender] = [
    Bare(),
    Empty(),
    Everything(),
    *translations(),
    Lua(),
    ExtProc(),
    TensorZero(),
    Portkey(),
    LiteLlm(),
    MlFlow(),
    *NOT_HAD,
]

__all__ = ["ALL", "Contender", "Unavailable"]
