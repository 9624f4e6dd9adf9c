#!/bin/bash
# Stand-in for Post-Processing's update_forcephoto_links.sh [-n NITE]: links the forcephoto files of $SEASON.
here=${BASH_SOURCE[0]%/*}
[[ $here == "${BASH_SOURCE[0]}" ]] && here=.
source "$here/../.sandbox/standin.sh"
log_start "$@"

for need in SEASON ROOTDIR TOPDIR_SNFORCEPHOTO_IMAGES; do
    [[ -n ${!need-} ]] || { echo "Error: $need not set."; exit 1; }
done
only=
while getopts "n:" opt; do
    case $opt in
    n)
        [[ $OPTARG =~ ^[0-9]+$ ]] || { echo "Error: the night must be a number, not $OPTARG"; exit 1; }
        only=$OPTARG
        ;;
    esac
done
# A tree or a nite that is not there is no error for the real one either.
for nite in $(ls "$ROOTDIR/forcephoto/images/dp$SEASON"); do
    [[ -z $only || $nite == "$only" ]] || continue
    [[ -d $TOPDIR_SNFORCEPHOTO_IMAGES/$nite ]] || mkdir "$TOPDIR_SNFORCEPHOTO_IMAGES/$nite"
    for expnum in $(ls "$ROOTDIR/forcephoto/images/dp$SEASON/$nite"); do
        from=$ROOTDIR/forcephoto/images/dp$SEASON/$nite/$expnum
        # An empty folder gives a link that is named *.fits.
        ln -sf "$from"/*.fits "$from"/*.psf "$TOPDIR_SNFORCEPHOTO_IMAGES/$nite/"
    done
done
exit 0
