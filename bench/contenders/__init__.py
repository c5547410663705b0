"""The contenders, one file each; the order is that of the tables."""

from .aigw import AiGateway
from .base import Contender, Unavailable
from .bifrost import Bifrost
from .envoy import Bare, ExtProc, Lua
from .litellm import LiteLlm
from .mlflow import MlFlow
from .portkey import Portkey
from .sluice import Empty, Everything, Redaction, translations
from .tensorzero import TensorZero

ALL: list[Contender] = [
    Bare(),
    Empty(),
    Everything(),
    Redaction(),
    *translations(),
    Lua(),
    ExtProc(),
    TensorZero(),
    Portkey(),
    LiteLlm(),
    MlFlow(),
    Bifrost(),
    AiGateway(),
]

__all__ = ["ALL", "Contender", "Unavailable"]
