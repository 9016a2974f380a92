#!/bin/sh
# Writes more than any buffer holds before it reads anything.
printf 'Content-Type: text/plain\n\n'
head -c 3000000 /dev/zero | tr '\0' x
wc -c
