"""Python's wsgiref under CGI."""

from wsgiref.handlers import CGIHandler


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, world!"]


CGIHandler().run(hello)
