"""The bash script that prepares a run of post-processing, and then becomes run_postproc.py.

Every value in it is quoted; what it finds is left in small files of the run's folder (docs/postprocessing.md).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from desgw_daemon.domain.states import RUN_STAGES

#: Files in a run's folder. stage: one of STAGES. skipto: the step at which it really starts. notes: what a person
#: should know of the preparation, a line each. linked: it has made links. forcefiles: which there must be.
STAGE: Final = "stage"
SKIPTO: Final = "skipto"
NOTES: Final = "notes"
LINKED: Final = "linked"
FORCEFILES: Final = "forcefiles"
ENVIRONMENT: Final = "environment.sh"
#: Stages that the script writes down, in order.
STAGES: Final = RUN_STAGES
#: Whoever only looks at a lock keeps it for a moment; another run keeps it for hours (seconds).
_LOCK_WAIT: Final = 10

_SCRIPT: Final = """\
#!/bin/bash
# Post-processing run {number} of season {season}: written by desgw-daemon, started by it once.
desgw_run={run}
desgw_say() {{ printf '%s\\n' "$2" > "$desgw_run/$1.part" && mv "$desgw_run/$1.part" "$desgw_run/$1"; }}
desgw_note() {{ printf '%s\\n' "$1"; printf '%s\\n' "$1" >> "$desgw_run/notes"; }}
# Held by this process, by run_postproc.py that it becomes, and by whatever that leaves running.
desgw_lock() {{
    [ -L "$1" ] && {{ echo "$1 is a link: take it away"; exit 1; }}
    [ -e "$1" ] || (umask 0; : >> "$1")
    {{ exec {{desgw_fd}}<> "$1"; }} 2> /dev/null || exec {{desgw_fd}}< "$1" || exit 1
    flock -w {lock_wait} "$desgw_fd" || {{ echo "$1 is held by $(cat "$1")"; exit 1; }}
    {{ printf 'run {number} of season {season}, process %s on %s, %s\\n' $$ "$HOSTNAME" "$desgw_run" > "$1"; }} \\
        2> /dev/null
}}
cd {postprocessing} || exit 1
desgw_say stage lock
desgw_lock {folder_lock}
desgw_lock {host_lock}
desgw_say stage setup
source {setup}
# The set-up goes through every postproc_*.ini of the folder and leaves the last season set.
export SEASON={season}
for desgw_name in ${{!TOPDIR_SNFORCEPHOTO_@}}; do
    if [[ ${{!desgw_name}} =~ ^(.*/)dp([0-9]+)/*$ && ${{BASH_REMATCH[2]}} != "$SEASON" ]]; then
        export "$desgw_name=${{BASH_REMATCH[1]}}dp$SEASON"
        desgw_note "{setup_name} left $desgw_name of season ${{BASH_REMATCH[2]}} set: it is of season $SEASON now"
    fi
done
export PYTHONUNBUFFERED=1
if [ -z "$ROOTDIR" ] || [ -z "$TOPDIR_SNFORCEPHOTO_IMAGES" ]; then
    echo "{setup_name} set no ROOTDIR or no TOPDIR_SNFORCEPHOTO_IMAGES"
    exit 1
fi
{environment}{links}{trial}{aside}{curves}desgw_say stage program
ln -sfn {output} postproc_run.out.{season} && mv -T postproc_run.out.{season} postproc_run.out
exec {python} {program} ${{desgw_skipto:+--SKIPTO "$desgw_skipto"}} --outputdir {outdir} --season {season} \\
    > {output} 2>&1
"""
#: What step 5 sources, ncore times at once, when other ini files lie in the folder: the set-up would hand their
#: seasons about in one file. In posix mode bash writes what any sh reads.
_ENVIRONMENT: Final = """\
desgw_part=$desgw_run/environment.sh.part
(umask 077 && set -o posix && export -p | grep -vE '^export (PWD|OLDPWD|SHLVL|_)=' > "$desgw_part") &&
    mv "$desgw_part" "$desgw_run/environment.sh" || exit 1
"""
_LINKS: Final = """\
desgw_say stage links
desgw_top=$TOPDIR_SNFORCEPHOTO_IMAGES
desgw_update() {{
    timeout {seconds} {command} || {{ echo "{name} ended with $?"; exit 1; }}
    desgw_updated=yes
}}
# Which of the files that must be there have no link to them. It exits 0 on a tree that is not there.
desgw_check() {{
    cut -f 1 "$desgw_run/forcefiles" | sort -u | while read -r desgw_nite; do
        [ -d "$desgw_top/$desgw_nite" ] || continue
        find "$desgw_top/$desgw_nite/" -maxdepth 1 -type l -printf "$desgw_nite\\t%f\\t%l\\n"
    done > "$desgw_run/links"
    awk -F '\\t' -v season={season} -v missing="$desgw_run/links.missing" -v extra="$desgw_run/links.extra" '
        BEGIN {{ printf "" > missing; printf "" > extra }}
        FILENAME == ARGV[1] {{
            expected[$1 FS $3] = 1; total[$2]++
            wanted[$1 FS $3] = "/dp" season "/" $1 "/" $2 "/" $3; of[$1 FS $3] = $2; next
        }}
        {{
            key = $1 FS $2; tail = wanted[key]
            if (key in expected) {{
                if (substr($3, length($3) - length(tail) + 1) == tail) {{ linked[of[key]]++; delete expected[key] }}
            }} else if ($2 ~ /^\\*\\./ || (match($2, /_[0-9]+_/) && substr($2, RSTART + 1, RLENGTH - 2) in total))
                print $1 "/" $2 > extra
        }}
        END {{
            for (key in expected) {{ split(key, part, FS); print part[1] "/" of[key] "/" part[2] > missing }}
            for (expnum in total) if (linked[expnum] < total[expnum])
                print (linked[expnum] > {fraction} * total[expnum] ? "some" : "few") FS expnum FS linked[expnum] + 0 \\
                    " of " total[expnum]
        }}' "$desgw_run/forcefiles" "$desgw_run/links" | sort > "$desgw_run/links.lacking"
}}
desgw_lacking() {{  # some or few: the exposures of which only so many files are linked
    awk -F '\\t' -v kind="$1" '$1 == kind && n++ < 10 {{ printf "%s%s (%s)", (n > 1 ? ", " : ""), $2, $3 }}
        END {{ if (n > 10) printf " and %d more", n - 10 }}' "$desgw_run/links.lacking"
}}
{update}desgw_check
{again}# A link named *.fits is what an empty folder leaves; one that leads nowhere, a file that has gone.
desgw_gone=0
while read -r desgw_name; do
    [ -e "$desgw_top/$desgw_name" ] || {{ rm -f "$desgw_top/$desgw_name" && desgw_gone=$((desgw_gone + 1)); }}
done < "$desgw_run/links.extra"
[ "$desgw_gone" = 0 ] || desgw_note "links below $desgw_top that led nowhere were taken away: $desgw_gone"
if grep -q ^few "$desgw_run/links.lacking"; then
    desgw_words="forcephoto files are not linked below $desgw_top: $(desgw_lacking few); links.missing in the run's"
    desgw_words+=" folder names each"
    {few}
fi
if grep -q ^some "$desgw_run/links.lacking"; then
    desgw_note "single forcephoto files are not linked below $desgw_top: $(desgw_lacking some); links.missing in the\
 run's folder names each"
fi
[ -z "$desgw_updated" ] || desgw_say linked yes
"""
_AGAIN: Final = """\
if [ -s "$desgw_run/links.lacking" ] && [ -z "$desgw_updated" ]; then
    desgw_update
    desgw_check
fi
"""
_TRIAL: Final = """\
desgw_say stage trial
desgw_skipto={skipto}
# A start above 0 reads a FITS file with a CSV reader, and may die of its bytes: tried beforehand.
if [ -n "$desgw_skipto" ] &&
    ! {python} -c 'import sys, pandas; pandas.read_csv(sys.argv[1])' {table} > "$desgw_run/trial.out" 2>&1; then
    echo "{table_name} cannot be read as run_postproc.py reads it (see trial.out): from scratch"
    desgw_skipto=
fi
desgw_say skipto "${{desgw_skipto:-0}}"
"""
#: Step 0 does not look again at what an old list calls good.
_ASIDE: Final = """\
if [ -z "$desgw_skipto" ] && [ -e {good} ]; then
    mv -T {good} {good_aside} || exit 1
    desgw_note "an old list of exposures that need no look ({good_name}) was put aside: it is {good_aside_name} now"
fi
"""
#: Step 5 counts light curves until there are as many as candidates: old ones keep it from waiting for new ones. An
#: empty folder takes their place, so that nothing depends on who makes it. One that is a link leads to where somebody
#: wants them, and stays.
_CURVES: Final = """\
if [ "${{desgw_skipto:-0}}" -le 5 ] &&
    [ -n "$(find -H {curves} -maxdepth 1 -name '*.dat' -print -quit 2> /dev/null)" ]; then
    if [ ! -L {curves} ] && mv -T {curves} {curves_aside}; then
        mkdir -m "$(stat -c %a {curves_aside})" {curves} || exit 1
        desgw_note "old light curves ({curves_name}) were put aside, or step 5 would not wait for new ones: they are in\
 {curves_aside_name} now"
    else
        desgw_note "old light curves stay in {curves_name}, which is a link or cannot be renamed: step 5 does not wait\
 for new ones; compare their times with the run's"
    fi
fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a script is made of. Paths are full, but for outdir and what is in it, which the folder may be before.

    light_curves: their folder; None when the ini names none of its own.

    links: the command, with its arguments. update: whether it runs first; "never": not even when links are missing.
    linked_fraction: an exposure of which no more than this is linked stops the start.
    own_environment: leave a file for step 5, that says this season and no other.
    """

    number: int
    season: int
    skipto: int
    run: Path
    folder: Path
    folder_lock: Path
    host_lock: Path
    setup: Path
    python: str
    program: Path
    outdir: str
    output: str
    table: str
    goodfile: str
    light_curves: str | None
    links: Sequence[str]
    update: Literal["first", "if-missing", "never"]
    linked_fraction: float
    links_timeout: timedelta
    own_environment: bool


def script_of(start: Start) -> str:
    """The text of start.sh."""
    quoted = {
        "run": str(start.run),
        "postprocessing": str(start.folder),
        "folder_lock": str(start.folder_lock),
        "host_lock": str(start.host_lock),
        "setup": str(start.setup),
        "python": start.python,
        "program": str(start.program),
        "outdir": start.outdir,
        "output": start.output,
    }
    words = {name: shlex.quote(value) for name, value in quoted.items()}
    aside = f"{start.goodfile}.before_run_{start.number}"
    return _SCRIPT.format(
        **words,
        number=start.number,
        season=start.season,
        lock_wait=_LOCK_WAIT,
        setup_name=_for_echo(start.setup.name),
        environment=_ENVIRONMENT if start.own_environment else "",
        links=_links(start),
        trial=_TRIAL.format(
            skipto=start.skipto or "",
            python=words["python"],
            table=shlex.quote(start.table),
            table_name=_for_echo(start.table),
        ),
        aside=_ASIDE.format(
            good=shlex.quote(start.goodfile),
            good_aside=shlex.quote(aside),
            good_name=_for_echo(start.goodfile),
            good_aside_name=_for_echo(aside),
        ),
        curves="" if start.light_curves is None else _curves(start.light_curves, start.number),
    )


def _curves(folder: str, number: int) -> str:
    aside = f"{folder}.before_run_{number}"
    return _CURVES.format(
        curves=shlex.quote(folder),
        curves_aside=shlex.quote(aside),
        curves_name=_for_echo(folder),
        curves_aside_name=_for_echo(aside),
    )


def _links(start: Start) -> str:
    return _LINKS.format(
        season=start.season,
        seconds=round(start.links_timeout.total_seconds()) or 1,
        command=shlex.join(start.links),
        name=_for_echo(start.links[0]),
        fraction=start.linked_fraction,
        update="desgw_update\n" if start.update == "first" else "",
        again="" if start.update == "never" else _AGAIN,
        # Whoever has said "never" sees to the links by other means.
        few='desgw_note "$desgw_words"' if start.update == "never" else 'echo "$desgw_words"; exit 1',
    )


def _for_echo(text: str) -> str:
    """A name that is safe between double quotes in bash; it is only shown to people."""
    return "".join(c if c.isalnum() or c in "./_-+" else "?" for c in text)
