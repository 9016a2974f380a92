#!/bin/sh
# Writes without end.
exec 3>"$FIFO"
printf 'Content-Type: text/plain\n\n'
while :; do printf 0123456789abcdef; done
