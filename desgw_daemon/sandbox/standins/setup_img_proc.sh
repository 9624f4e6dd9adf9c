# Stand-in for gw_workflow's setup_img_proc.sh. To be sourced by bash, before DAGMaker and submissions.
if [ -n "@SETUP_FAILS@" ]; then
    echo "setup_img_proc.sh: the software area does not answer" >&2
    return 1
fi
export DIFFIMG_HOST=FNAL
export EUPS_PATH="$PWD/eups${EUPS_PATH:+:$EUPS_PATH}"
export PYTHONPATH="$PWD/python${PYTHONPATH:+:$PYTHONPATH}"
echo "EUPS setup complete"
