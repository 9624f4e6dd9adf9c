#!/bin/bash
# make-chroot.sh FOLDER: Debian trixie with HTCondor (minihtcondor) in FOLDER, from Debian's default mirror.
# Needs root and debootstrap; a minute and 320 MB. Made beside its final name, and renamed when it is whole.
set -euo pipefail
root=$1
host=desgwpool.test
user=desgw
uid=5001

if [ ! -x "$root/usr/sbin/condor_master" ]; then
    new=$root.new
    rm -rf --one-file-system "$new"
    mkdir -p "$new"
    debootstrap --variant=minbase trixie "$new"
    # Nothing is started while packages are set up.
    printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
    chmod +x "$new/usr/sbin/policy-rc.d"
    DEBIAN_FRONTEND=noninteractive chroot "$new" apt-get install -y --no-install-recommends minihtcondor
    chroot "$new" apt-get clean
    rm -rf "$new"/var/lib/apt/lists/*
    mv -T "$new" "$root"
fi
# HTCondor runs no job as root: DAGs are submitted and jobs run as this one.
if ! grep -q "^$user:" "$root/etc/passwd"; then
    chroot "$root" groupadd -g $uid $user
    chroot "$root" useradd -u $uid -g $uid -m -s /bin/bash $user
fi
# Its jobs write into folders that root's daemon has made for its group, as in production for the group's accounts.
chroot "$root" usermod -aG root $user
# Beside the file and renamed: a pool may be running in there.
printf '127.0.0.1 %s %s localhost\n' $host ${host%%.*} >"$root/etc/hosts.new"
mv "$root/etc/hosts.new" "$root/etc/hosts"
