#!/bin/bash
# Stand-in for gw_workflow's dummyjob.sh: the first job of a DAG, which does nothing.
here=${BASH_SOURCE[0]%/*}
[[ $here == "${BASH_SOURCE[0]}" ]] && here=.
source "$here/../.sandbox/standin.sh"
log_start "$@"
echo "dummy job on $HOSTNAME"
