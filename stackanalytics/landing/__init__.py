"""Landing: raw messages become rows or dead letters of a lake."""

from stackanalytics.landing.batch import Summary, land

__all__ = ["Summary", "land"]
