#!/bin/bash
# make-base.sh FOLDER: in FOLDER a Debian with systemd, from Debian's default mirror (root), and systemd-nspawn to boot it
# (nspawn). Needs root, debootstrap and apt; a minute and 320 MB. Made beside its final name, renamed when it is whole.
set -euo pipefail
base=$1 user=desgw uid=5001
mkdir -p "$base/packages"

if [ ! -x "$base/nspawn" ]; then
    if found=$(command -v systemd-nspawn); then
        ln -sfn "$found" "$base/nspawn"
    else # unpacked, not installed; with the library of its own version, as the mirror may be ahead of this machine
        apt-get update -q
        (cd "$base/packages" && apt-get download -q systemd-container libsystemd-shared)
        for package in "$base"/packages/{systemd-container,libsystemd-shared}_*.deb; do
            dpkg-deb -x "$package" "$base/unpacked"
        done
        library=$(dirname "$(find "$base/unpacked" -name 'libsystemd-shared-*.so')")
        cat >"$base/nspawn.new" <<END
#!/bin/sh
LD_LIBRARY_PATH=$(printf %q "$library") exec $(printf %q "$base/unpacked/usr/bin/systemd-nspawn") "\$@"
END
        chmod +x "$base/nspawn.new"
        mv "$base/nspawn.new" "$base/nspawn"
    fi
fi

if [ ! -d "$base/root" ]; then
    new=$base/root.new
    rm -rf --one-file-system "$new"
    # python3 for the libraries that it brings along: the tests run in the Python that they are started with.
    debootstrap --variant=minbase --cache-dir="$base/packages" \
        --include=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,python3,procps trixie "$new"
    systemctl --root="$new" mask console-getty.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
        e2scrub_all.timer systemd-networkd.service
    tr -d - </proc/sys/kernel/random/uuid >"$new/etc/machine-id"
    mkdir -p "$new/var/log/journal" "$new/var/lib/systemd/linger"
    chroot "$new" groupadd -g $uid $user
    chroot "$new" useradd -u $uid -g $uid -m -s /bin/bash $user
    # What `loginctl enable-linger` does, where there is no logind yet.
    touch "$new/var/lib/systemd/linger/$user"
    rm -rf "$new"/var/lib/apt/lists/* "$new"/var/cache/apt/*.bin
    mv -T "$new" "$base/root"
fi
