# Sourced by the bash stand-ins. They set $here, the folder they lie in, first.
# No process is started here: a night has hundreds of jobs, and the machine two cores.
LC_ALL=C
sandbox=$here/..
pnfs=$sandbox/pnfs
run_id=$$-$EPOCHREALTIME

# pause MILLISECONDS: nobody ever writes to this pipe.
exec {never}<>"$sandbox/.sandbox/never"
pause() {
    local seconds
    (($1 > 0)) || return 0
    printf -v seconds '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
    read -r -t "$seconds" -u "$never" || :
}

# never_end: until somebody ends us, or the sandbox is deleted.
never_end() {
    while [[ -p $sandbox/.sandbox/never ]]; do pause 500; done
}

# quoted TEXT: as a JSON string, in $REPLY.
quoted() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    REPLY="\"${text//$'\t'/\\t}\""
}

# log EVENT [JSON]: one line, in one write.
log() {
    printf '{"t": %s, "who": "%s", "event": "%s", "run": "%s", "pid": %d%s}\n' \
        "$EPOCHREALTIME" "${0##*/}" "$1" "$run_id" $$ "${2:+, $2}" >>"$sandbox/logs/standins.jsonl"
}

# log_start ARGS...: with the words of the command line; its end is logged whatever it is.
log_start() {
    local words= word
    for word; do
        quoted "$word"
        words+="${words:+, }$REPLY"
    done
    local environment= name
    for name in SEASON PROCESS JOBSUBPARENTJOBID; do
        quoted "${!name-}"
        environment+="${environment:+, }\"$name\": $REPLY"
    done
    log start "\"argv\": [$words], \"env\": {$environment}"
    trap 'log end "\"rc\": $?"' EXIT
    trap 'exit 143' TERM
}
