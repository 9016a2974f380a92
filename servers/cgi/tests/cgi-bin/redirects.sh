#!/bin/sh
# Sends to another path of this server.
printf 'Location: %s\n\n' "$QUERY_STRING"
