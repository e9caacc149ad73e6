#!/bin/bash
# What a deployment tool leaves on a compute: nova's key, and its peers known and admitted. Run on the host, as root.
#
# Usage: deploy-compute.sh NAME                       makes the key; prints it and the host keys
#        deploy-compute.sh NAME PEER ADDRESS FILE...  admits the peers; FILE holds what the first call printed there
set -euo pipefail
name=$1
shift
ssh=/var/lib/nova/.ssh
if [ $# -eq 0 ]; then
  install -d -m 0700 -o nova -g nova "$ssh"
  [ -e "$ssh/id_ed25519" ] || runuser -u nova -- ssh-keygen -q -t ed25519 -N '' -C "nova@$name" -f "$ssh/id_ed25519"
  cat "$ssh/id_ed25519.pub" /etc/ssh/ssh_host_*_key.pub
  exit
fi
: >"$ssh/known_hosts"
: >"$ssh/authorized_keys"
while [ $# -gt 0 ]; do
  peer=$1 address=$2 file=$3
  shift 3
  head -n 1 "$file" >>"$ssh/authorized_keys"
  tail -n +2 "$file" | cut -d ' ' -f 1-2 | sed "s/^/$peer,$address /" >>"$ssh/known_hosts"
  rm "$file"
done
chmod 0600 "$ssh/authorized_keys" "$ssh/known_hosts"
chown nova:nova "$ssh/authorized_keys" "$ssh/known_hosts"
