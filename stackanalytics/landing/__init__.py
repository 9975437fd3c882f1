"""Landing: raw messages, and samples, become rows or dead letters of a lake."""

from stackanalytics.landing.batch import Summary, land
from stackanalytics.landing.sample import SampleSummary, land_samples

__all__ = ["SampleSummary", "Summary", "land", "land_samples"]
