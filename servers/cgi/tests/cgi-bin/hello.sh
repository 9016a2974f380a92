#!/bin/sh
# The smallest program.
printf 'Content-Type: text/plain\n\nHello from a shell, %s!\n' "${QUERY_STRING:-whoever you are}"
