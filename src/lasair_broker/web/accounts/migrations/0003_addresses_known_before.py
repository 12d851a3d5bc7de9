"""Addresses of the accounts that there were before people could open them count as verified."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations


def verify(apps: Any, schema_editor: Any) -> None:
    user, address = apps.get_model("accounts", "User"), apps.get_model("account", "EmailAddress")
    known = set(address.objects.values_list("user_id", flat=True))
    address.objects.bulk_create(
        address(user=found, email=found.email, verified=True, primary=True)
        for found in user.objects.all()
        if found.pk not in known
    )


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("accounts", "0002_user_database"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]
    operations: ClassVar = [migrations.RunPython(verify, migrations.RunPython.noop)]
