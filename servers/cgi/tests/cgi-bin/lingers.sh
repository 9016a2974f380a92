#!/bin/sh
# Has work left behind its response, of which FIFO tells the end.
exec 3>"$FIFO"
printf 'Content-Type: text/plain\nContent-Length: 4\n\ndone'
exec >/dev/null 2>&1
cat "$RELEASE" >&3
