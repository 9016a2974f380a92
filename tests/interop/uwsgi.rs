//! uWSGI's HTTP router, which speaks uwsgi with what is behind it.

use std::process::Command;

use crate::pair::{Pair, probe_at_port};
use crate::process::{Process, find};

const WANTS_LENGTH: &str = "the router passes on no length of a chunked request, and no body";
const ENDS_WITH_CONNECTION: &str =
    "to the router a reset is an end, and the client's connection ends as if all were there";
const UNDERSCORES: &str = "the router makes one variable of both, and no program can tell them apart";

pub(crate) const HTTP_ROUTER: Pair = Pair {
    name: "uwsgi_http_router",
    needs: &["uwsgi", "/usr/lib/uwsgi/plugins/http_plugin.so"],
    prefix: "",
    cannot: &[
        ("upload_chunked", WANTS_LENGTH),
        ("error_later", ENDS_WITH_CONNECTION),
        ("panic_later", ENDS_WITH_CONNECTION),
        ("underscore", UNDERSCORES),
    ],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--uwsgi")?;
        let mut command = Command::new(find("uwsgi").unwrap_or_default());
        command.args(["--master", "--plugins", "http"]);
        command.args(["--http", &address.to_string(), "--http-to", &port.to_string(), "--http-manage-expect"]);
        Ok(vec![Process::start(place, "uwsgi", &mut command)?, probe])
    },
};
