#!/bin/bash
# Stand-in for gw_workflow's SEdiff.sh: one CCD of an exposure (or of a template, with -t -c 0).
# What it leaves behind is a script of moves, from the exposure's orders (desgw_daemon/sandbox/moves.py).
here=${BASH_SOURCE[0]%/*}
[[ $here == "${BASH_SOURCE[0]}" ]] && here=.
source "$here/../.sandbox/standin.sh"
log_start "$@"

template=
while getopts "r:p:E:v:b:n:d:m:c:S:T:V:CtjYF" opt; do
    case $opt in
    r) rnum=$OPTARG ;;
    p) pnum=$OPTARG ;;
    E) expnum=$OPTARG ;;
    b) band=$OPTARG ;;
    n) nite=$OPTARG ;;
    c) ccd=$OPTARG ;;
    S) procnum=$OPTARG ;;
    t) template=yes ;;
    [vdmTVCjYF]) ;;
    *) exit 1 ;;
    esac
done
for need in rnum pnum expnum band nite ccd procnum; do
    [[ -n ${!need-} ]] || { echo "SEdiff: missing $need" >&2; exit 1; }
done
[[ $band == [ugrizY] ]] || { echo "SEdiff: band $band is not one of u g r i z Y" >&2; exit 1; }

source "$sandbox/.sandbox/orders/default.sh"
[[ -f $sandbox/.sandbox/orders/$expnum.sh ]] && source "$sandbox/.sandbox/orders/$expnum.sh"

if [[ -n $template ]]; then
    # Process k of 60 does the k-th of 1, 3..60, 62 (a search exposure has no 31).
    [[ ${PROCESS-} =~ ^[0-9]+$ ]] && ((PROCESS < 60)) || { echo "SEdiff: PROCESS is not set" >&2; exit 1; }
    numbers=(1 {3..60} 62)
    printf -v cc %02d "${numbers[PROCESS]}"
    folder=$pnfs/exp/$nite/$expnum
    [[ -d $folder ]] || mkdir -p "$folder"
    pause "$template_ms"
    printf -v stem 'D%08d' "$expnum"
    echo "SE $expnum $cc" >"$folder/${stem}_${band}_${cc}_r${rnum}p${pnum}_immask.fits.fz"
    echo "SE $expnum $cc" >"$folder/${stem}_${band}_${cc}_r${rnum}p${pnum}_fullcat.fits"
    echo "SE $expnum $cc" >"$folder/${stem}_${cc}_r${rnum}p${pnum}_ZP.csv"
    # The corners of the CCDs; the real one is made by whichever job comes last.
    ((PROCESS == 59)) && echo "$expnum $nite $band" >"$folder/$expnum.out"
    exit 0
fi

printf -v cc %02d "$ccd"
folder=$pnfs/exp/$nite/$expnum/$procnum/${band}_$cc
stamps=stamps_${nite}_${field}_${band}_$cc
forces=$pnfs/forcephoto/images/$procnum/$nite/$expnum
printf -v stem 'WS%04d_%d_%s_tile1_combined_%s_%s+fakeSN_diff' "${procnum#dp}" "$expnum" "$field" "$band" "$cc"
job_line="${JOBSUBJOBID:-$$.0@sandbox} ${JOBSUBPARENTJOBID:+$JOBSUBPARENTJOBID }$HOSTNAME"

# put FILE TEXT [late|empty]: in place, as on dCache: the name is there before the bytes are.
put() {
    : >"$1"
    case ${3-} in
    empty) return ;;
    late) pause "$late_ms" ;;
    esac
    echo "$2" >"$1"
}

pause $((job_ms * (70 + (expnum * 7 + 10#$cc * 13) % 61) / 100))
script=moves_$cc
for move in ${!script-$moves}; do
    what=${move%%:*}
    how=
    [[ $move == *:* ]] && how=${move#*:}
    case $what in
    pause) pause "$how" ; continue ;;
    exit) exit "$how" ;;
    hang) never_end ; exit 1 ;;
    esac
    # The copy-back makes what is not there; another job may do so at the same moment.
    [[ -d $folder/$stamps ]] || mkdir -p "$folder/$stamps"
    case $what in
    tarball) put "$folder/outputs_${procnum}_${nite}_${expnum}_${band}_$cc.tar.gz" "outputs $expnum $cc" "$how" ;;
    fail)
        case $how in
        ALL) put "$folder/RUN_ALL.FAIL" NONE$'\n'"$job_line" ;;
        NOOVERLAPS) put "$folder/NOOVERLAPS.FAIL" "no overlapping templates"$'\n'"$job_line" ;;
        *)
            printf -v name 'RUN%02d_%s.FAIL' "$how" "${steps[how - 1]}"
            put "$folder/$name" "${name%.FAIL} failed on $expnum $cc"$'\n'"$job_line"
            ;;
        esac
        ;;
    fits* | psf*)
        [[ -d $forces ]] || mkdir -p "$forces"
        put "$forces/$stem.$what" "force $expnum $cc" "$how"
        ;;
    stamps) put "$folder/$stamps/$stamps.tar.gz" "stamps $expnum $cc" "$how" ;;
    *) echo "SEdiff: unknown move $move" >&2 ; exit 70 ;;
    esac
    pause "$copy_ms"
done
exit 0
