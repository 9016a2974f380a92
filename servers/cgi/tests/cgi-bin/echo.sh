#!/bin/sh
# Answers with the request's body, as it reads it.
printf 'Content-Type: application/octet-stream\n\n'
cat
