#!/bin/sh
# Does not read the request's body.
printf 'Content-Type: text/plain\n\nignored'
