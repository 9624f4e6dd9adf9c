# Stand-in for Post-Processing's diffimg_setup.sh. To be sourced by bash in the Post-Processing folder.
# It goes through every postproc_*.ini there, and leaves the last one's season set.
export ROOTDIR=$(cd .. && pwd -P)/pnfs
export ROOTDIR2=$(pwd -P)
export PYTHONPATH="$PWD/pylib${PYTHONPATH:+:$PYTHONPATH}"
export DIFFIMG_HOST=FNAL
echo "EUPS setup complete"

for ini in $(ls postproc_*.ini); do
    SEASON=$(sed -n 's/^season *= *//p' "$ini" | head -n 1 | sed 's/[ ;].*//')
    # One file for everybody, as in the real one.
    echo "$SEASON" >getSeason.txt
    export SEASON
    export TOPDIR_SNFORCEPHOTO_IMAGES=$ROOTDIR2/forcephoto/images/dp$SEASON
    export TOPDIR_SNFORCEPHOTO_OUTPUT=$ROOTDIR2/forcephoto/output/dp$SEASON
    mkdir -p "$TOPDIR_SNFORCEPHOTO_OUTPUT"
    # Only for a new season: what comes later is not linked by this script.
    if [ ! -d "$TOPDIR_SNFORCEPHOTO_IMAGES" ]; then
        mkdir -p "$TOPDIR_SNFORCEPHOTO_IMAGES"
        if [ -d "$ROOTDIR/forcephoto/images/dp$SEASON" ]; then
            for nite in $(ls "$ROOTDIR/forcephoto/images/dp$SEASON"); do
                mkdir "$TOPDIR_SNFORCEPHOTO_IMAGES/$nite"
                ln -sf "$ROOTDIR/forcephoto/images/dp$SEASON/$nite"/*/*.fits \
                    "$ROOTDIR/forcephoto/images/dp$SEASON/$nite"/*/*.psf "$TOPDIR_SNFORCEPHOTO_IMAGES/$nite/"
            done
        fi
    fi
done
printf '{"t": %s, "who": "diffimg_setup.sh", "event": "sourced", "run": "%s-%s", "pid": %d, "season": "%s"}\n' \
    "$EPOCHREALTIME" $$ "$EPOCHREALTIME" $$ "$SEASON" >>../logs/standins.jsonl
