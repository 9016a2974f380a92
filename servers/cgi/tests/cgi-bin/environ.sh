#!/bin/sh
# What it was started with: its arguments, its directory, its environment.
printf 'Content-Type: text/plain\n\n'
printf 'args=%s\n' "$*"
printf 'pwd=%s\n' "$(pwd)"
env | sort
