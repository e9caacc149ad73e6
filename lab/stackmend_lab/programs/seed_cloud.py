# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fresh lab holds: catalogue, service users, a member, flavors, a network and images.

    seed_cloud.py CLOUDS_FILE < {"endpoints": {service: [type, url]}, "passwords": {user: password}, ...}

Every image is healthy in the eyes of the catalogue (FAULTS.md F11, F12, F19, F20, F28, F31): formats are what they say,
bootable disks have the guest agent's channel, and Windows has no more sockets than it can use.
"""

import json
import struct
import sys

import openstack

REGION = "RegionOne"
MIB = 1 << 20


def raw_disk():
    """A partitioned disk: a master boot record with one Linux partition."""
    record = bytearray(512)
    record[446:462] = struct.pack("<BBBBBBBBII", 0x80, 0, 2, 0, 0x83, 0, 0, 0, 1, 2047)
    record[510:512] = b"\x55\xaa"
    return bytes(record) + bytes(MIB - 512)


def qcow2_disk(size):
    """An empty qcow2 (version 3): header, refcount table, one refcount block, L1 table, in clusters of 64 KiB."""
    cluster = 1 << 16
    entries = size // (cluster * cluster // 8)
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 0, 0, 16, size, 0, entries, 3 * cluster, cluster, 1, 0, 0)
    header += struct.pack(">QQQII", 0, 0, 0, 4, 104)
    table = struct.pack(">Q", 2 * cluster)
    block = struct.pack(">4H", 1, 1, 1, 1)
    return b"".join(part.ljust(cluster, b"\0") for part in (header, table, block, b""))


def iso_disc():
    """An ISO 9660 volume of 32 sectors: 16 empty ones, primary descriptor, terminator. Numbers have both byte orders."""
    sectors, sector = 32, 2048
    primary = bytearray(sector)
    primary[0:8] = b"\x01CD001\x01\0"
    primary[8:72] = b"LINUX".ljust(32) + b"STACKMEND LAB".ljust(32)
    primary[80:88] = struct.pack("<I", sectors) + struct.pack(">I", sectors)
    primary[120:128] = (struct.pack("<H", 1) + struct.pack(">H", 1)) * 2
    primary[128:132] = struct.pack("<H", sector) + struct.pack(">H", sector)
    return (bytes(16 * sector) + bytes(primary) + b"\xffCD001\x01").ljust(sectors * sector, b"\0")


LINUX = {"os_type": "linux", "hw_qemu_guest_agent": "yes", "hw_disk_bus": "virtio", "hw_vif_model": "virtio"}
WINDOWS = {
    "os_type": "windows",
    "os_distro": "windows",
    "os_version": "2022",
    "hw_qemu_guest_agent": "yes",
    "hw_disk_bus": "virtio",
    "hw_vif_model": "virtio",
    "hw_cpu_max_sockets": "2",
}
IMAGES = (
    ("cirros", "raw", raw_disk, {**LINUX, "os_distro": "cirros"}),
    ("ubuntu-24.04", "qcow2", lambda: qcow2_disk(1 << 30), {**LINUX, "os_distro": "ubuntu", "os_version": "24.04"}),
    ("windows-2022", "qcow2", lambda: qcow2_disk(1 << 30), WINDOWS),
    ("debian-12-netinst", "iso", iso_disc, {"os_type": "linux", "os_distro": "debian"}),
    ("linux-6.1-kernel", "aki", lambda: b"kernel".ljust(MIB, b"\0"), {}),
    ("linux-6.1-ramdisk", "ari", lambda: b"ramdisk".ljust(MIB, b"\0"), {}),
)


def seed_identity(cloud, endpoints, passwords):
    identity = cloud.identity
    roles = {
        name: identity.find_role(name) or identity.create_role(name=name) for name in ("admin", "service", "member")
    }
    projects = {
        name: identity.find_project(name) or identity.create_project(name=name, domain_id="default")
        for name in ("service", "lab-member")
    }
    for name, password in passwords.items():
        if name == "admin":
            continue  # keystone-manage bootstrap made it
        user = identity.find_user(name) or identity.create_user(name=name, password=password, domain_id="default")
        if name == "member":
            identity.assign_project_role_to_user(projects["lab-member"], user, roles["member"])
        else:
            for role in ("admin", "service"):
                identity.assign_project_role_to_user(projects["service"], user, roles[role])
    for name, (kind, url) in endpoints.items():
        entry = identity.find_service(name) or identity.create_service(name=name, type=kind)
        present = {endpoint.interface for endpoint in identity.endpoints(service_id=entry.id)}
        for interface in {"public", "internal", "admin"} - present:
            identity.create_endpoint(service_id=entry.id, interface=interface, url=url, region_id=REGION)


def seed_flavors_and_network(cloud):
    for name, ram in (("m1.tiny", 512), ("m1.big", 4096)):
        if not cloud.compute.find_flavor(name):
            cloud.compute.create_flavor(name=name, ram=ram, disk=1, vcpus=1)
    if not cloud.network.find_network("lab"):
        network = cloud.network.create_network(name="lab", shared=True)
        cloud.network.create_subnet(name="lab", network_id=network.id, ip_version=4, cidr="10.9.0.0/22")


def seed_images(cloud):
    present = {image.name for image in cloud.image.images()}
    for name, form, content, properties in IMAGES:
        if name in present:
            continue
        container = form if form in ("aki", "ari") else "bare"
        image = cloud.image.create_image(
            name=name, disk_format=form, container_format=container, visibility="public", data=content(), **properties
        )
        status = cloud.image.get_image(image.id).status
        if status != "active":
            raise SystemExit(f"Image {name} is {status}; glance refused its content.")


def main():
    wishes = json.load(sys.stdin)
    config = openstack.config.OpenStackConfig(config_files=[sys.argv[1]], load_envvars=False)
    cloud = openstack.connection.Connection(config=config.get_one(wishes["cloud"]))
    if wishes["part"] == "identity":
        seed_identity(cloud, wishes["endpoints"], wishes["passwords"])
    else:
        seed_flavors_and_network(cloud)
        seed_images(cloud)


if __name__ == "__main__":
    main()
