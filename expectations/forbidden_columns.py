"""One expectation Great Expectations lacks: columns a table must not have. Importing this module registers it."""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.expectations.expectation import BatchExpectation


class ExpectTableColumnsToNotBeInSet(BatchExpectation):  # type: ignore[misc]
    """No column of the table bears one of these names, however it is spelled (case, underscores, `attr_`)."""

    column_set: list[str]

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.columns",)
    success_keys: ClassVar[tuple[str, ...]] = ("column_set",)

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: dict[str, Any] | None = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        forbidden = {_bare(name) for name in self.column_set}
        found = sorted(name for name in metrics["table.columns"] if _bare(name) in forbidden)
        return {"success": not found, "result": {"observed_value": found}}


def _bare(name: str) -> str:
    return name.lower().removeprefix("attr_").replace("_", "")
