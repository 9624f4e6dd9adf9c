#!/bin/bash
# in-pool.sh POOL COMMAND ARGUMENT...: run a command in the namespaces of the pool in the folder POOL, in this working
# folder, as the user whose jobs the pool runs; with IN_POOL_AS=root as root. Who wants to end it ends its process group.
pool=$1
shift
pid=$(cat "$pool/init.pid") && kill -0 "$pid" 2>/dev/null || { echo "the pool in $pool is down" >&2; exit 75; }
as=(setpriv --reuid 5001 --regid 5001 --groups 0 env HOME=/home/desgw USER=desgw LOGNAME=desgw)
[ "${IN_POOL_AS-}" = root ] && as=(env HOME=/root USER=root LOGNAME=root)
case $PWD/ in "$pool"/work/*) folder=$PWD ;; *) folder=$pool ;; esac
exec nsenter -t "$pid" -m -u -p -r --wdns="$folder" "${as[@]}" CONDOR_CONFIG="$pool/condor_config" \
    PATH=/usr/bin:/usr/sbin:/bin:/sbin "$@"
