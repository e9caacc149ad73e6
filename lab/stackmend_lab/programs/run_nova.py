# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One process that is nova: API, conductor, scheduler and FakeDriver computes over an in-memory message bus.

    run_nova.py --port PORT --control SOCKET --hosts STATE/hosts --wait-for PORT... COMPUTE...

The control socket takes one line, `start`, `stop` or `status` and a HOST, nova-conductor or nova-scheduler, or
`deafen` and a HOST, and answers `done` or `failed: <why>`. A compute reads its own hosts/HOST/etc/nova/nova.conf when
it starts, and refuses to start on what nova-compute refuses.
"""

# nova chooses its concurrency before anything else of it is imported.
from nova import monkey_patch

monkey_patch.patch(backend="threading")

import argparse  # noqa: E402
import contextlib  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import shlex  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import ClassVar  # noqa: E402

import nova.conf  # noqa: E402
import os_vif  # noqa: E402
from cheroot import wsgi  # noqa: E402
from nova import exception, objects, service, utils  # noqa: E402
from nova.compute import rpcapi as compute_rpcapi  # noqa: E402
from nova.conductor import rpcapi as conductor_rpcapi  # noqa: E402
from nova.conf import opts as nova_opts  # noqa: E402
from nova.scheduler import rpcapi as scheduler_rpcapi  # noqa: E402
from nova.servicegroup import api as servicegroup  # noqa: E402
from nova.virt import (  # noqa: E402
    images,
    node,
    stackmend_lab,
)
from nova.virt.libvirt import blockinfo  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_log import formatters  # noqa: E402
from oslo_log import log as oslo_log  # noqa: E402
from oslo_privsep import priv_context  # noqa: E402

CONF = nova.conf.CONF
LOG = oslo_log.getLogger(__name__)
PEER_SECONDS = 60
HOLD_SECONDS = 300
PORT_SECONDS = 1
REFUSED = "nova-compute on {} does not start"


def stand_still_where_told():
    """Let a driver wait in the midst of an operation for as long as <state_path>/hold/<operation> is there.

    FakeDriver does everything at once, and what placement holds meanwhile would never be seen. It never fails either: where
    <state_path>/refuse/<host> is there, the hypervisor of that host builds nothing.
    """

    def waiting(operation, done):
        def held(self, *args, **kwargs):
            deadline = time.monotonic() + HOLD_SECONDS
            while (Path(CONF.state_path) / "hold" / operation).exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            return done(self, *args, **kwargs)

        return held

    def refusing(spawn):
        def tried(self, context, instance, *args, **kwargs):
            if (Path(CONF.state_path) / "refuse" / instance.host).exists():
                raise RuntimeError(f"the hypervisor of {instance.host} refuses to build")
            return spawn(self, context, instance, *args, **kwargs)

        return tried

    stackmend_lab.Driver.spawn = refusing(stackmend_lab.Driver.spawn)
    for operation in ("spawn", "live_migration", "migrate_disk_and_power_off"):
        setattr(stackmend_lab.Driver, operation, waiting(operation, getattr(stackmend_lab.Driver, operation)))


def build_as_libvirt_where_told(hosts):
    """Let a driver first take those steps of nova.virt.libvirt.driver that need no hypervisor, with nova's own code.

    FakeDriver looks at no image and waits for no port. Where <state_path>/libvirt/<step> is there: `bus` chooses the bus of
    the disk; `image` fetches the image into the host's instances/_base and inspects it; `port` waits a second until neutron
    says that the ports are wired, which here it never does.
    """

    def bus(self, context, instance, image_meta, network_info):
        blockinfo.get_disk_bus_for_device_type(instance, CONF.libvirt.virt_type, image_meta, "disk")

    def image(self, context, instance, image_meta, network_info):
        base = hosts / instance.host / "var/lib/nova/instances/_base"
        base.mkdir(exist_ok=True)
        part = base / f"{image_meta.id}.part"
        images.fetch(context, image_meta.id, str(part))
        try:
            images.do_image_deep_inspection(images.get_info(context, image_meta.id), image_meta.id, str(part))
        finally:
            part.unlink()

    def port(self, context, instance, image_meta, network_info):
        # _create_guest_with_network() of that driver; its own timeout is the whole process'
        events = [("network-vif-plugged", vif["id"]) for vif in network_info or ()]
        try:
            with self.virtapi.wait_for_instance_event(instance, events, timeout=PORT_SECONDS):
                pass
        except exception.InstanceEventTimeout:
            if CONF.vif_plugging_is_fatal:
                raise exception.VirtualInterfaceCreateException() from None

    def built(self, context, instance, image_meta, *args, network_info=None, **kwargs):
        for step in (bus, image, port):
            if (Path(CONF.state_path) / "libvirt" / step.__name__).exists():
                step(self, context, instance, image_meta, network_info)
        return spawn(self, context, instance, image_meta, *args, network_info=network_info, **kwargs)

    spawn = stackmend_lab.Driver.spawn
    stackmend_lab.Driver.spawn = built


class Computes:
    """The computes of this process; each is what a nova-compute would be, less what a process has only once."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.running = {}
        self.lock = threading.Lock()

    def start(self, host):
        with self.lock:
            if host in self.running:
                return
            handler = logging.FileHandler(self.hosts / host / "var/log/nova/nova-compute.log")
            handler.setFormatter(formatters.ContextFormatter(config=CONF, datefmt=CONF.log_date_format))
            logger = logging.getLogger()
            logger.addHandler(handler)
            try:
                own = read_configuration(self.hosts / host / "etc/nova/nova.conf")
                # Process-wide in nova: CONF.host, CONF.state_path (where compute_id is) and the node's uuid once read.
                node.LOCAL_NODE_UUID = None
                for option in ("host", "state_path", "my_ip"):
                    CONF.set_override(option, getattr(own, option))
                self.running[host] = start(
                    "nova-compute", host, compute_rpcapi.RPC_TOPIC, topic_alt=compute_rpcapi.RPC_TOPIC_ALT
                )
            except Exception:
                LOG.exception(REFUSED.format(host))
                raise
            finally:
                for option in ("host", "state_path", "my_ip"):
                    CONF.clear_override(option)
                logger.removeHandler(handler)
                handler.close()

    def status(self, host):
        if host not in self.running:
            raise LookupError("it does not run")

    def stop(self, host):
        with self.lock:
            compute = self.running.pop(host, None)
            if compute is None:
                return
            halt(compute)

    def deafen(self, host):
        """It goes on reporting and takes no messages any more, like a queue that lost its consumer."""
        with self.lock:
            take_no_messages(self.running[host])


class Parts:
    """What this process has once: nova-conductor and nova-scheduler. One that is stopped neither reports nor takes messages."""

    topics: ClassVar = {"nova-conductor": conductor_rpcapi.RPC_TOPIC, "nova-scheduler": scheduler_rpcapi.RPC_TOPIC}

    def __init__(self):
        self.running = {}

    def start(self, name):
        if name not in self.running:
            # What would be a process of its own reads the file anew.
            CONF.reload_config_files()
            self.running[name] = start(name, CONF.host, self.topics[name])

    def status(self, name):
        if name not in self.running:
            raise LookupError("it does not run")

    def stop(self, name):
        part = self.running.pop(name, None)
        if part is not None:
            halt(part)


def halt(service_):
    # Not Service.stop(): its cleanup_host() shuts thread pools that API and conductor share.
    service_.tg.stop()
    take_no_messages(service_)


def take_no_messages(service_):
    for server in (service_.rpcserver, service_.rpcserver_alt):
        if server is not None:
            server.stop()
            server.wait()


def read_configuration(path):
    """A compute's file, every option of nova's read once, as nova-compute does on start to log them."""
    own = cfg.ConfigOpts()
    for group, options in nova_opts.list_opts():
        # By name: a group object carries what CONF has registered in it.
        name = getattr(group, "name", group)
        for option in options:
            if option.required:
                continue  # belongs to an auth plugin; nova registers those of the plugin in use only
            with contextlib.suppress(cfg.DuplicateOptError):  # sections list the options of several auth plugins
                own.register_opt(option, group=None if name == "DEFAULT" else name)
    own([], project="nova", default_config_files=[str(path)], default_config_dirs=[])
    own.log_opt_values(LOG, logging.DEBUG)
    return own


def start(binary, host, topic, topic_alt=None):
    started = service.Service.create(host=host, binary=binary, topic=topic, topic_alt=topic_alt)
    started.start()
    print(f"{binary} on {host} started", flush=True)
    return started


def wait_for(port):
    """Computes register with placement as soon as they start: it and keystone have to answer by then."""
    deadline = time.monotonic() + PEER_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"Nothing answers on port {port} of 127.0.0.1: {error}")
            time.sleep(0.1)


def serve_control(path, computes, parts):
    """Do what is asked for. The address goes through /proc because a socket's path is limited to 107 bytes."""
    path.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"/proc/self/fd/{directory}/{path.name}")
    path.chmod(0o600)
    listener.listen()
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                verb, host = connection.makefile().readline().split()
                if verb not in ("start", "stop", "status", "deafen"):
                    raise ValueError(f"there is no {verb}")
                getattr(parts if host in parts.topics else computes, verb)(host)
                answer = "done"
            except Exception as error:
                answer = f"failed: {type(error).__name__}: {error}"
            connection.sendall(answer.encode())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--hosts", type=Path, required=True)
    parser.add_argument("--wait-for", type=int, action="append", default=[])
    parser.add_argument("compute", nargs="+")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

    sys.argv = ["nova"]  # the API module parses it
    from nova.wsgi import osapi_compute

    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    os_vif.initialize()
    objects.register_all()
    objects.Service.enable_min_version_cache()
    # Whoever starts a lab waits for its first reports; nova's come after five seconds.
    servicegroup.INITIAL_REPORTING_DELAY = 0
    parts = Parts()
    parts.start("nova-conductor")
    for port in arguments.wait_for:
        wait_for(port)
    parts.start("nova-scheduler")
    build_as_libvirt_where_told(arguments.hosts)
    stand_still_where_told()
    computes = Computes(arguments.hosts)
    for host in arguments.compute:
        try:
            computes.start(host)
        except Exception as error:  # as on real hosts: one compute that does not start leaves the others alone
            print(f"{REFUSED.format(host)}: {type(error).__name__}: {error}", flush=True)
    threading.Thread(target=serve_control, args=(arguments.control, computes, parts), daemon=True).start()
    wsgi.Server(("127.0.0.1", arguments.port), osapi_compute.application, numthreads=8, request_queue_size=128).start()


if __name__ == "__main__":
    main()
