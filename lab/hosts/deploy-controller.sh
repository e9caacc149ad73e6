#!/bin/bash
# What a deployment tool leaves on a controller: placement, and nova's databases and services. Run on the host, as root.
#
# nova's scheduler only starts where it can talk to placement, so placement runs as well. Both are Debian's own (Zed);
# SQLite and a message bus inside each process are enough for services that start and stay up; nobody asks placement for
# more than its versions, which need no token, so there is no keystone.
set -euo pipefail

set_option() {  # file section option value: in place of what the section has
  python3 - "$@" <<'EOF'
import re, sys
path, section, option, value = sys.argv[1:]
with open(path) as file:
    text = file.read()
start = text.index(f"[{section}]\n") + len(section) + 3
end = text.find("\n[", start)
end = len(text) if end < 0 else end
body = re.sub(rf"(?m)^{option}\s*=.*\n", "", text[start:end])
with open(path, "w") as file:
    file.write(text[:start] + f"{option} = {value}\n" + body + text[end:])
EOF
}

install -d -m 0750 -o nova -g nova /etc/placement
cat >/etc/placement/placement.conf <<'EOF'
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:5000
auth_type = none

[placement_database]
connection = sqlite:////var/lib/nova/placement.sqlite
sync_on_startup = true
EOF
cat >/etc/systemd/system/placement-api.service <<'EOF'
[Unit]
Description=OpenStack Placement API

[Service]
User=nova
ExecStart=/usr/bin/placement-api --host 0.0.0.0 --port 8778
Restart=on-failure

[Install]
WantedBy=multi-user.target
EOF
systemctl daemon-reload
systemctl enable --quiet --now placement-api

conf=/etc/nova/nova.conf
set_option $conf DEFAULT transport_url fake:/
set_option $conf api_database connection sqlite:////var/lib/nova/nova-api.sqlite
set_option $conf database connection sqlite:////var/lib/nova/nova.sqlite
set_option $conf conductor workers 1
set_option $conf scheduler workers 1
for option in auth_url project_name project_domain_name username user_domain_name; do
  sed -i "/^\[placement\]/,/^\[/{/^$option *=/d}" $conf
done
set_option $conf placement auth_type none
set_option $conf placement endpoint_override http://127.0.0.1:8778

as_nova() { runuser -u nova -- nova-manage "$@" >/dev/null 2>&1; }
as_nova api_db sync
as_nova cell_v2 map_cell0 --database_connection sqlite:////var/lib/nova/nova-cell0.sqlite
as_nova db sync
as_nova cell_v2 create_cell --name cell1 || [ $? -eq 2 ]  # 2: it is there already
systemctl enable --quiet --now nova-conductor nova-scheduler
