#!/usr/bin/env python3
"""A form in Python: names and values, and a cookie."""
import html, os, sys
from urllib.parse import parse_qsl

body = sys.stdin.buffer.read(int(os.environ.get("CONTENT_LENGTH") or 0)).decode()
print("Content-Type: text/html; charset=utf-8")
print("Set-Cookie: a=1")
print("Set-Cookie: b=2")
print()
for name, value in parse_qsl(os.environ["QUERY_STRING"]) + parse_qsl(body):
    print(f"<p>{html.escape(name)}: {html.escape(value)}")
print(f"<p>{os.environ['REQUEST_METHOD']} {os.environ.get('HTTP_COOKIE')} {os.environ.get('PATH_INFO')}")
