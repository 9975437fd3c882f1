"""OpenStack notifications on Parquet: events, timings, usage and meters."""
