"""Telling people: log, alerts, status. Reads and delivers; decides nothing, changes nothing."""
