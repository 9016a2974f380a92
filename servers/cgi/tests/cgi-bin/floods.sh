#!/bin/sh
# Writes more to its errors stream than any buffer holds, in front of its response.
i=0
while [ $i -lt 20 ]; do
    printf 'line %s\n' $i >&2
    i=$((i + 1))
done
head -c 3000000 /dev/zero >&2
printf 'Content-Type: text/plain\n\nanswered'
