#!/bin/bash
# boot.sh BASE FOLDER NAME [SOURCE:TARGET]...: boots BASE/root as NAME, with BASE/nspawn; what is written there lies in
# memory and is gone at the end. Each SOURCE is bound at TARGET, to be read only. Run in namespaces of its own (mounts,
# processes): everything ends with the first process of these.
set -euo pipefail
base=$1 folder=$2 name=$3
shift 3
# A control group of its own: two systemds in one would fight.
for tree in /sys/fs/cgroup/unified /sys/fs/cgroup/systemd /sys/fs/cgroup; do
    [ -e "$tree/cgroup.procs" ] || continue
    mkdir -p "$tree/$name"
    echo 0 >"$tree/$name/cgroup.procs"
done
mount -t tmpfs -o mode=755 tmpfs "$folder"
mkdir "$folder"/{upper,work,root}
mount -t overlay -o "lowerdir=$base/root,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root"
# What nspawn itself writes stays off this machine.
mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd
unset NOTIFY_SOCKET
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 exec "$base/nspawn" -q --capability=CAP_BPF,CAP_PERFMON --system-call-filter=bpf \
    --private-network --resolv-conf=off --register=no --keep-unit --console=read-only --link-journal=no --timezone=off \
    -D "$folder/root" -M "$name" "${@/#/--bind-ro=}" -b
