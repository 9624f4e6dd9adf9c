"""Configuration files that are wrong in one way each, with what must be said about it."""

from __future__ import annotations

from typing import NamedTuple


class Bad(NamedTuple):
    """text: the file below a right [paths] section (or the whole file, if it has one of its own).

    key: what the line must name. remedy: words of it that tell what to do.
    """

    name: str
    text: str
    key: str
    remedy: str


RIGHT = '[paths]\nstate = "state"\n'

BAD_FILES = (
    # Unknown names
    Bad("key misspelt", "[poll]\nintervall = 5", "poll.intervall", "did you mean poll.interval?"),
    Bad("key of another section", "[poll]\nsettle = 5", "poll.settle", "did you mean readiness.settle?"),
    Bad(
        "key of two others",
        "[poll]\nprefix = []",
        "poll.prefix",
        "dagmaker.prefix or htcondor.prefix or",
    ),
    Bad("like one elsewhere", "[poll]\nmax_in_fligth = 2", "poll.max_in_fligth", "submit.max_in_flight?"),
    Bad("key like none", "[alerts]\nxyz = 1", "alerts.xyz", "the keys of [alerts] are channels"),
    Bad("key with a dash", "[poll]\ncalls-at-once = 5", "poll.calls-at-once", "did you mean poll.calls_at_once?"),
    Bad("key in capitals", "[poll]\nINTERVAL = 5", "poll.INTERVAL", "did you mean poll.interval?"),
    Bad("section misspelt", "[readyness]\nsettle = 5", "readyness", "did you mean [readiness]?"),
    Bad("section like none", "[xyz]\na = 1", "xyz", "the sections are paths, poll"),
    Bad("section in a section", "[poll.calls]\nx = 1", "poll.calls", "did you mean poll.calls_at_once?"),
    Bad("section a list", "[[poll]]\ninterval = 5", "poll", "write [poll]"),
    Bad("section a number", f"poll = 5\n{RIGHT}", "poll", "write [poll]"),
    Bad("key in no section", f"interval = 5\n{RIGHT}", "interval", "did you mean poll.interval?"),
    # Wrong types
    Bad("text for a number", '[poll]\ncalls_at_once = "5"', "poll.calls_at_once", "a whole number, from 1 to 64"),
    Bad("fraction for a number", "[poll]\ncalls_at_once = 5.0", "poll.calls_at_once", "a whole number"),
    Bad("true for a number", "[poll]\ncalls_at_once = true", "poll.calls_at_once", "a whole number"),
    Bad("true for a fraction", "[poll]\ncalls_per_second = true", "poll.calls_per_second", "must be a number"),
    Bad("number for yes or no", "[postproc]\nauto = 1", "postproc.auto", "true or false"),
    Bad("text for yes or no", '[postproc]\nauto = "yes"', "postproc.auto", "true or false"),
    Bad("number for a path", "[paths]\nstate = 5", "paths.state", "a path in quotes"),
    Bad("list for a path", '[paths]\nstate = ["state"]', "paths.state", "a path in quotes"),
    Bad("text for a command", '[dagmaker]\ncommand = "./D.sh -x"', "dagmaker.command", '["./D.sh", "-x"]'),
    Bad("number in a command", "[dagmaker]\ncommand = [5]", "dagmaker.command", "words in quotes"),
    Bad("table for a command", "[dagmaker]\nprefix = {}", "dagmaker.prefix", "a list of words"),
    Bad("list for a word", '[postproc]\npython = ["python"]', "postproc.python", "a word in quotes"),
    Bad("time of day for a span", "[poll]\ninterval = 01:00:00", "poll.interval", '"90 s"'),
    # Impossible values
    Bad("span without unit", '[poll]\ninterval = "90"', "poll.interval", 'has no unit: write "300 ms"'),
    Bad("span of minutes or months", '[poll]\ninterval = "5 m"', "poll.interval", '"5 min"'),
    Bad("span in words", '[poll]\ninterval = "an hour"', "poll.interval", '"2 h"'),
    Bad("span of two parts", '[poll]\ninterval = "1 h 30 min"', "poll.interval", '"2 h"'),
    Bad("span true", "[poll]\ninterval = true", "poll.interval", '"2 h"'),
    Bad("span negative", '[readiness]\nsettle = "-5 min"', "readiness.settle", "must not be negative"),
    Bad("span zero", "[poll]\ninterval = 0", "poll.interval", "must be 1 ms or longer"),
    Bad("span almost zero", "[poll]\ninterval = 1e-9", "poll.interval", "must be 1 ms or longer"),
    Bad("span endless", "[poll]\ninterval = inf", "poll.interval", '"2 h"'),
    Bad("span no number", "[poll]\nrecheck = nan", "poll.recheck", '"2 h"'),
    Bad("span longer than time", '[poll]\ninterval = "99999999999 d"', "poll.interval", "3650 d or shorter"),
    Bad("span of a lifetime", '[poll]\ninterval = "4000 d"', "poll.interval", "3650 d or shorter"),
    Bad("cap zero", "[submit]\nmax_in_flight = 0", "submit.max_in_flight", "from 1 to 1000"),
    Bad("cap negative", "[dagmaker]\nmax_at_once = -1", "dagmaker.max_at_once", "from 1 to 50"),
    Bad("cap too high", "[poll]\ncalls_at_once = 65", "poll.calls_at_once", "from 1 to 64"),
    Bad("more CCDs than there are", "[readiness]\nmin_complete_ccds = 60", "min_complete_ccds", "from 1 to 59"),
    Bad("fraction above 1", "[readiness]\nmin_forcefile_fraction = 1.1", "forcefile_fraction", "from 0 to 1"),
    Bad("fraction NaN", "[readiness]\nmin_forcefile_fraction = nan", "forcefile_fraction", "finite number, from 0"),
    Bad("rate negative", "[poll]\ncalls_per_second = -1", "poll.calls_per_second", "0 or more"),
    Bad("rate endless", "[poll]\ncalls_per_second = inf", "poll.calls_per_second", "finite number"),
    Bad("step that is none", "[postproc]\nmax_skipto = 9", "postproc.max_skipto", "from 0 to 7"),
    Bad("engine unknown", '[submit]\nengine = "slurm"', "submit.engine", 'must be "jobsub", "htcondor" or "local"'),
    Bad("level unknown", '[log]\nlevel = "LOUD"', "log.level", '"DEBUG", "INFO", "WARNING" or "ERROR"'),
    Bad("choice in capitals", '[readiness]\nsurplus = "Hold"', "readiness.surplus", '"hold" or "ignore"'),
    Bad("path empty", '[paths]\nstate = ""', "paths.state", "is empty"),
    Bad("path with a blank", '[paths]\nstate = "my state"', "paths.state", "holds a blank"),
    Bad("path with a newline", '[paths]\nstate = "a\\nb"', "paths.state", "holds a newline"),
    Bad("path with a NUL", '[paths]\nstate = "a\\u0000b"', "paths.state", "a NUL"),
    Bad("path of an unknown user", '[paths]\nstate = "~nobody-knows-me/x"', "paths.state", "unknown user"),
    Bad("inner path empty", '[postproc]\ntemplate = ""', "postproc.template", "is empty"),
    Bad("command of no words", "[dagmaker]\ncommand = []", "dagmaker.command", "at least one word"),
    Bad(
        "command with a blank word", '[dagmaker]\ncommand = ["a b"]', "dagmaker.command", "each word stands on its own"
    ),
    Bad("command with an empty word", '[dagmaker]\nprefix = ["a", ""]', "dagmaker.prefix", "is empty"),
    Bad("command with a newline", '[dagmaker]\ncommand = ["a\\nb"]', "dagmaker.command", "holds a newline"),
    Bad("python of two words", '[postproc]\npython = "python -u"', "postproc.python", "must be one word"),
    # Values that cannot stand together
    Bad("two paths the same", f'{RIGHT}pnfs = "a"\nworkflow = "a/"', "paths.workflow", "the same folder as paths.pnfs"),
    Bad("state is pnfs", f'{RIGHT}pnfs = "x/../state"', "paths.pnfs", "the same folder as paths.state"),
    Bad("state inside pnfs", '[paths]\nstate = "pnfs/state"\npnfs = "pnfs"', "paths.state", "on a local disk"),
    Bad("log over the database", '[log]\nfile = "desgw.db"', "log.file", "choose another name"),
    Bad("log over the state folder", '[log]\nfile = "."', "log.file", "choose another name"),
    Bad("log inside pnfs", f'{RIGHT}pnfs = "pnfs"\n[log]\nfile = "../pnfs/x.log"', "log.file", "on a local disk"),
    # The file as a whole
    Bad("no state", "[paths]\n", "paths.state", 'state = "/var/lib/desgw-daemon" under [paths]'),
    Bad("comments only", "# nothing\n# yet", "paths.state", "is missing"),
    Bad("syntax", f"{RIGHT}[poll\ninterval = 5", "line 3", "mend the line"),
    Bad("text not ended", f'{RIGHT}pnfs = "x', "line 3", "mend the line"),
    Bad("list not ended", f"{RIGHT}[dagmaker]\nprefix = [", "line 4", "mend the line"),
    Bad("key twice", f"{RIGHT}state = 'b'", "line 3", "mend the line"),
    Bad("section twice", f"{RIGHT}[poll]\n[poll]", "line 4", "mend the line"),
    Bad("no quotes", f"{RIGHT}pnfs = /pnfs", "line 3", "mend the line"),
    Bad("a number without end", f"{RIGHT}[poll]\ninterval = {'9' * 5000}", "is not TOML", "mend the line"),
    Bad("brackets without end", "x = " + "[" * 30000, "brackets", "nested too deeply"),
    Bad("state folder away", '[paths]\nstate = "not/here"', "paths.state", "mkdir -p -m 2775 "),
    Bad("state is a file", '[paths]\nstate = "daemon.toml"', "paths.state", "name another one"),
)


def whole(bad: Bad) -> str:
    """The whole text of the file."""
    has_paths = "[paths]" in bad.text or bad.name in ("comments only", "brackets without end")
    return bad.text if has_paths else RIGHT + bad.text
