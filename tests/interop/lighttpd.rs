//! lighttpd: mod_cgi, mod_fastcgi, mod_scgi (which speaks uwsgi too) and mod_proxy.

use std::io;
use std::net::SocketAddr;
use std::process::Command;

use crate::pair::{ITS_OWN_ADDRESS, NO_RESET, ONE_CALL, Pair, probe, probe_at_port, probe_at_socket};
use crate::process::{Place, Process, find};

const MERGES_SLASHES: &str = "lighttpd merges slashes";
const OWN_REASON: &str = "lighttpd has a reason phrase of its own for each status";
const UNDERSCORES: &str = "lighttpd makes one variable of both, and no program can tell them apart";
const IGNORES_STATUS: &str = "lighttpd does not look at how a script ended";
const COMPLETES: &str = "lighttpd makes a whole response of one that breaks off before its head was passed on";
const NO_CODE: &str = "mod_ajp13 answers 400 to a method that has no code, as PATCH";
const NO_LAST_CHUNK: &str = "lighttpd takes the end of a connection for the last chunk, where both come at once";

pub(crate) const CGI: Pair = Pair {
    name: "lighttpd_cgi",
    needs: &["lighttpd"],
    prefix: "/cgi-bin/probe",
    cannot: &[
        ("reason", OWN_REASON),
        ("error_later", IGNORES_STATUS),
        ("panic_later", IGNORES_STATUS),
        ("closes", ONE_CALL),
        ("underscore", UNDERSCORES),
        ("path_double_slash", MERGES_SLASHES),
    ],
    lacks: &[],
    start: |place, address| {
        place.folder("cgi-bin")?;
        place.program("cgi-bin/probe")?;
        let config = format!(
            "server.modules = (\"mod_alias\", \"mod_cgi\")
            alias.url = (\"/cgi-bin/\" => \"{folder}/\")
            $HTTP[\"url\"] =~ \"^/cgi-bin/\" {{ cgi.assign = (\"\" => \"\") }}",
            folder = place.text("cgi-bin")
        );
        Ok(vec![lighttpd(place, address, &config)?])
    },
};

pub(crate) const FASTCGI: Pair = Pair {
    name: "lighttpd_fastcgi",
    needs: &["lighttpd"],
    prefix: "",
    cannot: &[
        ("reason", OWN_REASON),
        ("error_later", COMPLETES),
        ("panic_later", COMPLETES),
        ("underscore", UNDERSCORES),
        ("path_double_slash", MERGES_SLASHES),
    ],
    lacks: &[],
    start: |place, address| {
        let (probe, socket) = probe_at_socket(place, "--fastcgi")?;
        let config = format!(
            "server.modules = (\"mod_fastcgi\")
            fastcgi.server = (\"/\" => ((
                \"socket\" => \"{socket}\", \"check-local\" => \"disable\", \"fix-root-scriptname\" => \"enable\"
            )))"
        );
        Ok(vec![lighttpd(place, address, &config)?, probe])
    },
};

/// lighttpd starts the binary itself, with its listening socket as descriptor 0.
pub(crate) const FASTCGI_BIN_PATH: Pair = Pair {
    name: "lighttpd_fastcgi_bin_path",
    needs: &["lighttpd"],
    prefix: "/app",
    cannot: &[
        ("reason", OWN_REASON),
        ("error_later", COMPLETES),
        ("panic_later", COMPLETES),
        ("underscore", UNDERSCORES),
        ("path_double_slash", MERGES_SLASHES),
    ],
    lacks: &[],
    start: |place, address| {
        let config = format!(
            "server.modules = (\"mod_fastcgi\")
            fastcgi.server = (\"/app\" => ((
                \"bin-path\" => \"{}\", \"socket\" => \"{}\", \"max-procs\" => 1, \"check-local\" => \"disable\"
            )))",
            place.text("probe"),
            place.text("lighttpd.socket")
        );
        Ok(vec![lighttpd(place, address, &config)?])
    },
};

pub(crate) const SCGI: Pair = Pair {
    name: "lighttpd_scgi",
    needs: &["lighttpd"],
    prefix: "",
    cannot: &[
        ("reason", OWN_REASON),
        ("error_later", COMPLETES),
        ("panic_later", COMPLETES),
        ("underscore", UNDERSCORES),
        ("path_double_slash", MERGES_SLASHES),
    ],
    lacks: &[],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--scgi")?;
        let config = format!(
            "server.modules = (\"mod_scgi\")
            scgi.server = (\"/\" => ((
                \"host\" => \"{}\", \"port\" => {}, \"check-local\" => \"disable\", \"fix-root-scriptname\" => \"enable\"
            )))",
            port.ip(),
            port.port()
        );
        Ok(vec![lighttpd(place, address, &config)?, probe])
    },
};

pub(crate) const UWSGI: Pair = Pair {
    name: "lighttpd_uwsgi",
    needs: &["lighttpd"],
    prefix: "/app",
    cannot: &[
        ("reason", OWN_REASON),
        ("error_later", NO_RESET),
        ("panic_later", NO_RESET),
        ("underscore", UNDERSCORES),
        ("path_double_slash", MERGES_SLASHES),
    ],
    lacks: &[],
    start: |place, address| {
        let (probe, socket) = probe_at_socket(place, "--uwsgi")?;
        let config = format!(
            "server.modules = (\"mod_scgi\")
            scgi.protocol = \"uwsgi\"
            scgi.server = (\"/app\" => ((\"socket\" => \"{socket}\", \"check-local\" => \"disable\")))"
        );
        Ok(vec![lighttpd(place, address, &config)?, probe])
    },
};

pub(crate) const PROXY: Pair = Pair {
    name: "lighttpd_proxy",
    needs: &["lighttpd"],
    prefix: "",
    cannot: &[("reason", OWN_REASON), ("error_later", NO_LAST_CHUNK), ("panic_later", NO_LAST_CHUNK)],
    lacks: &[("REMOTE_ADDR", ITS_OWN_ADDRESS)],
    start: |place, address| {
        let (probe, port) = probe_at_port(place, "--http")?;
        let config = format!(
            "server.modules = (\"mod_proxy\")
            proxy.server = (\"\" => ((\"host\" => \"{}\", \"port\" => {})))",
            port.ip(),
            port.port()
        );
        Ok(vec![lighttpd(place, address, &config)?, probe])
    },
};

pub(crate) const AJP: Pair = Pair {
    name: "lighttpd_ajp",
    needs: &["lighttpd"],
    prefix: "",
    cannot: &[
        ("methods", NO_CODE),
        ("reason", OWN_REASON),
        ("error_later", COMPLETES),
        ("panic_later", COMPLETES),
        ("path_double_slash", MERGES_SLASHES),
    ],
    lacks: &[],
    start: |place, address| {
        let mut probe = probe(place, "probe", &["--ajp", "127.0.0.1:0", "--ajp-dialect", "lighttpd"])?;
        let port = probe.await_address()?;
        let config = format!(
            "server.modules = (\"mod_ajp13\")
            ajp13.server = (\"\" => ((\"host\" => \"{}\", \"port\" => {})))",
            port.ip(),
            port.port()
        );
        Ok(vec![lighttpd(place, address, &config)?, probe])
    },
};

pub(crate) fn lighttpd(place: &Place, address: SocketAddr, config: &str) -> io::Result<Process> {
    place.folder("htdocs")?;
    place.folder("uploads")?;
    let config = format!(
        "server.document-root = \"{root}htdocs\"
        server.upload-dirs = (\"{root}uploads\")
        server.bind = \"{}\"
        server.port = {}
        server.errorlog = \"{root}lighttpd-error.log\"
        server.stream-response-body = 1
        server.http-parseopts = (\"url-normalize\" => \"disable\", \"url-ctrls-reject\" => \"disable\",
            \"url-invalid-utf8-reject\" => \"disable\")
        {config}
        ",
        address.ip(),
        address.port(),
        root = place.text("")
    );
    let config = place.write("lighttpd.conf", &config)?;
    let mut command = Command::new(find("lighttpd").unwrap_or_default());
    command.arg("-D").arg("-f").arg(config);
    Process::start(place, "lighttpd", &mut command)
}
