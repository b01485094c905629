"""The words of the report, each in one sentence a revenue lead can use."""

from __future__ import annotations

GLOSSARY = (
    (
        "ICP",
        "Ideal customer profile: the attributes that make an account more likely to be won, with points for each.",
    ),
    (
        "Fit and intent",
        "Fit is who an account is and decides the tier. Intent is what it does now and is kept beside it.",
    ),
    (
        "Odds multiplier",
        "How many times the odds of winning are those of the average worked account, everything else "
        "equal; ×1 is no difference. Where lost deals are not recorded, the odds are of being a customer.",
    ),
    (
        "Lift",
        "The win rate of a group divided by the base rate. It shrinks when the base rate rises, the odds "
        "multiplier does not.",
    ),
    ("95% interval", "The range the true number is very likely in. A wide one means few outcomes, not a large effect."),
    ("Base rate", "The share of worked, closed opportunities that were won, whoever they were with."),
    (
        "q",
        "The p-value corrected for the number of attributes tested: of the attributes confirmed at q ≤ "
        "0.05, about one in twenty is expected to be chance; what was confirmed before stays up to 0.10.",
    ),
    ("Confirmed", "The effect survives the test and is large enough to act on."),
    ("Provisional", "Not confirmed, but likely enough to sharpen the score; never named as a finding."),
    (
        "Believed",
        "In the score because people stated it (hypotheses.yml), not because outcomes show it; graded every quarter.",
    ),
    (
        "Changed",
        "The newest quarter’s outcomes contradict the earlier effect, beyond chance and beyond a change in who came.",
    ),
    ("Stable", "The effect is shown to be within a factor of 1.5 of what it was."),
    (
        "No evidence",
        "Tested, and nothing beyond chance was seen, with enough outcomes to see a large change; a small one may be there.",
    ),
    ("Cannot tell at this n", "Not tested, or with so few outcomes that even a large change would have gone unseen."),
    (
        "Mix and effect",
        "Why a group's share of the wins moved: more or fewer of them were worked (mix), or they won more or less often "
        "than the others (effect).",
    ),
    ("AUC", "The chance that a won opportunity scored higher than a lost one: 0.5 is a coin, 1 is perfect."),
    (
        "Calibration",
        "Whether predicted win rates come true: a slope of 1 means they do, below 1 means they were too extreme.",
    ),
    (
        "Expected value",
        "Chance of winning an opportunity at the account times what a win there is worth; what an opportunity worked "
        "there brings on average.",
    ),
    (
        "Value driver",
        "An attribute that makes a win worth more or less, tested on the values of won deals; its multiplier is against "
        "the average win.",
    ),
    ("Tier", "A band of fit scores cut by how many accounts the team can work."),
    ("Point-in-time", "Known when the opportunity opened, not learned or corrected later."),
)
