#!/bin/sh
# Answers with the head that the query holds: `+` is the end of a line.
printf '%s' "$QUERY_STRING" | tr + '\n'
