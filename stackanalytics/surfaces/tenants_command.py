"""The command ``tenants``: take down who the tenants are, from a file or from keystone."""

from pathlib import Path

import click

from stackanalytics import times
from stackanalytics.errors import InputError
from stackanalytics.lake import open_lake
from stackanalytics.lake.usage_state import Tenant
from stackanalytics.sources.tenant import tenants_of_cloud, tenants_of_file
from stackanalytics.surfaces.terminal import lake_option, words


@click.command()
@click.argument("path", required=False, type=click.Path(dir_okay=False, path_type=Path), metavar="[FILE]")
@lake_option
@click.option("--cloud", help="A cloud of clouds.yaml, or envvars: its projects and their names.")
def tenants(path: Path | None, folder: Path, cloud: str | None) -> None:
    """Take down tenants, their names and types, for reports: from Parquet, CSV or JSON lines, or from keystone.

    A file has the columns tenant and name; every other column is a type, such as account_type. What
    was known of a tenant is replaced. Of keystone's projects attributes of your own, and tags such as
    account_type=managed, are types; types that keystone does not tell stay.
    """
    if (path is None) == (cloud is None):
        raise InputError("give either a file (.parquet, .csv or .jsonl) or --cloud NAME")
    told = tenants_of_file(path) if path is not None else tenants_of_cloud(str(cloud))
    with open_lake(folder) as lake:
        known = {} if path is not None else {tenant.tenant: tenant.types for tenant in lake.usage_state.tenants()}
        found = [
            Tenant(tenant.tenant, tenant.name, {**known.get(tenant.tenant, {}), **tenant.types}) for tenant in told
        ]
        lake.usage_state.put_tenants(found, at=times.now())
        total = lake.usage_state.tenant_count()
    words.print(f"{len({tenant.tenant for tenant in found}):,} tenants taken down; {total:,} are known")
