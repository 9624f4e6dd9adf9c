#!/bin/bash
# Stand-in for gw_workflow's DAGMaker.sh EXPNUM. Like the real one it has no `set -e`: DAGMaker.DONE and
# exit 0 follow nearly anything.
here=${BASH_SOURCE[0]%/*}
[[ $here == "${BASH_SOURCE[0]}" ]] && here=.
source "$here/../.sandbox/standin.sh"
log_start "$@"

EXPNUM=${1-}
[[ $EXPNUM =~ ^[0-9]+$ ]] || { echo "Usage: ./DAGMaker.sh EXPNUM"; exit 1; }
[[ -n ${DIFFIMG_HOST-} ]] || { echo "DIFFIMG_HOST is not set: source setup_img_proc.sh first"; exit 1; }
source "$sandbox/.sandbox/orders/default.sh"
[[ -f $sandbox/.sandbox/orders/$EXPNUM.sh ]] && source "$sandbox/.sandbox/orders/$EXPNUM.sh"
# The real one looks in the home folder; the sandbox has one of its own.
for secret in .pgpass .desservices.ini .wgetrc-desdm; do
    if [[ ! -f $sandbox/home/$secret || $making == no-${secret#.} ]]; then
        echo "Error: missing file ~/$secret"
        exit 2
    fi
done

source ./dagmaker.rc
procnum=dp$SEASON
rpnum=r${RNUM}p${PNUM}
outfile=desgw_pipeline_$EXPNUM.dag

# Band lists are made where they are missing, and never refreshed.
for band in u g r i z Y VR; do
    [[ -f exposures_$band.list ]] || awk -v band=$band '$6 == band' exposures.list >exposures_$band.list
done

if [[ -d mytemp_$EXPNUM ]]; then
    echo "found mytemp_$EXPNUM: deleting it"
    rm -rf "mytemp_$EXPNUM"
fi
mkdir "mytemp_$EXPNUM"

read -r _ NITE _ _ _ BAND EXPTIME _ < <(grep -m1 -E "^ *$EXPNUM " exposures.list)
[[ -n $BAND ]] || echo "Error with setting band: exposure $EXPNUM is not in exposures.list"
echo "exposure $EXPNUM band $BAND season $SEASON field $field"
pause $((dagmaker_ms / 2))

case $making in
crash) echo "awk: cannot open KH_diff.list1 (No such file or directory)"; exit 3 ;;
killed) kill -KILL $$ ;;
hang) never_end; exit 1 ;;
esac

if [[ -n $EXPTIME && ${EXPTIME%.*} -lt 30 ]] || grep -qx "$EXPNUM" SE_blacklist.txt || [[ $making == no-nite ]]; then
    echo "image failed quality test, removing from diff.list1 file"
    NITE=
fi

exp=$pnfs/exp/$NITE/$EXPNUM
if [[ -n $NITE && -n $BAND ]]; then
    # Under the feet of any jobs that are still running.
    rm -rf "$exp/input_files" "$exp/${EXPNUM}_run_inputs.tar.gz" "$exp/WS_diff.list"
    folders=("$exp/input_files")
    for ccd in {1..62}; do
        ((ccd == 2 || ccd == 31 || ccd == 61)) && continue
        printf -v cc %02d "$ccd"
        [[ " $unmade " == *" $cc "* ]] && continue
        folders+=("$exp/$procnum/${BAND}_$cc/ingest" "$exp/$procnum/${BAND}_$cc/stamps_${NITE}_${field}_${BAND}_$cc")
    done
    mkdir -p "${folders[@]}"
fi

# The DAG: templates that still need SE processing, then the search CCDs, then RUNMON.
submit="jobsub -n --group=des"
{
    echo "<parallel>"
    echo "$submit --memory=500MB --disk=100MB --expected-lifetime=600s file://dummyjob.sh"
    used=0
    [[ $making == no-templates ]] && templates=
    for template in $templates; do
        IFS=: read -r number nite <<<"$template"
        used=$((used + 1))
        masks=("$pnfs/exp/$nite/$number/"*_"$rpnum"_immask.fits.fz)
        if ((${#masks[@]} >= 59)) && [[ -e $pnfs/exp/$nite/$number/$number.out ]]; then
            echo "SE proc. already complete for exposure $number" >&2
            continue
        fi
        echo "add template job for exp $number != $EXPNUM" >&2
        echo "$submit $JOBSUB_TEMP_OPTS -N 60 file://SEdiff.sh -r $RNUM -p $PNUM -E $number -v $DIFFIMG_EUPS_VERSION" \
            "-b $BAND -n $nite -d $DESTCACHE -m $SCHEMA -c 0 $TEMP_OPTS -S $procnum"
    done
    echo "</parallel>"
    if [[ -n $BAND ]]; then
        echo "<parallel>"
        lines=0
        for ccd in {1..62}; do
            ((ccd == 2 || ccd == 31 || ccd == 61)) && continue
            [[ $making == few-lines ]] && ((++lines > 47)) && break
            echo "$submit $JOBSUB_OPTS file://SEdiff.sh -r $RNUM -p $PNUM -E $EXPNUM -v $DIFFIMG_EUPS_VERSION" \
                "-b $BAND -n $NITE -d $DESTCACHE -m $SCHEMA $SEARCH_OPTS -c $ccd -S $procnum"
        done
        echo "</parallel>"
    fi
    if [[ -n $BAND && $making != no-templates ]]; then
        echo "<serial>"
        echo "$submit --memory=2500MB file://RUNMON.sh -r $rpnum -p $procnum -E $EXPNUM -n $NITE -f $field" \
            "-d $DESTCACHE -m $SCHEMA"
        echo "</serial>"
    fi
} >"$outfile.new" 2>"mytemp_$EXPNUM/templates.log"
# The real one writes the DAG line by line over several minutes, under its final name.
cat "mytemp_$EXPNUM/templates.log"
while IFS= read -r line; do
    echo "$line"
    [[ $line == "</parallel>" ]] && pause $((dagmaker_ms / 4))
done <"$outfile.new" >"$outfile"
rm "$outfile.new"
pause $((dagmaker_ms / 4))

echo "copying inputs to dCache"
if [[ -n $NITE && -n $BAND ]]; then
    echo "$EXPNUM $NITE $BAND" >"$exp/input_files/$EXPNUM.lis"
    echo "inputs of $EXPNUM" >"$exp/${EXPNUM}_run_inputs.tar.gz"
    echo "1 $EXPNUM" >"$exp/WS_diff.list"
fi
[[ $making == copy-error ]] && echo "Error copying ${EXPNUM}_run_inputs.tar.gz to dCache"
[[ $making == no-templates ]] && echo "NO TEMPLATE IMAGES, DIFFIMG WILL FAIL"

command="jobsub_submit_dag -G des --role=desgw --need-storage-modify /des/persistent/gw/exp"
command+=" --need-storage-modify /des/persistent/gw/forcephoto file://$outfile"
echo "$command" >"mytemp_$EXPNUM/DAGMaker.DONE"
echo "To submit this DAG do"
echo "$command"
exit 0
