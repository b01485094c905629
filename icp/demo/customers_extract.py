"""What customers leave behind: invoices exported by the finance team in Dublin, and answers to NPS surveys."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd

from icp.demo.accounts import AccountRecords
from icp.demo.timeline import DAY, STARTS, Extract, Ints, random_source
from icp.demo.universe import Universe
from icp.demo.vocabulary import COMMENTS, FIRST_NAMES

FALLBACK_AMOUNT = 12_000.0
MONTHLY_CHURN = 0.012
ANSWERS_PER_MONTH = 0.05


def build_subscriptions(seed: int, deals: pd.DataFrame) -> pd.DataFrame:
    """One row per customer: company, first and last paid month, and what it pays a month."""
    rng = random_source(seed, "subscriptions")
    won = deals[deals["is_won"] & (deals["kind"] == "newbusiness")].drop_duplicates("company")
    first = won["closed_on"].to_numpy().astype("datetime64[M]") + 1
    lasts = first + rng.geometric(MONTHLY_CHURN, len(won))
    yearly = won["amount"].fillna(FALLBACK_AMOUNT).to_numpy()
    return pd.DataFrame(
        {
            "company": won["company"].to_numpy(), "first": first.astype("datetime64[s]"),
            "last": np.minimum(lasts, STARTS[-1].astype("datetime64[M]") - 1).astype("datetime64[s]"),
            "monthly": np.round(yearly / 12, 2), "currency": won["currency"].to_numpy(),
            "score": np.clip(rng.normal(8.0, 1.6, len(won)), 0, 10),
        }
    )  # fmt: skip


def build_invoices(seed: int, subscriptions: pd.DataFrame) -> pd.DataFrame:
    """One invoice per customer and paid month, with credit notes, voids and refunds among them."""
    rng = random_source(seed, "invoices")
    first = subscriptions["first"].to_numpy().astype("datetime64[M]")
    months = (subscriptions["last"].to_numpy().astype("datetime64[M]") - first).astype(np.int64) + 1
    months = np.maximum(months, 0)
    row = np.repeat(np.arange(len(subscriptions)), months)
    step = np.arange(len(row)) - np.repeat(np.cumsum(months) - months, months)
    status = rng.choice(["paid", "open", "void", "refunded"], len(row), p=[0.972, 0.012, 0.008, 0.008])
    invoices = subscriptions.iloc[row][["company", "currency", "monthly"]].reset_index(drop=True)
    invoices = invoices.assign(
        month=(first[row] + step).astype("datetime64[s]"), status=status, number=np.arange(len(row))
    )
    credits = invoices[rng.random(len(invoices)) < 0.003]
    credited = credits.assign(
        monthly=-(credits["monthly"] / 4).round(2), status="paid", number=credits["number"] + len(row)
    )
    return pd.concat([invoices, credited], ignore_index=True).sort_values(["month", "number"], kind="stable")


def _european(value: float) -> str:
    """1234.5 as 1.234,50."""
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def _window(frame: pd.DataFrame, column: str, extract: Extract) -> pd.DataFrame:
    days = frame[column].to_numpy().astype("datetime64[D]")
    return frame[(days >= extract.since) & (days < extract.until)]


def invoice_lines(invoices: pd.DataFrame, records: AccountRecords, extract: Extract) -> list[str]:
    """Semicolons, day first, decimal commas; invoices left open in the previous delivery come again as paid."""
    mine = _window(invoices, "month", extract)
    before = Extract(0, "", extract.since - 92 * DAY, extract.since)
    settled = _window(invoices, "month", before)
    rows = pd.concat([settled[settled["status"] == "open"].assign(status="paid"), mine]) if extract.index else mine
    days = rows["month"].dt.strftime("%d.%m.%Y").tolist()
    ids = records.record_id[rows["company"].to_numpy()].tolist()
    columns = (
        rows["number"].tolist(),
        ids,
        days,
        rows["monthly"].tolist(),
        rows["currency"].tolist(),
        rows["status"].tolist(),
    )
    lines = [
        f"in_{number:07d};{account};{day};{_european(amount)};{currency};{status}"
        for number, account, day, amount, currency, status in zip(*columns, strict=True)
    ]
    return ["invoice;crm_company_id;period_start;amount;currency;status", *lines]


def build_answers(seed: int, subscriptions: pd.DataFrame) -> pd.DataFrame:
    """NPS answers of customers while they are customers."""
    rng = random_source(seed, "nps")
    first, last = (subscriptions[name].to_numpy().astype("datetime64[D]") for name in ("first", "last"))
    days = np.maximum((last - first).astype(np.int64), 1)
    row: Ints = np.repeat(np.arange(len(subscriptions)), rng.poisson(days / 30 * ANSWERS_PER_MONTH))
    answered = first[row] + np.floor(rng.random(len(row)) * days[row]).astype(np.int64) * DAY
    seconds = answered.astype("datetime64[s]") + rng.integers(50_000, 75_000, len(row)) * np.timedelta64(1, "s")
    score = np.clip(np.round(subscriptions["score"].to_numpy()[row] + rng.normal(0, 1.2, len(row))), 0, 10)
    answers = pd.DataFrame(
        {
            "company": subscriptions["company"].to_numpy()[row], "answered": seconds, "score": score.astype(np.int64),
            "person": rng.integers(0, len(FIRST_NAMES), len(row)), "comment": rng.integers(0, len(COMMENTS), len(row)),
            "private": rng.random(len(row)) < 0.05,
        }
    )  # fmt: skip
    return answers.sort_values(["answered", "company"], kind="stable").reset_index(drop=True)


def answer_text(answers: pd.DataFrame, universe: Universe, extract: Extract) -> str:
    """Delighted's export: the person's e-mail address and the time in epoch seconds; empty without answers."""
    mine = _window(answers, "answered", extract)
    if mine.empty:
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "score", "comment", "person.email", "created_at"])
    epoch = mine["answered"].to_numpy().astype("datetime64[s]").astype(np.int64).tolist()
    for at, answer in zip(epoch, mine.itertuples(), strict=True):
        c, person = int(str(answer.company)), FIRST_NAMES[int(str(answer.person))]
        site = universe.own_domain[c] if universe.has_own_domain[c] and not answer.private else "gmail.com"
        comment = COMMENTS[int(str(answer.comment))]
        writer.writerow([100_000 + int(str(answer.Index)), answer.score, comment, f"{person}.{c}@{site}", at])
    return text.getvalue()
