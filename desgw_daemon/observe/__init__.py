"""Facts from outside: disk, lists, outputs. Facts and problems are values; nothing is decided or changed here."""
