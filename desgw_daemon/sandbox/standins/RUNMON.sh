#!/bin/bash
# Stand-in for gw_workflow's RUNMON.sh: the last job of a DAG, which gathers run information.
here=${BASH_SOURCE[0]%/*}
[[ $here == "${BASH_SOURCE[0]}" ]] && here=.
source "$here/../.sandbox/standin.sh"
log_start "$@"
while getopts "r:p:E:n:f:d:m:" opt; do
    case $opt in
    E) expnum=$OPTARG ;;
    [rpnfdm]) ;;
    *) exit 1 ;;
    esac
done
echo "RUNMON: exposure ${expnum-}"
