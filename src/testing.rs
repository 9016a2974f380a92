//! An in-process client: tests an application without a server.
