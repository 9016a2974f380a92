#!/bin/sh
# As hangs.sh, and does not end by SIGTERM.
trap '' TERM
exec 3>"$FIFO"
printf 'Content-Type: text/plain\n\nstarted'
while :; do sleep 1000; done
