"""The settings of a simulated cloud."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from stackanalytics.errors import InputError

CHOICES: Mapping[str, Collection[str]] = {
    "exists": ("hour", "day", "none"),
    "format": ("legacy", "versioned", "both"),
    "repertoire": ("usual", "full"),
    "form": ("routed", "bare", "envelope", "stacktach", "mixed"),
}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


WHOLE = (_is_whole, "a whole number")
SOME = (lambda value: _is_whole(value) and value >= 1, "a whole number of at least 1")
ANY = (lambda value: _is_whole(value) and value >= 0, "a whole number of at least 0")
AMOUNT = (lambda value: _is_number(value) and value >= 0, "a number of at least 0")
SHARE = (lambda value: _is_number(value) and 0 <= value < 1, "a share of at least 0 and below 1")

BILLING_FAULTS: Mapping[str, str] = {
    "wrong_flavor": "Share of usage records with another flavor.",
    "wrong_tenant": "Share of usage records with another tenant.",
    "wrong_launched_at": "Share of usage records with a launch that is a second off.",
    "null_metadata": "Share of usage records that lack one of os_architecture, os_distro, os_version, rax_options.",
    "false_alive": "Share of usage records of deleted instances that say they live.",
    "missing_exists": "Share of usage records never sent.",
    "missing_launch": "Share of launches of which no notification tells.",
    "missing_delete": "Share of deletes of which no notification tells.",
}

NUMBERS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "seed": WHOLE,
    "regions": SOME,
    "cells": SOME,
    "hosts": SOME,
    "tenants": SOME,
    "images": SOME,
    "instances": ANY,
    "operations_per_hour": AMOUNT,
    "duplicates": SHARE,
    "reorder": SHARE,
    "loss": SHARE,
    "noise": SHARE,
    **dict.fromkeys(BILLING_FAULTS, SHARE),
}


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """A cloud to simulate; the same settings give the same bytes.

    Parameters
    ----------
    seed
        What all chance is drawn from.
    start
        First instant, aware and in UTC.
    regions, cells, hosts
        Number of regions, of cells in a region, and of compute hosts in a cell. Every cell is a
        deployment (``region1-c0001``), and every region has one more (``region1-global``) for what
        its api, scheduler, network, volume and image services send.
    tenants, images
        Number of projects, and of public images.
    instances
        Standing population at the start; creates and deletes keep the number around it.
    starts_empty
        Whether the population grows from nothing instead, so that every launch is told.
    operations_per_hour
        Mean rate of what users ask for [1/h]; it follows the day and the week.
    repertoire
        What happens in the cloud: the ``usual``; or in ``full``, with hosts that die and are evacuated,
        migrations that are aborted, snapshots and backups of volumes, ``volume.usage``, and image audits
        in pages.
    exists
        Audit period of the usage records: ``hour``, ``day``, or ``none`` to have none.
    format
        Nova's notification format: ``legacy``, ``versioned``, or ``both`` (every event twice).
    form
        How a message is wrapped: ``routed`` (deployment, exchange, routing key and body), ``bare``
        (the body alone), ``envelope`` (oslo 2.0), ``stacktach`` (routing key and body), or ``mixed``.
    duplicates, reorder, loss
        Share of the messages that are delivered twice, late, or never.
    noise
        How often something that is no JSON comes after a message, as a share.
    clock_skew
        Whether the publishers' clocks disagree.
    wrong_flavor, wrong_tenant, wrong_launched_at, null_metadata, false_alive, missing_exists
        Share of the usage records (:attr:`exists`) that are wrong in one way: another flavor, another
        tenant, a launch that is a second off, one of ``os_architecture``, ``os_distro``, ``os_version``
        and ``rax_options`` lacking (legacy format only), alive though deleted in the period (a share of
        those that were), or never sent.
    missing_launch, missing_delete
        Share of the launches and of the deletes of which no notification tells.

    Raises
    ------
    InputError
        If a setting cannot be used.
    """

    seed: int = 0
    start: datetime
    regions: int = 1
    cells: int = 2
    hosts: int = 20
    tenants: int = 20
    images: int = 20
    instances: int = 200
    operations_per_hour: float = 400.0
    repertoire: str = "usual"
    exists: str = "hour"
    format: str = "legacy"
    form: str = "routed"
    duplicates: float = 0.0
    reorder: float = 0.0
    loss: float = 0.0
    noise: float = 0.0
    clock_skew: bool = True
    starts_empty: bool = False
    wrong_flavor: float = 0.0
    wrong_tenant: float = 0.0
    wrong_launched_at: float = 0.0
    null_metadata: float = 0.0
    false_alive: float = 0.0
    missing_exists: float = 0.0
    missing_launch: float = 0.0
    missing_delete: float = 0.0

    @property
    def is_full(self) -> bool:
        """Whether everything that the simulator knows happens."""
        return self.repertoire == "full"

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        if not isinstance(self.start, datetime) or self.start.utcoffset() != timedelta():
            raise InputError(f"start is {self.start!r}; it must be an aware datetime in UTC")
        for name, accepted in CHOICES.items():
            if getattr(self, name) not in accepted:
                raise InputError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(accepted)}")
        for name, (is_usable, wanted) in NUMBERS.items():
            if not is_usable(getattr(self, name)):
                raise InputError(f"{name} is {getattr(self, name)!r}; it must be {wanted}")
