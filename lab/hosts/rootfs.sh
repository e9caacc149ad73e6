#!/bin/bash
# Make the file system of the lab's test hosts: Debian 12 with systemd, sshd, nova (Zed) and libvirt.
#
# Usage: rootfs.sh ROOT SUITE MIRROR SETTINGS
#   SETTINGS holds what apt needs to reach the mirror and what is taken away again at the end:
#   sources.list, apt.conf, ca.crt, auth.conf (the last two may be missing).
# hosts.py runs it as root in a mount namespace of its own, so that nothing stays mounted whatever happens.
set -euo pipefail
root=$1 suite=$2 mirror=$3 settings=$4

base=(systemd systemd-sysv dbus libpam-systemd python3 python3-apt openssh-server openssh-client iptables nftables
      sudo iproute2 iputils-ping procps locales ca-certificates rsyslog logrotate acl less memcached ifupdown)
nova=(nova-common nova-conductor nova-scheduler python3-nova python3-placement)
libvirt=(libvirt-daemon-system libvirt-clients qemu-system-x86)
backends=(mariadb-server rabbitmq-server python3-pymysql)
# Units that have nothing to do in a container, or that would reach for the network.
masked=(systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service
        systemd-remount-fs.service sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount
        dev-hugepages.mount systemd-firstboot.service systemd-resolved.service systemd-timesyncd.service
        getty.target console-getty.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer
        dm-event.socket dm-event.service lvm2-lvmpolld.socket lvm2-monitor.service blk-availability.service
        open-vm-tools.service iscsid.socket multipathd.service multipathd.socket rpcbind.socket rpcbind.service)
# Installed, and started by whoever needs them: a host then boots in seconds.
disabled=(nova-api nova-conductor nova-scheduler nova-compute libvirtd.service libvirtd.socket libvirtd-ro.socket
          libvirtd-admin.socket libvirt-guests.service virtlogd.service virtlogd.socket virtlogd-admin.socket
          virtlockd.service virtlockd.socket virtlockd-admin.socket memcached
          mariadb rabbitmq-server epmd.service epmd.socket networking)

debootstrap --variant=minbase "$suite" "$root" "$mirror"

# What no test reads is never unpacked.
cat >"$root/etc/dpkg/dpkg.cfg.d/lab" <<'EOF'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/lintian/*
path-exclude=/usr/share/locale/*/LC_MESSAGES/*
path-include=/usr/share/locale/*/LC_MESSAGES/nova*.mo
EOF
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 0755 "$root/usr/sbin/policy-rc.d"

cp "$settings/sources.list" "$root/etc/apt/sources.list"
cp "$settings/apt.conf" "$root/etc/apt/apt.conf.d/00lab-build"
if [ -e "$settings/ca.crt" ]; then
  cp "$settings/ca.crt" "$root/etc/apt/lab-build-ca.crt"
  printf 'Acquire::https::CAInfo "/etc/apt/lab-build-ca.crt";\n' >>"$root/etc/apt/apt.conf.d/00lab-build"
fi
if [ -e "$settings/auth.conf" ]; then
  install -m 0600 "$settings/auth.conf" "$root/etc/apt/auth.conf"
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
chroot "$root" apt-get update -q
chroot "$root" apt-get install -y -q --no-install-recommends "${base[@]}" "${nova[@]}" "${libvirt[@]}" \
  "${backends[@]}"
chroot "$root" apt-get clean
# The unit tests of the Python packages: a tenth of the whole, and nothing imports them.
find "$root/usr/lib/python3/dist-packages" -depth -type d -name tests -exec rm -rf {} +
umount -l "$root/dev" "$root/proc"

for unit in "${masked[@]}"; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
for unit in "${disabled[@]}"; do
  chroot "$root" systemctl disable -q "$unit" 2>/dev/null || true
done

# No user manager for each ssh session: in a container it can outlive its session, and then holds up the next one.
chroot "$root" pam-auth-update --package --remove systemd
if grep -q pam_systemd "$root/etc/pam.d/common-session"; then
  echo "pam_systemd is still in common-session" >&2
  exit 1
fi

# Each host makes its own host keys at its first start.
rm -f "$root"/etc/ssh/ssh_host_*
mkdir -p "$root/etc/systemd/system/ssh.service.d"
cat >"$root/etc/systemd/system/ssh.service.d/hostkeys.conf" <<'EOF'
[Service]
ExecStartPre=
ExecStartPre=/bin/mkdir -p /run/sshd
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
EOF
printf 'UseDNS no\nPermitRootLogin prohibit-password\n' >"$root/etc/ssh/sshd_config.d/lab.conf"

# Everything that came from this machine, or that belongs to one host only.
rm -f "$root"/usr/sbin/policy-rc.d "$root"/etc/apt/apt.conf.d/00lab-build "$root"/etc/apt/lab-build-ca.crt \
      "$root"/etc/apt/auth.conf "$root"/etc/resolv.conf "$root"/etc/hostname "$root"/var/lib/dbus/machine-id
: >"$root/etc/apt/sources.list"
: >"$root/etc/machine-id"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/debconf/*-old \
       "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/var/log/*.log "$root"/var/log/apt "$root"/debootstrap
