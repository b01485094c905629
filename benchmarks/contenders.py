"""Ours and what people would use instead, behind one shape: fit on label rows, score others, name what was selected.

Every contender gets the same attributes in the form it takes best (categories as such, one-hot, or numbers with the
median for missing). Peers run near their defaults, with mild regularisation where the default overfits a few thousand
rows. Each is imported where it is used, so one that cannot be installed does not stop the others.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from icp.bins import encode, make_bins
from icp.derive import derive
from icp.points import card_of
from icp.profile import Attribute, BinDictionary, Profile

LEAST_INFORMATION = 0.02  # the usual cut-off of a scorecard's information value

Floats = NDArray[np.float64]
Score = Callable[[pd.DataFrame], Floats]


@dataclass(frozen=True)
class Fitted:
    """Win probabilities for any frame with the attributes, and what its owner would be shown."""

    probability: Score
    selected: frozenset[str]
    size: int  # lines a reader has to take in: bins, coefficients, rules or leaves


Contender = Callable[[pd.DataFrame, Sequence[Attribute], int], Fitted]


def ours(train: pd.DataFrame, attributes: Sequence[Attribute], seed: int) -> Fitted:
    newest = str(train["outcome_quarter"].max())
    dictionary = make_bins(train, attributes, newest)
    profile = derive(train, dictionary, icp="benchmark", quarter=newest, has_tiers=False, seed=seed)
    confirmed = _named(profile)
    size = sum(len(c.bins) for card in (profile.fit, profile.intent) for c in card.criteria)
    return Fitted(lambda frame: profile_probability(profile, profile.bins, frame), confirmed, size)


def _named(profile: Profile) -> frozenset[str]:
    """The attributes the profile names, those of a confirmed segment's conditions included."""
    found = [profile.bins.attribute(t.attribute) for t in profile.tests if t.grade == "confirmed"]
    return frozenset(name for a in found for name in ([c.attribute for c in a.conditions] or [a.name]))


def profile_probability(profile: Profile, dictionary: BinDictionary, frame: pd.DataFrame) -> Floats:
    """What the published points say: both axes, through the stored lines."""
    codes = encode(frame, dictionary)
    total = np.zeros(len(frame))
    for card in (profile.fit, profile.intent):
        points = card_of(card, dictionary)
        total += points.intercept + points.slope * points.score(codes)
    return np.asarray(expit(total))


def lightgbm(train: pd.DataFrame, attributes: Sequence[Attribute], seed: int) -> Fitted:
    from lightgbm import LGBMClassifier

    levels = _levels(train, attributes)
    machine = LGBMClassifier(
        n_estimators=200, learning_rate=0.03, num_leaves=15, min_child_samples=40, subsample=0.8, subsample_freq=1,
        colsample_bytree=0.8, random_state=seed, n_jobs=1, deterministic=True, verbosity=-1,
    )  # fmt: skip
    machine.fit(_typed(train, attributes, levels), train["is_won"].astype(int))
    gains = machine.booster_.feature_importance("gain")
    used = frozenset(a.name for a, gain in zip(attributes, gains, strict=True) if gain > 0)
    leaves = int(sum(t["num_leaves"] for t in machine.booster_.dump_model()["tree_info"]))
    return Fitted(lambda f: machine.predict_proba(_typed(f, attributes, levels))[:, 1], used, leaves)


def ebm(train: pd.DataFrame, attributes: Sequence[Attribute], seed: int) -> Fitted:
    from interpret.glassbox import ExplainableBoostingClassifier

    levels = _levels(train, attributes)
    kinds = ["continuous" if a.kind == "numeric" else "nominal" for a in attributes]
    machine = ExplainableBoostingClassifier(interactions=0, feature_types=kinds, random_state=seed, n_jobs=1)
    machine.fit(_plain(train, attributes, levels), train["is_won"].astype(int))
    used = [t for t, weight in zip(machine.term_features_, machine.term_importances(), strict=True) if weight > 0]
    names = frozenset(attributes[i].name for term in used for i in term)
    size = int(sum(np.size(s) for s in machine.term_scores_))
    return Fitted(lambda f: machine.predict_proba(_plain(f, attributes, levels))[:, 1], names, size)


def l1_logistic(train: pd.DataFrame, attributes: Sequence[Attribute], seed: int) -> Fitted:
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

    columns = _Dummies(train, attributes)
    x, y = columns(train), train["is_won"].astype(int)
    grid = np.geomspace(0.003, 1, 8)
    options = {"solver": "liblinear", "random_state": seed, "max_iter": 500}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chosen = LogisticRegressionCV(Cs=grid, cv=5, penalty="l1", scoring="roc_auc", **options).fit(x, y)
        machine = LogisticRegression(penalty="l1", C=float(chosen.C_[0]), **options).fit(x, y)
    kept = [name for name, weight in zip(columns.owners, machine.coef_[0], strict=True) if weight != 0]
    return Fitted(lambda f: machine.predict_proba(columns(f))[:, 1], frozenset(kept), len(kept))


def optbinning(train: pd.DataFrame, attributes: Sequence[Attribute], seed: int) -> Fitted:
    from optbinning import BinningProcess
    from sklearn.linear_model import LogisticRegression

    levels, names = _levels(train, attributes), [a.name for a in attributes]
    categorical = [a.name for a in attributes if a.kind != "numeric"]
    binning = BinningProcess(names, categorical_variables=categorical)
    y = train["is_won"].astype(int).to_numpy()
    binning.fit(_plain(train, attributes, levels), y)
    values = binning.summary().set_index("name")["iv"].astype(float)
    kept = [n for n in names if values[n] >= LEAST_INFORMATION] or [values.idxmax()]

    def weights(frame: pd.DataFrame) -> pd.DataFrame:
        return binning.transform(_plain(frame, attributes, levels), metric="woe", metric_missing="empirical")[kept]

    machine = LogisticRegression(max_iter=500).fit(weights(train), y)
    size = int(sum(len(binning.get_binned_variable(n).splits) + 1 for n in kept))
    return Fitted(lambda f: machine.predict_proba(weights(f))[:, 1], frozenset(kept), size)


def ripper(train: pd.DataFrame, attributes: Sequence[Attribute], seed: int) -> Fitted:
    from wittgenstein import RIPPER

    levels = _levels(train, attributes)
    machine = RIPPER(random_state=seed)
    x = _plain(train, attributes, levels)
    machine.fit(x, y=train["is_won"].astype(int), pos_class=1)
    rules = machine.ruleset_.rules
    names = frozenset(str(condition.feature) for rule in rules for condition in rule.conds)
    size = sum(len(rule.conds) for rule in rules)

    def probability(frame: pd.DataFrame) -> Floats:
        found = machine.predict_proba(_plain(frame, attributes, levels))
        return np.asarray(found[:, 1], dtype=float)

    return Fitted(probability, names, size)


def rulefit(train: pd.DataFrame, attributes: Sequence[Attribute], seed: int) -> Fitted:
    from imodels import RuleFitClassifier

    columns = _Dummies(train, attributes)
    machine = RuleFitClassifier(max_rules=30, random_state=seed)
    x = columns(train)
    machine.fit(x.to_numpy(), train["is_won"].astype(int).to_numpy(), feature_names=list(x.columns))
    table = machine.visualize()
    texts = " ".join(table["rule"].astype(str))
    owners = dict(zip(x.columns, columns.owners, strict=True))
    names = frozenset(owner for column, owner in owners.items() if column in texts)
    return Fitted(lambda f: machine.predict_proba(columns(f).to_numpy())[:, 1], names, len(table))


def pysubgroup(train: pd.DataFrame, attributes: Sequence[Attribute], seed: int) -> Fitted:
    import pysubgroup as ps

    levels = _levels(train, attributes)
    data = _plain(train, attributes, levels)
    data["is_won"] = train["is_won"].astype(bool).to_numpy()
    target = ps.BinaryTarget("is_won", True)
    space = ps.create_selectors(data, nbins=5, ignore=["is_won"])
    task = ps.SubgroupDiscoveryTask(data, target, space, result_set_size=10, depth=2, qf=ps.WRAccQF())
    found = [d for _, d, _ in ps.BeamSearch(beam_width=30).execute(task).to_descriptions(include_stats=True)]
    names = frozenset(str(s.attribute_name) for d in found for s in d.selectors)
    rates = [float(data["is_won"][np.asarray(d.covers(data))].mean()) for d in found]
    base = float(data["is_won"].mean())

    def probability(frame: pd.DataFrame) -> Floats:
        rows = _plain(frame, attributes, levels)
        best = np.full(len(rows), base)
        for description, rate in zip(found, rates, strict=True):
            best = np.where(np.asarray(description.covers(rows)), np.maximum(best, rate), best)
        return best

    return Fitted(probability, names, sum(len(d.selectors) for d in found))


CONTENDERS: dict[str, Contender] = {
    "icp-refresh": ours,
    "LightGBM": lightgbm,
    "EBM": ebm,
    "L1 logistic": l1_logistic,
    "optbinning scorecard": optbinning,
    "RIPPER": ripper,
    "RuleFit": rulefit,
    "pysubgroup": pysubgroup,
}


def _levels(train: pd.DataFrame, attributes: Sequence[Attribute]) -> dict[str, list[str]]:
    return {a.name: sorted(set(_texts(train[a.name])) - {"unknown"}) for a in attributes if a.kind != "numeric"}


def _texts(values: pd.Series) -> pd.Series:
    return values.astype(object).where(values.notna(), "unknown").astype(str).astype(object)


def _typed(frame: pd.DataFrame, attributes: Sequence[Attribute], levels: dict[str, list[str]]) -> pd.DataFrame:
    """Numbers with NaN, everything else as a category with the levels of training."""
    columns = {}
    for a in attributes:
        if a.kind == "numeric":
            columns[a.name] = pd.to_numeric(frame[a.name], errors="coerce").astype(float)
        else:
            columns[a.name] = pd.Categorical(_texts(frame[a.name]), [*levels[a.name], "unknown"])
    return pd.DataFrame(columns, index=frame.index)


def _plain(frame: pd.DataFrame, attributes: Sequence[Attribute], levels: dict[str, list[str]]) -> pd.DataFrame:
    """Numbers with the median for missing, everything else as text."""
    columns = {}
    for a in attributes:
        if a.kind == "numeric":
            numbers = pd.to_numeric(frame[a.name], errors="coerce").astype(float)
            columns[a.name] = numbers.fillna(numbers.median() if numbers.notna().any() else 0.0)
        else:
            texts = _texts(frame[a.name])
            columns[a.name] = texts.where(texts.isin(levels[a.name]), "unknown")
    return pd.DataFrame(columns, index=frame.index)


class _Dummies:
    """Numbers logged and standardised with a flag for missing, one column per level."""

    def __init__(self, train: pd.DataFrame, attributes: Sequence[Attribute]) -> None:
        self.attributes = attributes
        self.levels = _levels(train, attributes)
        raw = self._raw(train)
        self.centre, self.spread = raw.mean(), raw.std().replace(0.0, 1.0)
        self.owners = [c.split("|")[0] for c in raw.columns]

    def _raw(self, frame: pd.DataFrame) -> pd.DataFrame:
        columns = {}
        for a in self.attributes:
            if a.kind == "numeric":
                numbers = pd.to_numeric(frame[a.name], errors="coerce").astype(float)
                logged = np.sign(numbers) * np.log1p(numbers.abs())
                columns[f"{a.name}|"] = logged.fillna(logged.median() if logged.notna().any() else 0.0)
                columns[f"{a.name}|missing"] = numbers.isna().astype(float)
            else:
                texts = _texts(frame[a.name])
                columns |= {f"{a.name}|{lv}": (texts == lv).astype(float) for lv in self.levels[a.name]}
        return pd.DataFrame(columns, index=frame.index)

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        return (self._raw(frame) - self.centre) / self.spread
