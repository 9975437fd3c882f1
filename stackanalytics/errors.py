"""The exceptions that stackanalytics raises on purpose.

::

    StackanalyticsError
    ├── InputError (also ValueError)   what the caller gave cannot be used: HTTP 400, exit 2
    │   └── NotFoundError              what the caller named does not exist: HTTP 404, exit 2
    ├── DataError                      what is stored cannot be used: HTTP 500, exit 1
    │   └── LakeError                  a lake is missing, damaged, or of another layout
    └── SourceError                    what others hold cannot be had now: HTTP 502, exit 1

Every message says what was given and what would work.
"""


class StackanalyticsError(Exception):
    """Root of the tree: catch this to catch everything raised on purpose."""


class InputError(StackanalyticsError, ValueError):
    """An argument, a parameter or a file that cannot be used as it is."""


class NotFoundError(InputError):
    """Something that was named does not exist."""


class DataError(StackanalyticsError):
    """Stored data that cannot be used."""


class LakeError(DataError):
    """A lake that is missing, damaged, or of a layout that this version does not know."""


class SourceError(StackanalyticsError):
    """A database or a cloud that does not answer, or not as expected."""
