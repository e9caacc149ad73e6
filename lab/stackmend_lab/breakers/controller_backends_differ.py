# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""F06: three controllers, of which one gives a RabbitMQ no credentials and one still names servers that are gone."""

from __future__ import annotations

from ..hosts import Hosts, Member
from . import _nova_conf, _rabbitmq
from ._breaker import Breaker

JOINING = (Member("controller2", "controllers", 12), Member("controller3", "controllers", 13))
ALL = ("controller1", "controller2", "controller3")
NOVA = ("nova-conductor", "nova-scheduler")
LOGIN, RABBITS = _rabbitmq.LOGIN, _rabbitmq.MEMBERS
CACHES = ("controller1:11211", "controller1:11212")
URL = "rabbit://" + ",".join(f"{LOGIN}@{rabbit}" for rabbit in RABBITS) + "/"

# oslo.messaging's own reading of the URL, and a login to each host as its driver makes it.
_CONNECT = r"""
import logging, sys, warnings
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
import amqp
from oslo_config import cfg
from oslo_messaging import transport
conf = cfg.ConfigOpts()
conf(["--config-file=/etc/nova/nova.conf"], project="nova")
url = transport.TransportURL.parse(conf)
if url.transport == "rabbit":
    for host in url.hosts:
        try:
            with amqp.Connection("%s:%s" % (host.hostname, host.port), host.username or "guest", host.password or "guest",
                                 virtual_host=url.virtual_host or "/", connect_timeout=3):
                pass
        except Exception as error:
            print("AMQP server on %s:%s is unreachable: %s" % (host.hostname, host.port, str(error).splitlines()[0]))
"""


def break_(hosts: Hosts) -> None:
    """controller2 gives its second RabbitMQ no credentials; controller3 names a RabbitMQ that is not there any more."""
    _serve(hosts)
    _give(hosts, "controller1", URL)
    _give(hosts, "controller2", f"rabbit://{LOGIN}@{','.join(RABBITS)}/")
    _give(
        hosts,
        "controller3",
        f"rabbit://{LOGIN}@{RABBITS[0]},{LOGIN}@controller3:5672/",
        f"{CACHES[0]},controller3:11211",
    )


def mend(hosts: Hosts) -> None:
    """One controller, with its own files and cell mapping again."""
    hosts.leave(*(member.name for member in JOINING))
    if _nova_conf.restore(hosts, "controller1"):
        _rabbitmq.map_cell(hosts, _rabbitmq.OF_THE_LAB)
        hosts.must(
            "controller1",
            ["sh", "-c", f"systemctl start {' '.join(NOVA)}; systemctl stop lab-memcached-11211 lab-memcached-11212"],
        )


def symptom(hosts: Hosts) -> str | None:
    """What nova's messaging says on the controllers that there are; it depends on the one that has the request."""
    for name in ALL:
        if name in hosts.members:
            said = hosts.must(
                name, ["env", "XDG_CACHE_HOME=/nonexistent", "python3", "-I", "-c", _CONNECT], user="nova"
            ).strip()
            if said:
                return f"{name}: {said}"
    return None


def other_order(hosts: Hosts) -> None:
    """Every controller begins with another RabbitMQ, which spreads the load."""
    _serve(hosts)
    _give(hosts, "controller1", URL)
    for name in ALL[1:]:
        _give(hosts, name, "rabbit://" + ",".join(f"{LOGIN}@{rabbit}" for rabbit in reversed(RABBITS)) + "/")


def addresses_and_template(hosts: Hosts) -> None:
    """Names on one controller and addresses on the others; the cell mapping is a template; pymemcache minds no order."""
    _serve(hosts)
    address = hosts.addresses()["controller1"]
    _give(hosts, "controller1", URL)
    _rabbitmq.map_cell(
        hosts, "rabbit://{username1}:{password1}@{hostname1}:{port1},{username2}:{password2}@{hostname2}:{port2}/{path}"
    )
    for name in ALL[1:]:
        _give(hosts, name, URL.replace("controller1", address))
        _nova_conf.change(
            hosts,
            name,
            [
                ("cache", "enabled", "true"),
                ("cache", "backend", "dogpile.cache.pymemcache"),
                ("cache", "memcache_servers", ",".join(reversed(CACHES)).replace("controller1", address)),
            ],
        )


def _serve(hosts: Hosts) -> None:
    """Three controllers, and the servers that they are given."""
    hosts.join(*JOINING)
    hosts.must("controller1", ["systemctl", "stop", *NOVA])
    _rabbitmq.start(hosts)
    start = (
        "for port in 11211 11212; do systemctl is-active --quiet lab-memcached-$port ||"
        " systemd-run --quiet --collect --unit=lab-memcached-$port memcached -u memcache -p $port; done"
    )
    hosts.must("controller1", ["sh", "-ec", start])


def _give(hosts: Hosts, name: str, url: str, caches: str = ",".join(CACHES)) -> None:
    _nova_conf.change(
        hosts, name, [("DEFAULT", "transport_url", url), ("keystone_authtoken", "memcached_servers", caches)]
    )
    if name == "controller1":
        _rabbitmq.map_cell(hosts, url)


BREAKER = Breaker(
    fault="controller_backends_differ",
    needs="hosts",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "the same RabbitMQ servers in another order": other_order,
        "addresses for names, and a cell mapping that is a template": addresses_and_template,
    },
    approve="disruptive",
    variables={"stackmend_rabbit_hosts": list(RABBITS), "stackmend_memcached_servers": list(CACHES)},
)
