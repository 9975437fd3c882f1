"""Live clouds, through openstacksdk."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stackanalytics.errors import InputError, SourceError

if TYPE_CHECKING:
    from openstack.connection import Connection

# of the compute API: the last one that tells the id of the flavor; the later ones tell what it holds
MICROVERSION = "2.46"


def check_installed() -> None:
    """See that clouds can be asked.

    Raises
    ------
    InputError
        If the extra ``openstack`` is not installed.
    """
    try:
        import openstack  # noqa: F401
    except ImportError as problem:
        raise InputError(f"asking a cloud needs {problem.name}: pip install 'stackanalytics[openstack]'") from None


@contextmanager
def connected(cloud: str) -> Iterator["Connection"]:
    """Ask a cloud of ``clouds.yaml``, or ``envvars`` for the one of the ``OS_…`` variables.

    Raises
    ------
    InputError
        If there is no such cloud.
    SourceError
        If the cloud cannot be reached, refuses, or breaks off.
    """
    import openstack
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import ConfigException, SDKException

    try:
        with openstack.connect(cloud=cloud, compute_default_microversion=MICROVERSION) as connection:
            yield connection
    except ConfigException as problem:
        raise InputError(f"cloud:{cloud} cannot be asked: {problem}") from None
    except (SDKException, ClientException) as problem:
        raise SourceError(f"cloud:{cloud} cannot be read: {problem}") from None
