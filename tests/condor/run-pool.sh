#!/bin/bash
# run-pool.sh ROOT POOLS POOL: the first process of a pool's own namespaces (mounts, host name, processes).
# The chroot ROOT is shared with other pools and stays as it is; all that is written lies in the folder POOL below POOLS.
# This process never changes its user: else it would no longer die with its parent.
set -euo pipefail
root=$1 pools=$2 pool=$3
hostname desgwpool.test
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"
mkdir -p "$root$pools"
mount --bind "$pools" "$root$pools"
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin CONDOR_CONFIG="$pool/condor_config" \
    /bin/bash -c '
        cd "$1"
        install -d -o condor -g condor log spool execute lock lock/daemon_sock run
        install -d -o desgw -g desgw -m 777 work
        condor_master -f &
        wait' pool "$pool"
