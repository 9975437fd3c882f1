"""What an agent polls of instances, as Ceilometer's does: the load of their processors, as gauge and as counter."""

import json
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from stackanalytics.schema import SAMPLE_GIVEN, polars_schema

EVERY = timedelta(minutes=5)
GROUPS = 3
_DAY_S = 86_400


def poll(instances: pl.DataFrame, *, seed: int = 0) -> pl.DataFrame:
    """Return samples of ``cpu_util`` [%] and ``cpu`` [ns] of instances, every five minutes.

    Parameters
    ----------
    instances
        ``resource``, ``tenant``, ``user``, and ``first_at`` and ``last_at``, between which they are polled.
    seed
        What all chance is drawn from.

    Returns
    -------
    polars.DataFrame
        A row a sample with the columns :data:`stackanalytics.schema.SAMPLE_GIVEN`. ``cpu`` counts from the first sample
        on, and grows as ``cpu_util`` tells. Their metadata have an ``autoscale_group``.
    """
    random = np.random.default_rng(seed)
    polled = [
        _samples(instance, f"group-{number % GROUPS}", random)
        for number, instance in enumerate(instances.iter_rows(named=True))
    ]
    return pl.concat([pl.DataFrame(schema=polars_schema(*SAMPLE_GIVEN)), *polled], how="diagonal")


def _samples(instance: dict[str, Any], group: str, random: np.random.Generator) -> pl.DataFrame:
    at = pl.datetime_range(instance["first_at"], instance["last_at"], EVERY, eager=True)
    daily = np.sin((at.dt.epoch("s").to_numpy() % _DAY_S) / _DAY_S * 2 * np.pi)
    load = np.clip(random.uniform(20, 70) + 20 * daily + random.normal(0, 5, at.len()), 0, 100).round(1)
    about = {name: pl.lit(instance[name], pl.String) for name in ("resource", "tenant", "user")}
    about["metadata"] = pl.lit(json.dumps({"autoscale_group": group}))
    gauge = pl.DataFrame({"measured_at": at, "volume": load}).with_columns(
        meter=pl.lit("cpu_util"), meter_type=pl.lit("gauge"), unit=pl.lit("%"), **about
    )
    counted = gauge["volume"].cum_sum() / 100 * EVERY.total_seconds() * 1e9
    counter = gauge.with_columns(
        meter=pl.lit("cpu"), meter_type=pl.lit("cumulative"), unit=pl.lit("ns"), volume=counted
    )
    return pl.concat([gauge, counter])
