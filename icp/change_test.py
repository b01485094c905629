"""Has an attribute's effect on winning changed in the newest period? The test behind every "changed" in a diff.

Earlier periods and the newest one are pooled with an intercept per period, so a better or worse quarter overall is not
a change of the ICP. Per attribute the test asks whether its bins are worth something else in the newest period, its
main effect being free (docs/method.md). The strongest change is added to the model before the rest are tested again,
so one real change does not drag its correlates along; a flag that vanishes when the earlier rows are reweighted to the
newest mix of accounts is a matter of who came, not of who wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icp.change_model import FLAG_LEVEL, ChangeBlock, ChangeModel, Effects
from icp.design import Codes
from icp.stats import Floats, benjamini_hochberg

MOST_CHANGES = 8
EFFECT_WEIGHT = 4.0  # of a test of an effect there is, against one of an effect there is not


@dataclass(frozen=True)
class ChangeResult:
    """The outcome for one block. `p_value` and `q_value` are those of the round that decided about it."""

    name: str
    p_value: float
    q_value: float
    is_flagged: bool
    is_material: bool
    is_mix_driven: bool
    before: Effects
    now: Effects
    change: Effects
    shares_before: Floats
    shares_now: Floats

    @property
    def is_change(self) -> bool:
        """Beyond chance, large enough to matter, and not explained by who came."""
        return self.is_flagged and self.is_material and not self.is_mix_driven


def find_changes(
    blocks: Sequence[ChangeBlock], won: Floats, periods: Codes, weights: Floats | None = None
) -> tuple[ChangeResult, ...]:
    """Test every block for a change in the last period, attributing forward; one result per block, in their order.

    Args:
        blocks: attributes and entering levels, under unique names.
        won: 0/1 per row.
        periods: 0 … T-1 per row; the last one is the newest.
        weights: what each row counts for (less than 1 where outcomes repeat each other).
    """
    counted = np.ones(len(won)) if weights is None else weights
    model = ChangeModel.build(blocks, np.asarray(won, dtype=float), np.asarray(periods), counted)
    decided: dict[str, tuple[float, float]] = {}
    verdicts: dict[str, tuple[bool, bool]] = {}
    for _ in range(min(MOST_CHANGES, len(blocks)) + 1):
        open_blocks = [b.name for b in blocks if b.name not in verdicts]
        if not open_blocks:
            break
        p_values = [model.p_value(name) for name in open_blocks]
        q_values = weighted_q_values(p_values, [model.has_effect(name) for name in open_blocks])
        decided |= dict(zip(open_blocks, zip(p_values, map(float, q_values), strict=True), strict=True))
        if q_values.min() > FLAG_LEVEL or len(verdicts) == MOST_CHANGES:
            break
        strongest = open_blocks[min(range(len(p_values)), key=lambda i: (q_values[i], p_values[i]))]
        model = model.with_change(strongest)
        verdicts[strongest] = (model.is_material(strongest), model.is_mix_driven(strongest))
    return tuple(_result(model, block, decided[block.name], verdicts.get(block.name)) for block in blocks)


def weighted_q_values(p_values: Sequence[float], has_effect: Sequence[bool]) -> Floats:
    """q-values where what is known to matter for winning gets more of the allowance for false alarms.

    Benjamini and Hochberg on p / weight, the weights averaging 1 (Genovese, Roeder and Wasserman 2006): what fades, moves
    or flips is an effect there is, most often. That keeps the rate as long as weights do not depend on the tested change;
    an effect of all periods together does not, being free in the test of its change.

    >>> weighted_q_values([0.004, 0.004], [True, False]).round(4).tolist()
    [0.005, 0.01]
    """
    weights = np.where(has_effect, EFFECT_WEIGHT, 1.0)
    return benjamini_hochberg(np.minimum(np.asarray(p_values) * weights.mean() / weights, 1.0))


def _result(
    model: ChangeModel, block: ChangeBlock, decided: tuple[float, float], verdict: tuple[bool, bool] | None
) -> ChangeResult:
    before, now, change = model.effects(block.name)
    is_material, is_mix_driven = verdict or (False, False)
    shares_before, shares_now = model.shares(block)
    return ChangeResult(
        name=block.name,
        p_value=decided[0],
        q_value=decided[1],
        is_flagged=verdict is not None,
        is_material=is_material,
        is_mix_driven=is_mix_driven,
        before=before,
        now=now,
        change=change,
        shares_before=shares_before,
        shares_now=shares_now,
    )
