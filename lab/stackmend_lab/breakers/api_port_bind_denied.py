# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep httpd from port 5000 as SELinux does: by what its programs, httpd and the audit log of an EL host say then.

SELinux cannot be in force here, so the answers of getenforce, getsebool, setsebool and semanage, httpd's message and the
denial are recorded; where nothing is denied, the unit opens the port for real.
"""

from __future__ import annotations

from ..hosts import Hosts
from ._breaker import Breaker

HOST = "controller1"
UNIT = "httpd.service"
STATE = "/etc/selinux/lab"
TOOLS = "/usr/local/sbin"

_GETENFORCE = f"#!/bin/sh\ncat {STATE}/enforce\n"
_GETSEBOOL = f'#!/bin/sh\n[ -e {STATE}/$1 ] || exit 1\necho "$1 --> $(cat {STATE}/$1)"\n'
_SETSEBOOL = f'#!/bin/sh\n[ "$1" = -P ] || exit 1\necho $3 >{STATE}/$2\n'
_SEMANAGE = """#!/bin/sh
cat <<'END'
commplex_main_port_t           tcp      5000
http_cache_port_t              tcp      8080, 8118, 8123, 10001-10010
http_port_t                    tcp      80, 81, 443, 488, 8008, 8009, 8443, 9000
keystone_port_t                tcp      35357
unreserved_port_t              tcp      61001-65535, 1024-32767
END
"""
_DENIAL = (
    'type=AVC msg=audit($(date +%s).417:2113): avc:  denied  { name_bind } for  pid=21442 comm="httpd" src=5000 '
    "scontext=system_u:system_r:httpd_t:s0 tcontext=system_u:object_r:commplex_main_port_t:s0 tclass=tcp_socket permissive=0"
)
# What httpd does under SELinux: it may open the port in permissive mode, or when the boolean is on.
_HTTPD = f"""#!/bin/sh
if [ "$(cat {STATE}/enforce)" = Enforcing ] && [ "$(cat {STATE}/httpd_use_openstack)" = off ]; then
  mkdir -p /var/log/audit /var/log/httpd
  echo "{_DENIAL.replace('"', chr(92) + '"')}" >>/var/log/audit/audit.log
  echo "(13)Permission denied: AH00072: make_sock: could not bind to address [::]:5000" >&2
  echo "(13)Permission denied: AH00072: make_sock: could not bind to address 0.0.0.0:5000" >&2
  echo "no listening sockets available, shutting down" >&2
  exit 1
fi
exec python3 -m http.server --bind 127.0.0.1 5000
"""
_KEYSTONE = """Listen 5000
<VirtualHost *:5000>
    WSGIDaemonProcess keystone-public processes=2 threads=1 user=keystone group=keystone
    WSGIScriptAlias / /usr/bin/keystone-wsgi-public
</VirtualHost>
"""
_HTTPD_UNIT = "[Unit]\nDescription=The Apache HTTP Server\n\n[Service]\nExecStart=/usr/local/sbin/httpd\n"


def break_(hosts: Hosts) -> None:
    """SELinux is in force and the boolean off: httpd fails."""
    _deploy(hosts, "Enforcing", "off")


def mend(hosts: Hosts) -> None:
    """Take httpd and the recorded programs away."""
    tools = " ".join(f"{TOOLS}/{name}" for name in ("getenforce", "getsebool", "setsebool", "semanage", "httpd"))
    hosts.must(
        HOST,
        [
            "sh",
            "-c",
            f"systemctl stop {UNIT} 2>/dev/null; systemctl reset-failed {UNIT} 2>/dev/null;"
            f" rm -rf {STATE} {tools} /etc/systemd/system/{UNIT} /etc/httpd /var/log/audit /var/log/httpd;"
            " rmdir /etc/selinux 2>/dev/null; systemctl daemon-reload",
        ],
    )


def symptom(hosts: Hosts) -> str | None:
    """Whether anybody answers on port 5000, and what httpd said otherwise."""
    if hosts.ssh(HOST, ["test", "-e", f"/etc/systemd/system/{UNIT}"]).returncode:
        return None
    ask = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/', timeout=5).read(1)"
    if hosts.ssh(HOST, ["python3", "-c", ask]).returncode == 0:
        return None
    said = hosts.must(HOST, ["journalctl", "-u", UNIT, "-o", "cat", "--no-pager", "-q", "-g", "AH00072", "-n", "1"])
    return said.strip() or "nobody answers on port 5000"


def permissive(hosts: Hosts) -> None:
    """The boolean is off, and SELinux only warns: httpd runs, and the denials are in the audit log."""
    _deploy(hosts, "Permissive", "off")
    hosts.must(HOST, ["sh", "-ec", f'mkdir -p /var/log/audit; echo "{_escaped()}" >/var/log/audit/audit.log'])


def denied_before(hosts: Hosts) -> None:
    """It was denied an hour ago, and somebody has switched the boolean on since."""
    _deploy(hosts, "Enforcing", "off")
    hosts.must(
        HOST,
        ["sh", "-ec", f"setsebool -P httpd_use_openstack on; systemctl reset-failed {UNIT}; systemctl start {UNIT}"],
    )
    _wait(hosts)


def _deploy(hosts: Hosts, enforce: str, boolean: str) -> None:
    """httpd with keystone, under SELinux as EL 9 has it, and a first start."""
    hosts.must(HOST, ["mkdir", "-p", STATE, "/etc/httpd/conf.d"])
    files = {
        f"{STATE}/enforce": f"{enforce}\n",
        f"{STATE}/httpd_use_openstack": f"{boolean}\n",
        f"{TOOLS}/getenforce": _GETENFORCE,
        f"{TOOLS}/getsebool": _GETSEBOOL,
        f"{TOOLS}/setsebool": _SETSEBOOL,
        f"{TOOLS}/semanage": _SEMANAGE,
        f"{TOOLS}/httpd": _HTTPD,
        "/etc/httpd/conf.d/wsgi-keystone.conf": _KEYSTONE,
        f"/etc/systemd/system/{UNIT}": _HTTPD_UNIT,
    }
    for path, text in files.items():
        hosts.must(HOST, ["tee", path], input=text)
    hosts.must(HOST, ["sh", "-c", f"chmod 0755 {TOOLS}/*; systemctl daemon-reload; systemctl start {UNIT}; true"])
    if enforce == "Enforcing" and boolean == "off":
        hosts.must(HOST, ["timeout", "30", "sh", "-c", f"until systemctl is-failed -q {UNIT}; do sleep 0.2; done"])
    else:
        _wait(hosts)


def _wait(hosts: Hosts) -> None:
    hosts.must(HOST, ["timeout", "30", "sh", "-c", "until ss -Hltn 'sport = :5000' | grep -q .; do sleep 0.2; done"])


def _escaped() -> str:
    return _DENIAL.replace('"', '\\"').replace("permissive=0", "permissive=1")


BREAKER = Breaker(
    fault="api_port_bind_denied",
    needs="hosts",
    break_=break_,
    mend=mend,
    symptom=symptom,
    near_misses={
        "SELinux only warns": permissive,
        "denied before, and running now": denied_before,
    },
    variables={"service_start_healthy_seconds": 2},
    recorded=(
        "SELinux cannot be in force on the test hosts. What getenforce, getsebool, setsebool -P and semanage port -l answer, "
        "httpd's AH00072 and the denial in the audit log are those of an EL 9 host."
    ),
)
