"""What all tests share: a strange time zone, steady examples, and landing for real."""

import os
import time
from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, settings
from landed import Rows, encoded, rows_in

from stackanalytics.landing import land
from stackanalytics.sources.chunk import Chunk

# no answer may depend on where it is computed: 12:45 or 13:45 hours from UTC shows where one does
os.environ["TZ"] = "Pacific/Chatham"
time.tzset()

settings.register_profile(
    "stackanalytics",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("stackanalytics")


@pytest.fixture(scope="session")
def rows_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Rows]:
    """Return a function that lands messages in a lake of their own and returns the rows, in their order.

    Messages are bytes as received, text, or what is written as JSON.
    """

    def rows(messages: Iterable[object], deployment: str = "default", exchange: str | None = None) -> Rows:
        folder = tmp_path_factory.mktemp("lake")
        chunk = Chunk("test", 1, [encoded(message) for message in messages])
        land([chunk], folder, deployment=deployment, exchange=exchange)
        return rows_in(folder)

    return rows
