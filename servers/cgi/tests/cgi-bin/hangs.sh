#!/bin/sh
# Writes what the query holds and then nothing more, with a process of its own beside it. Both have FIFO open.
exec 3>"$FIFO"
printf '%s' "$QUERY_STRING" | tr + '\n'
sleep 1000 &
sleep 1000
