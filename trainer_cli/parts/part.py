"""What every part is: a frozen, strict pydantic model of the arguments that a config gives under `type: <name>`."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Part(BaseModel):
    """A thing that a config can name. Its `type` is the stem of the file that defines it.

    Unknown keys are refused, scalars are strict (`"2"` is no integer, `1` is a float), instances never change.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    type: ClassVar[str] = ""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.type = cls.__module__.rpartition(".")[2]

    @model_serializer(mode="wrap")
    def _with_type(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"type": self.type, **handler(self)}
