"""What every part is: a frozen, strict pydantic model of the arguments that a config gives under `type: <name>`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer


class Part(BaseModel):
    """A thing that a config can name. Its `type` is the stem of the file that defines it.

    Unknown keys are refused, scalars are strict (`"2"` is no integer, `1` is a float), numbers are finite, instances
    never change.
    """

    # Validators are built when first used: most models are only inherited from, or part of another.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)

    type: ClassVar[str] = ""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.type = cls.__module__.rpartition(".")[2]

    @model_serializer(mode="wrap")
    def _with_type(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"type": self.type, **handler(self)}


IntegerList: TypeAlias = Annotated[tuple[int, ...], Field(strict=False)]
"""Several integers: a list in a config, a tuple in the part; the integers themselves stay strict."""

FloatList: TypeAlias = Annotated[tuple[float, ...], Field(strict=False)]
"""Several numbers: a list in a config, a tuple in the part; the numbers themselves stay strict."""
