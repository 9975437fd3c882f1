"""A simulated OpenStack cloud that emits notifications, and says what really happened.

Stories (a build, a resize, an audit) take turns on one clock: ``workload`` begins them; ``builds``,
``moves``, ``transitions`` and ``storage`` tell them through an ``Action``, which writes nova's
``legacy`` and ``versioned`` payloads and those of the other ``services``; ``usage`` audits;
``billing`` makes that go wrong; ``delivery`` wraps, repeats, delays and loses.
``polling`` measures what no notification tells.
"""

from stackanalytics.sources.simulator.cloud import BILLING_FAULTS, CHOICES, Cloud
from stackanalytics.sources.simulator.polling import poll
from stackanalytics.sources.simulator.simulation import simulate

__all__ = ["BILLING_FAULTS", "CHOICES", "Cloud", "poll", "simulate"]
