#!/bin/sh
# Writes the status line itself.
printf 'HTTP/1.0 299 Quite Right\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nnot parsed'
