#!/bin/sh
# Ends with an exit status, behind a part of a response.
printf 'Content-Type: text/plain\n\npartial'
exit 3
