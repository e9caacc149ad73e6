# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts' trees: the files the running services read, on the controller, and those of each compute.

The controller's files are what keystone, placement, glance, neutron and nova are started with. A compute's nova.conf
is read whenever that compute starts.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from .layout import CLOUD, CONTROLLER, MEMBER_CLOUD, SERVICES, Layout

REGION = "RegionOne"
Sections = Mapping[str, Mapping[str, str]]

_PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
nova:x:64060:64060:OpenStack Compute:/var/lib/nova:/bin/bash
"""
_GROUP = """\
root:x:0:
daemon:x:1:
nogroup:x:65534:
nova:x:64060:
"""


def write(layout: Layout, secrets: Mapping[str, str]) -> None:
    """Write every host's tree and the clients' clouds.yaml, where they are not as they should be.

    A file that somebody changed (a breaker, an operator trying something) is left as it is: `Lab.up` starts what is
    there. Only what depends on ports or passwords that changed is written again by `Lab`, which removes it first.
    """
    for service in SERVICES:
        (layout.root(CONTROLLER) / "var" / "log" / service).mkdir(parents=True, exist_ok=True)
        (layout.root(CONTROLLER) / "var" / "lib" / service / "tmp").mkdir(parents=True, exist_ok=True)
    for name, sections in _controller(layout, secrets).items():
        _place(layout.root(CONTROLLER) / "etc" / name, _render(sections))
    shipped = layout.venv / "etc"
    for name in ("glance/glance-api-paste.ini", "neutron/api-paste.ini", "nova/api-paste.ini"):
        # The packages' files name /etc; the lab's are below the host's tree.
        text = (shipped / name).read_text().replace("/etc/glance/", f"{layout.etc('glance')}/")
        _place(layout.root(CONTROLLER) / "etc" / name, text)
    for host in layout.computes:
        root = layout.root(host)
        for directory in ("var/log/nova", "var/lib/nova/instances", "var/lib/nova/tmp"):
            (root / directory).mkdir(parents=True, exist_ok=True)
        _place(root / "etc/nova/nova.conf", _render(_compute(layout, secrets, host)))
        _place(root / "etc/fstab", "/dev/vda1 / ext4 defaults 0 1\n", 0o644)
        _place(root / "var/lib/nova/compute_id", str(uuid.uuid5(uuid.NAMESPACE_DNS, host)) + "\n")
    for host in layout.hosts:
        _place(layout.root(host) / "etc/passwd", _PASSWD, 0o644)
        _place(layout.root(host) / "etc/group", _GROUP, 0o644)
        _place(layout.root(host) / "etc/hostname", host + "\n", 0o644)
    _place(layout.clouds_file, _clouds(layout, secrets), 0o600)


def forget(layout: Layout) -> None:
    """Remove what `write` renders from ports and passwords, so that it is rendered anew."""
    for host in layout.hosts:
        shutil.rmtree(layout.root(host) / "etc", ignore_errors=True)
    layout.clouds_file.unlink(missing_ok=True)


def service_variables(layout: Layout) -> dict[str, str]:
    """The environment variables by which the WSGI modules find their files."""
    return {
        "OS_KEYSTONE_CONFIG_FILES": str(layout.etc("keystone") / "keystone.conf"),
        "OS_PLACEMENT_CONFIG_DIR": str(layout.etc("placement")),
        "OS_GLANCE_CONFIG_DIR": str(layout.etc("glance")),
        "OS_NEUTRON_CONFIG_DIR": str(layout.etc("neutron")),
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf",
        "OS_NOVA_CONFIG_DIR": str(layout.etc("nova")),
    }


def client_variables(layout: Layout, secrets: Mapping[str, str]) -> dict[str, str]:
    """The administrator's OS_* variables, for clients that do not read clouds.yaml."""
    return {
        "OS_AUTH_URL": layout.endpoint("keystone"),
        "OS_USERNAME": "admin",
        "OS_PASSWORD": secrets["admin"],
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": REGION,
        "OS_IDENTITY_API_VERSION": "3",
    }


def _controller(layout: Layout, secrets: Mapping[str, str]) -> dict[str, Sections]:
    data = layout.data
    return {
        "keystone/keystone.conf": {
            "DEFAULT": _logging(layout, "keystone"),
            "database": {"connection": layout.database("keystone")},
            "token": {"provider": "fernet"},
            # bcrypt's least: a token takes 25 ms instead of 400. It uses 72 characters of a password at most.
            "identity": {"password_hash_rounds": "4", "max_password_length": "72"},
            "fernet_tokens": {"key_repository": f"{data}/fernet-keys"},
            # Said as well, or keystone-manage makes keys for receipts in the machine's /etc/keystone.
            "fernet_receipts": {"key_repository": f"{data}/fernet-keys"},
            "credential": {"key_repository": f"{data}/credential-keys"},
            "cache": {"enabled": "true", "backend": "dogpile.cache.memory"},
            "oslo_messaging_notifications": {"driver": "noop"},
        },
        "placement/placement.conf": {
            "DEFAULT": _logging(layout, "placement"),
            "placement_database": {"connection": layout.database("placement")},
            "keystone_authtoken": _authtoken(layout, secrets, "placement"),
        },
        "glance/glance-api.conf": {
            "DEFAULT": {
                **_logging(layout, "glance"),
                "enabled_backends": "fs:file",
                "worker_self_reference_url": layout.url("glance"),
            },
            "wsgi": {"task_pool_threads": "4"},
            "database": {"connection": layout.database("glance")},
            "glance_store": {"default_backend": "fs"},
            "fs": {"filesystem_store_datadir": f"{data}/images"},
            "os_glance_staging_store": {"filesystem_store_datadir": f"{data}/staging"},
            "os_glance_tasks_store": {"filesystem_store_datadir": f"{data}/tasks"},
            "paste_deploy": {"flavor": "keystone", "config_file": str(layout.etc("glance") / "glance-api-paste.ini")},
            "oslo_concurrency": _lock(layout, "glance"),
            "keystone_authtoken": _authtoken(layout, secrets, "glance"),
        },
        "neutron/neutron.conf": {
            "DEFAULT": {
                **_logging(layout, "neutron"),
                "core_plugin": "ml2",
                "service_plugins": "",
                "state_path": str(layout.root(CONTROLLER) / "var/lib/neutron"),
                "transport_url": "fake://",
                "notify_nova_on_port_status_changes": "false",
                "notify_nova_on_port_data_changes": "false",
                "rpc_workers": "0",
            },
            "database": {"connection": layout.database("neutron")},
            "ml2": {
                "type_drivers": "local,flat,vxlan",
                "project_network_types": "local",
                "mechanism_drivers": "stackmend_lab",
            },
            "quotas": {
                f"quota_{what}": "-1" for what in ("network", "subnet", "port", "security_group", "security_group_rule")
            },
            "oslo_concurrency": _lock(layout, "neutron"),
            "keystone_authtoken": _authtoken(layout, secrets, "neutron"),
        },
        "nova/nova.conf": {
            "DEFAULT": {
                **_logging(layout, "nova"),
                **_nova_defaults(layout, CONTROLLER),
                # Short, so that a test sees a stopped compute go down within seconds.
                "report_interval": "2",
                "service_down_time": "15",
            },
            "api_database": {"connection": layout.database("nova_api")},
            "database": {"connection": layout.database("nova_cell1")},
            "conductor": {"workers": "1"},
            "scheduler": {"workers": "1", "discover_hosts_in_cells_interval": "-1"},
            "filter_scheduler": {
                "enabled_filters": "ComputeFilter,AggregateInstanceExtraSpecsFilter,ComputeCapabilitiesFilter,"
                "ImagePropertiesFilter,ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter"
            },
            "quota": dict.fromkeys(
                ("instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members"),
                "-1",
            ),
            "wsgi": {"api_paste_config": str(layout.etc("nova") / "api-paste.ini")},
            "keystone_authtoken": _authtoken(layout, secrets, "nova"),
            **_nova_clients(layout, secrets, CONTROLLER),
        },
    }


def _compute(layout: Layout, secrets: Mapping[str, str], host: str) -> Sections:
    return {
        "DEFAULT": {
            **_logging(layout, "nova", host),
            **_nova_defaults(layout, host),
            "report_interval": "2",
            "service_down_time": "15",
            "vif_plugging_timeout": "300",
        },
        "libvirt": {
            "virt_type": "kvm",
            "cpu_mode": "host-model",
            "hw_machine_type": "x86_64=q35",
            "images_type": "qcow2",
        },
        **_nova_clients(layout, secrets, host),
    }


def _nova_defaults(layout: Layout, host: str) -> dict[str, str]:
    return {
        "host": host,
        "my_ip": "127.0.0.1" if host == CONTROLLER else f"127.0.1.{layout.computes.index(host) + 1}",
        "state_path": str(layout.root(host) / "var/lib/nova"),
        "transport_url": "fake://",
        "compute_driver": "stackmend_lab.Driver",
        "rpc_response_timeout": "30",
    }


def _nova_clients(layout: Layout, secrets: Mapping[str, str], host: str) -> dict[str, Mapping[str, str]]:
    """What every nova process needs to reach the other services."""
    return {
        "vnc": {"enabled": "false"},
        "oslo_concurrency": _lock(layout, "nova", host),
        "glance": {"region_name": REGION},
        "placement": _credentials(layout, secrets, "placement"),
        "neutron": _credentials(layout, secrets, "neutron"),
        "service_user": {
            **{name: value for name, value in _credentials(layout, secrets, "nova").items() if name != "region_name"},
            "send_service_user_token": "true",
        },
    }


def _logging(layout: Layout, service: str, host: str = CONTROLLER) -> dict[str, str]:
    return {"log_file": str(layout.log(service, host))}


def _lock(layout: Layout, service: str, host: str = CONTROLLER) -> dict[str, str]:
    return {"lock_path": str(layout.root(host) / "var" / "lib" / service / "tmp")}


def _credentials(layout: Layout, secrets: Mapping[str, str], user: str) -> dict[str, str]:
    return {
        "auth_type": "password",
        "auth_url": layout.endpoint("keystone"),
        "username": user,
        "password": secrets[user],
        "project_name": "service",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "region_name": REGION,
    }


def _authtoken(layout: Layout, secrets: Mapping[str, str], user: str) -> dict[str, str]:
    return {
        **_credentials(layout, secrets, user),
        "www_authenticate_uri": layout.endpoint("keystone"),
        "service_token_roles": "service",
        "service_token_roles_required": "true",
    }


def _clouds(layout: Layout, secrets: Mapping[str, str]) -> str:
    entries = [
        f"""\
  {name}:
    auth:
      auth_url: {layout.endpoint("keystone")}
      username: {user}
      password: {secrets[user]}
      project_name: {project}
      user_domain_name: Default
      project_domain_name: Default
    region_name: {REGION}
    identity_api_version: 3
"""
        for name, user, project in ((CLOUD, "admin", "admin"), (MEMBER_CLOUD, "member", "lab-member"))
    ]
    return "clouds:\n" + "".join(entries)


def _render(sections: Sections) -> str:
    return "\n".join(
        f"[{name}]\n" + "".join(f"{option} = {value}".rstrip() + "\n" for option, value in options.items())
        for name, options in sections.items()
    )


def _place(path: Path, text: str, mode: int = 0o640) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w") as file:
        os.fchmod(handle, mode)  # whatever the caller's umask
        file.write(text)
