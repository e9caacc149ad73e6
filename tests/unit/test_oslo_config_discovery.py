# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services of a host are found with their files, in the process's order, and with how they are restarted."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import oslo_config, services
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree

# As Debian 12 ships them (nova-conductor 2:26.2.2, nova-compute, placement-api 8.0.0), shortened.
DEBIAN_UNIT = (
    "[Service]\nUser=nova\nExecStart=/etc/init.d/{name} systemd-start\n[Install]\nWantedBy=multi-user.target\n"
)
DEBIAN_COMPUTE = """#!/bin/sh
PROJECT_NAME=nova
NAME=${PROJECT_NAME}-compute
DAEMON_ARGS=""
if [ -f '/etc/nova/nova-compute.conf' ] ; then
\tDAEMON_ARGS="--config-file=/etc/nova/nova-compute.conf"
fi
# The content after this line comes from openstack-pkg-tools
"""
DEBIAN_PLACEMENT = """#!/bin/sh
PROJECT_NAME=placement
NAME=${PROJECT_NAME}-api
UWSGI_INI_PATH=/etc/placement/placement-api-uwsgi.ini
# The content after this line comes from openstack-pkg-tools
"""


def host(root, files, enabled=()):
    for path, text in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for unit in enabled:
        link = root / "etc/systemd/system/multi-user.target.wants" / unit
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"/lib/systemd/system/{unit}")
    return Tree(str(root))


def only(tree, options=None):
    (service,) = services.find(tree, options or {})
    return service


def test_debian_compute_reads_its_own_file_after_nova_conf(tmp_path):
    tree = host(
        tmp_path,
        {
            "/etc/nova/nova.conf": "",
            "/etc/nova/nova-compute.conf": "",
            "/lib/systemd/system/nova-compute.service": DEBIAN_UNIT.format(name="nova-compute"),
            "/etc/init.d/nova-compute": DEBIAN_COMPUTE,
            "/usr/lib/python3/dist-packages/nova-26.2.2.egg-info/PKG-INFO": "",
        },
        ["nova-compute.service"],
    )
    service = only(tree)
    assert service.views[0].files == ("/etc/nova/nova.conf", "/etc/nova/nova-compute.conf")
    assert service.views[0].programs == ("nova-compute",)
    assert service.version == "26.2.2"
    assert service.python is None, "nothing found in a directory is run"
    assert service.restarts["/etc/nova/nova.conf"] == [
        {
            "service": "nova-compute",
            "command": ["systemctl", "restart", "nova-compute.service"],
            "unit": "nova-compute.service",
        }
    ]


def test_debian_placement_is_uwsgi_and_reads_its_default_file(tmp_path):
    tree = host(
        tmp_path,
        {
            "/etc/placement/placement.conf": "",
            "/lib/systemd/system/placement-api.service": DEBIAN_UNIT.format(name="placement-api"),
            "/etc/init.d/placement-api": DEBIAN_PLACEMENT,
            "/usr/lib/python3/dist-packages/openstack_placement-8.0.0.egg-info/PKG-INFO": "",
        },
        ["placement-api.service"],
    )
    service = only(tree)
    assert (service.version, service.views[0].files) == ("8.0.0", ("/etc/placement/placement.conf",))


def test_rhel_nova_reads_the_packagers_defaults_first(tmp_path):
    tree = host(
        tmp_path,
        {
            "/etc/nova/nova.conf": "",
            "/usr/share/nova/nova-dist.conf": "",
            "/etc/nova/nova.conf.d/b.conf": "",
            "/etc/nova/nova.conf.d/a.conf": "",
            "/etc/nova/nova.conf.d/c.conf.bak": "",
            "/lib/systemd/system/openstack-nova-compute.service": "[Service]\nExecStart=/usr/bin/nova-compute\n",
            "/usr/lib/python3.9/site-packages/nova-31.0.0.dist-info/METADATA": "",
        },
        ["openstack-nova-compute.service"],
    )
    service = only(tree)
    assert service.views[0].files == (
        "/usr/share/nova/nova-dist.conf",
        "/etc/nova/nova.conf",
        "/etc/nova/nova.conf.d/a.conf",
        "/etc/nova/nova.conf.d/b.conf",
    )
    assert service.restarts["/etc/nova/nova.conf"][0]["unit"] == "openstack-nova-compute.service"
    assert service.version == "31.0.0"


def test_arguments_decide_the_order_of_files_and_directories(tmp_path):
    tree = host(
        tmp_path,
        {
            "/etc/neutron/neutron.conf": "",
            "/etc/neutron/plugin.ini": "",
            "/usr/share/neutron/neutron-dist.conf": "",
            "/etc/neutron/conf.d/common/x.conf": "",
            "/lib/systemd/system/neutron-server.service": "[Service]\nExecStart=/usr/bin/neutron-server "
            "--config-file /usr/share/neutron/neutron-dist.conf \\\n --config-file /etc/neutron/neutron.conf "
            "--config-file=/etc/neutron/plugin.ini --config-dir /etc/neutron/conf.d/common --log-file /var/log/x.log\n",
        },
        ["neutron-server.service"],
    )
    assert only(tree).views[0].files == (
        "/usr/share/neutron/neutron-dist.conf",
        "/etc/neutron/neutron.conf",
        "/etc/neutron/plugin.ini",
        "/etc/neutron/conf.d/common/x.conf",
    )


def test_a_unit_that_nobody_starts_is_no_reader(tmp_path):
    tree = host(
        tmp_path,
        {
            "/etc/nova/nova.conf": "",
            "/etc/nova/other.conf": "",
            "/lib/systemd/system/nova-scheduler.service": "[Service]\nExecStart=/usr/bin/nova-scheduler "
            "--config-file /etc/nova/other.conf\n",
        },
    )
    service = only(tree)
    assert [view.files for view in service.views] == [("/etc/nova/nova.conf",)]
    assert service.restarts == {"/etc/nova/nova.conf": []}


def test_a_dropin_gives_the_environment_and_another_command(tmp_path):
    tree = host(
        tmp_path,
        {
            "/etc/nova/nova.conf": "",
            "/etc/nova/special.conf": "",
            "/lib/systemd/system/nova-scheduler.service": "[Service]\nExecStart=/usr/bin/nova-scheduler\n",
            "/etc/systemd/system/nova-scheduler.service.d/10.conf": "[Service]\nExecStart=\n"
            "ExecStart=/usr/bin/nova-scheduler --config-file /etc/nova/nova.conf --config-file /etc/nova/special.conf\n"
            'Environment="OS_DEFAULT__DEBUG=true" HOME=/root\nEnvironmentFile=-/etc/default/nova\n',
            "/etc/default/nova": "OS_API__AUTH_STRATEGY=keystone\nSECRET=x\n",
        },
        ["nova-scheduler.service"],
    )
    (view,) = only(tree).views
    assert view.files == ("/etc/nova/nova.conf", "/etc/nova/special.conf")
    assert view.environment == {"OS_DEFAULT__DEBUG": "true", "OS_API__AUTH_STRATEGY": "keystone"}


def test_apache_serves_keystone(tmp_path):
    tree = host(
        tmp_path,
        {
            "/etc/keystone/keystone.conf": "",
            "/etc/httpd/conf.d/10-keystone_wsgi.conf": "<VirtualHost *:5000>\n"
            "  WSGIScriptAlias / /var/www/cgi-bin/keystone/keystone-public\n",
        },
    )
    assert only(tree).restarts["/etc/keystone/keystone.conf"][0]["command"] == ["systemctl", "restart", "httpd.service"]


@pytest.mark.parametrize(
    ("there", "engine"),
    [
        (["/usr/bin/docker"], "/usr/bin/docker"),
        (["/usr/bin/podman"], "/usr/bin/podman"),
        (["/usr/bin/docker", "/usr/bin/podman"], "/usr/bin/podman"),
        (["/usr/bin/docker", "/usr/bin/podman", "/run/docker.sock"], "/usr/bin/docker"),
        ([], None),
    ],
)
def test_a_docker_client_without_a_daemon_runs_no_containers_where_podman_is(tmp_path, there, engine):
    assert services.container_engine(host(tmp_path, dict.fromkeys(there, ""))) == engine


def test_kolla_restarts_the_container_of_the_file(tmp_path):
    tree = host(
        tmp_path,
        {
            "/etc/kolla/nova-compute/nova.conf": "",
            "/etc/kolla/nova-compute/config.json": "{}",
            "/etc/kolla/neutron-server/neutron.conf": "",
            "/etc/kolla/neutron-server/ml2_conf.ini": "",
            "/etc/systemd/system/kolla-nova_compute-container.service": "[Service]\n"
            "ExecStart=/usr/bin/docker start -a nova_compute\n",
            "/usr/bin/docker": "",
        },
    )
    nova, neutron = services.find(tree, {"releases": {"nova": "2025.1", "neutron": "2025.1"}})
    assert nova.restarts["/etc/kolla/nova-compute/nova.conf"][0]["unit"] == "kolla-nova_compute-container.service"
    assert neutron.views[0].files == (
        "/etc/kolla/neutron-server/neutron.conf",
        "/etc/kolla/neutron-server/ml2_conf.ini",
    )
    assert neutron.restarts["/etc/kolla/neutron-server/neutron.conf"][0]["command"] == [
        "/usr/bin/docker",
        "restart",
        "neutron_server",
    ]
    assert (nova.version, neutron.version) == ("31", "26")


def test_the_operators_word_counts(tmp_path):
    tree = host(tmp_path, {"/srv/nova.conf": "", "/etc/nova/nova.conf": ""})
    service = only(
        tree,
        {
            "config_files": {"nova": ["/srv/nova.conf"]},
            "releases": {"nova": "31.0.0"},
            "service_python": "/opt/venv/bin/python",
            "restart_commands": {"nova": ["/usr/local/bin/restart-nova"]},
        },
    )
    assert [view.files for view in service.views] == [("/srv/nova.conf",)]
    assert service.python == "/opt/venv/bin/python"
    assert service.restarts == {
        "/srv/nova.conf": [{"service": "nova", "command": ["/usr/local/bin/restart-nova"], "unit": ""}]
    }


def test_a_host_without_openstack_has_no_services(tmp_path):
    assert services.find(host(tmp_path, {"/etc/fstab": ""}), {}) == []
    assert oslo_config.read(host(tmp_path, {}), {}) == {"services": {}, "gaps": []}


@pytest.mark.parametrize(
    ("command", "expected"),
    {
        "eventlet": ("/usr/bin/python3 /usr/bin/nova-conductor --config-file=/x", ("nova", "nova-conductor", False)),
        "renamed title": ("neutron-server: rpc worker", ("neutron", "neutron-server", False)),
        "uwsgi ini": (
            "/usr/bin/uwsgi_python3 --http-socket :8778 --ini /etc/placement/placement-api-uwsgi.ini",
            ("placement", "placement-api", True),
        ),
        "uwsgi module": ("/usr/bin/uwsgi --module nova.wsgi.osapi_compute:application", ("nova", "nova-api", True)),
        "mod_wsgi": ("(wsgi:keystone- -DFOREGROUND", ("keystone", "keystone-wsgi", True)),
        "a tool": ("/usr/bin/python3 /usr/bin/nova-manage db sync", None),
        "rootwrap": ("/usr/bin/python3 /usr/bin/neutron-rootwrap-daemon /etc/neutron/rootwrap.conf", None),
        "an editor": ("vim /etc/nova/nova-compute.conf", None),
        "a log reader": ("tail -f /var/log/nova/nova-compute.log", None),
        "nothing": ("", None),
    }.values(),
    ids=lambda value: str(value)[:40],
)
def test_command_lines_are_told_apart(command, expected):
    assert services.program_of(command.split()) == expected


def test_a_running_process_tells_its_files_environment_and_interpreter(tmp_path):
    (tmp_path / "nova.conf").write_text("[DEFAULT]\ndebug = true\n")
    program = tmp_path / "nova-conductor"
    program.write_text("import time\ntime.sleep(60)\n")
    environment = {**os.environ, "OS_DEFAULT__DEBUG": "false", "OS_PASSWORD": "secret"}
    process = subprocess.Popen(
        [sys.executable, str(program), "--config-file", str(tmp_path / "nova.conf")], env=environment
    )
    try:
        time.sleep(0.3)
        nova = next(s for s in services.find(Tree("/"), {"releases": {"nova": "31"}}) if s.name == "nova")
    finally:
        process.terminate()
        process.wait()
    view = next(view for view in nova.views if view.files == (str(tmp_path / "nova.conf"),))
    assert view.environment == {"OS_DEFAULT__DEBUG": "false"}
    assert nova.python


class TestGaps:
    """What could not be judged is said, and nothing else suffers."""

    def gaps(self, root, files, **options):
        return oslo_config.read(host(root, files), options)["gaps"]

    def test_an_unknown_release(self, tmp_path):
        (gap,) = self.gaps(tmp_path, {"/etc/nova/nova.conf": ""})
        assert gap["reason"] == (
            "the options of nova could not be judged: its release is not known. Set releases or service_python for nova"
        )

    def test_a_file_that_does_not_parse(self, tmp_path):
        (gap,) = self.gaps(tmp_path, {"/etc/nova/nova.conf": "password = hunter2\n"}, releases={"nova": "31"})
        assert "/etc/nova/nova.conf cannot be parsed (line 1: " in gap["reason"]
        assert "hunter2" not in gap["reason"]

    def test_a_binary_file(self, tmp_path):
        (gap,) = self.gaps(tmp_path, {"/etc/nova/nova.conf": "[DEFAULT]\0"}, releases={"nova": "31"})
        assert "/etc/nova/nova.conf" in gap["reason"]

    def test_a_file_that_is_too_large(self, tmp_path):
        (gap,) = self.gaps(tmp_path, {"/etc/nova/nova.conf": "#" * (9 << 20)}, releases={"nova": "31"})
        assert "/etc/nova/nova.conf" in gap["reason"]

    def test_a_release_that_no_table_covers(self, tmp_path):
        (gap,) = self.gaps(tmp_path, {"/etc/nova/nova.conf": ""}, releases={"nova": "99"})
        assert "no option data of nova 99" in gap["reason"]

    def test_an_interpreter_that_is_not_there(self, tmp_path):
        (gap,) = self.gaps(tmp_path, {"/etc/nova/nova.conf": ""}, service_python=str(tmp_path / "python"))
        assert "cannot be run" in gap["reason"]

    def test_an_interpreter_without_the_service_falls_back_to_the_tables(self, tmp_path):
        read = oslo_config.read(
            host(tmp_path, {"/etc/nova/nova.conf": ""}), {"service_python": sys.executable, "releases": {"nova": "31"}}
        )
        assert read["gaps"] == []
        assert read["services"]["nova"]["source"].startswith("bundled option data of nova 31 (")
