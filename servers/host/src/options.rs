//! The options, as one table: a row has an option's name, its value, its help, its default, and what it sets. The
//! command line, the environment variables and `--help` are read from it.

use std::ffi::OsStr;

use wgi_ajp::Dialect;
use wgi_ajp::packet::{MAX_PACKET_SIZE, PACKET_SIZE};
use wgi_engine::Address;

use crate::values::{Wrong, duration, flag, memory, mode, number, size, text, variable};
use crate::{Listen, Place, Protocol, Settings};

/// One option.
pub(crate) struct Opt {
    /// Its name without the dashes.
    pub(crate) name: &'static str,
    /// What its value is called in the help; none for one that takes no value.
    pub(crate) value: Option<&'static str>,
    pub(crate) group: Group,
    /// Its default as it could be given; empty where there is none, or where the help speaks of it.
    pub(crate) default: &'static str,
    pub(crate) help: &'static str,
    /// How often it can be given.
    pub(crate) times: Times,
    pub(crate) set: fn(&mut Settings, &OsStr) -> Result<(), Wrong>,
}

/// Under which heading an option stands in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Listening,
    Application,
    Limits,
    Timeouts,
}

impl Group {
    pub(crate) const ALL: [Group; 4] = [Group::Listening, Group::Application, Group::Limits, Group::Timeouts];
}

/// How often an option can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// Once; of several, the last counts. Its environment variable has one value.
    Once,
    /// Any number of times. Its environment variable has the values with commas between them.
    Each,
    /// Any number of times, on the command line alone.
    EachArgument,
}

impl Opt {
    /// The environment variable that stands for it.
    pub(crate) fn variable(&self) -> Option<String> {
        let is_variable = self.times != Times::EachArgument;
        is_variable.then(|| format!("WGI_{}", self.name.to_ascii_uppercase().replace('-', "_")))
    }

    pub(crate) fn named(name: &str) -> Option<&'static Opt> {
        OPTIONS.iter().find(|option| option.name == name)
    }
}

/// Sets one member from its value.
macro_rules! set {
    ($parse:ident, $($member:ident).+) => {
        |settings, value| {
            settings.$($member).+ = $parse(value)?;
            Ok(())
        }
    };
}

pub(crate) const OPTIONS: &[Opt] = &[
    Opt {
        name: "http",
        value: Some("ADDRESS"),
        group: Group::Listening,
        default: "",
        help: "listen for HTTP",
        times: Times::Each,
        set: |settings, value| listen(settings, Protocol::Http, value),
    },
    #[cfg(feature = "tls")]
    Opt {
        name: "https",
        value: Some("ADDRESS"),
        group: Group::Listening,
        default: "",
        help: "listen for HTTP within TLS",
        times: Times::Each,
        set: |settings, value| listen(settings, Protocol::Https, value),
    },
    #[cfg(feature = "tls")]
    Opt {
        name: "tls-certificate",
        value: Some("FILE"),
        group: Group::Listening,
        default: "",
        help: "HTTPS: the certificate and what leads to its authority (PEM)",
        times: Times::Once,
        set: |settings, value| {
            settings.tls.certificate = Some(value.into());
            Ok(())
        },
    },
    #[cfg(feature = "tls")]
    Opt {
        name: "tls-key",
        value: Some("FILE"),
        group: Group::Listening,
        default: "",
        help: "HTTPS: its key (PEM); by default in the same file",
        times: Times::Once,
        set: |settings, value| {
            settings.tls.key = Some(value.into());
            Ok(())
        },
    },
    #[cfg(feature = "tls")]
    Opt {
        name: "tls-client-ca",
        value: Some("FILE"),
        group: Group::Listening,
        default: "",
        help: "HTTPS: ask clients for a certificate of these authorities",
        times: Times::Once,
        set: |settings, value| {
            settings.tls.client_ca = Some(value.into());
            Ok(())
        },
    },
    #[cfg(feature = "tls")]
    Opt {
        name: "tls-client-required",
        value: None,
        group: Group::Listening,
        default: "",
        help: "HTTPS: turn away clients that have none",
        times: Times::Once,
        set: set!(flag, tls.client_required),
    },
    Opt {
        name: "fastcgi",
        value: Some("ADDRESS"),
        group: Group::Listening,
        default: "",
        help: "listen for FastCGI",
        times: Times::Each,
        set: |settings, value| listen(settings, Protocol::FastCgi, value),
    },
    Opt {
        name: "scgi",
        value: Some("ADDRESS"),
        group: Group::Listening,
        default: "",
        help: "listen for SCGI",
        times: Times::Each,
        set: |settings, value| listen(settings, Protocol::Scgi, value),
    },
    Opt {
        name: "uwsgi",
        value: Some("ADDRESS"),
        group: Group::Listening,
        default: "",
        help: "listen for the uwsgi protocol",
        times: Times::Each,
        set: |settings, value| listen(settings, Protocol::Uwsgi, value),
    },
    Opt {
        name: "ajp",
        value: Some("ADDRESS"),
        group: Group::Listening,
        default: "",
        help: "listen for AJP; not on loopback, with a secret alone",
        times: Times::Each,
        set: |settings, value| listen(settings, Protocol::Ajp, value),
    },
    Opt {
        name: "ajp-secret-file",
        value: Some("FILE"),
        group: Group::Listening,
        default: "",
        help: "AJP: the secret that the web server has to send",
        times: Times::Once,
        set: |settings, value| {
            settings.ajp_secret_file = Some(value.into());
            Ok(())
        },
    },
    Opt {
        name: "ajp-dialect",
        value: Some("NAME"),
        group: Group::Listening,
        default: "standard",
        help: "AJP: behind lighttpd, which has one of its own: lighttpd",
        times: Times::Once,
        set: |settings, value| {
            let dialect = match text(value)? {
                "standard" => Dialect::Standard,
                "lighttpd" => Dialect::Lighttpd,
                name => return Err(format!("`{name}` is no dialect; write standard or lighttpd")),
            };
            settings.ajp = settings.ajp.clone().dialect(dialect);
            Ok(())
        },
    },
    Opt {
        name: "proxy-protocol-from",
        value: Some("PEERS"),
        group: Group::Listening,
        default: "",
        help: "proxies that begin each connection with a PROXY header",
        times: Times::Each,
        set: |settings, value| {
            settings.proxies.extend(text(value)?.parse()?);
            Ok(())
        },
    },
    Opt {
        name: "socket-mode",
        value: Some("MODE"),
        group: Group::Listening,
        default: "",
        help: "permissions of Unix sockets, as 660; by default what the umask leaves",
        times: Times::Once,
        set: |settings, value| {
            settings.bind.unix_mode = Some(mode(value)?);
            Ok(())
        },
    },
    Opt {
        name: "backlog",
        value: Some("N"),
        group: Group::Listening,
        default: "4096",
        help: "connections that may wait to be accepted",
        times: Times::Once,
        set: |settings, value| {
            settings.bind.backlog = number(value, 1)?;
            Ok(())
        },
    },
    Opt {
        name: "threads",
        value: Some("N"),
        group: Group::Application,
        default: "",
        help: "requests worked on at once; by default 32, or 8 for each core if more",
        times: Times::Once,
        set: |settings, value| {
            settings.engine.threads = number(value, 1)?;
            Ok(())
        },
    },
    Opt {
        name: "environ",
        value: Some("NAME=VALUE"),
        group: Group::Application,
        default: "",
        help: "add a variable to the environ of every request",
        times: Times::EachArgument,
        set: |settings, value| {
            let (name, value) = variable(value)?;
            settings.engine.variables.set(name, value);
            Ok(())
        },
    },
    Opt {
        name: "script-name",
        value: Some("PATH"),
        group: Group::Application,
        default: "",
        help: "where it is mounted (not HTTP); by default what the web server says",
        times: Times::Once,
        set: |settings, value| match text(value)? {
            path if path.is_empty() || path.starts_with('/') => {
                settings.fastcgi = settings.fastcgi.clone().script_name(path);
                settings.scgi = settings.scgi.clone().script_name(path);
                settings.uwsgi = settings.uwsgi.clone().script_name(path);
                settings.ajp = settings.ajp.clone().script_name(path);
                Ok(())
            }
            path => Err(format!("`{path}` does not start with a slash")),
        },
    },
    Opt {
        name: "multiprocess",
        value: None,
        group: Group::Application,
        default: "",
        help: "tell it that other processes serve it too",
        times: Times::Once,
        set: set!(flag, engine.multiprocess),
    },
    Opt {
        name: "lint",
        value: None,
        group: Group::Application,
        default: "",
        help: "check it against the specification, and fail what breaks that",
        times: Times::Once,
        set: set!(flag, lint),
    },
    Opt {
        name: "log",
        value: Some("LEVEL"),
        group: Group::Application,
        default: "info",
        help: "what goes to standard error: off, error, warn, info, debug",
        times: Times::Once,
        set: |settings, value| {
            let level = text(value)?;
            settings.log = match level {
                "off" | "error" | "warn" | "info" | "debug" | "trace" => level.parse().map_err(|_| "no level")?,
                _ => return Err(format!("`{level}` is no level; write off, error, warn, info or debug")),
            };
            Ok(())
        },
    },
    Opt {
        name: "max-connections",
        value: Some("N"),
        group: Group::Limits,
        default: "50000",
        help: "open connections; further ones wait",
        times: Times::Once,
        set: |settings, value| {
            settings.engine.max_connections = number(value, 1)?;
            settings.fastcgi = settings.fastcgi.clone().max_connections(settings.engine.max_connections);
            Ok(())
        },
    },
    Opt {
        name: "max-body",
        value: Some("SIZE"),
        group: Group::Limits,
        default: "2G",
        help: "the body of a request",
        times: Times::Once,
        set: set!(size, engine.max_body),
    },
    Opt {
        name: "body-buffer",
        value: Some("SIZE"),
        group: Group::Limits,
        default: "64K",
        help: "of a body, what is collected before the application is called",
        times: Times::Once,
        set: set!(memory, engine.body_buffer),
    },
    Opt {
        name: "max-drain",
        value: Some("SIZE"),
        group: Group::Limits,
        default: "256K",
        help: "how much of an unread body is dropped to keep a connection",
        times: Times::Once,
        set: set!(size, engine.max_drain),
    },
    Opt {
        name: "min-body-rate",
        value: Some("SIZE"),
        group: Group::Limits,
        default: "256",
        help: "how fast a body must come, each second; 0 for any rate",
        times: Times::Once,
        set: set!(size, engine.min_body_rate),
    },
    Opt {
        name: "max-head",
        value: Some("SIZE"),
        group: Group::Limits,
        default: "32K",
        help: "HTTP: the head of a request",
        times: Times::Once,
        set: |settings, value| {
            settings.http = settings.http.clone().max_head(memory(value)?);
            Ok(())
        },
    },
    Opt {
        name: "max-fields",
        value: Some("N"),
        group: Group::Limits,
        default: "100",
        help: "HTTP, AJP: header fields of a request",
        times: Times::Once,
        set: |settings, value| {
            let fields = number(value, 1)?;
            settings.http = settings.http.clone().max_fields(fields);
            settings.ajp = settings.ajp.clone().max_fields(fields);
            Ok(())
        },
    },
    Opt {
        name: "max-target",
        value: Some("SIZE"),
        group: Group::Limits,
        default: "8K",
        help: "HTTP: the target of a request",
        times: Times::Once,
        set: |settings, value| {
            settings.http = settings.http.clone().max_target(memory(value)?);
            Ok(())
        },
    },
    Opt {
        name: "max-proxy-header",
        value: Some("SIZE"),
        group: Group::Limits,
        default: "4K",
        help: "the header of a proxy",
        times: Times::Once,
        set: set!(memory, max_proxy_header),
    },
    Opt {
        name: "max-params",
        value: Some("SIZE"),
        group: Group::Limits,
        default: "64K",
        help: "FastCGI, SCGI, uwsgi: the variables of a request",
        times: Times::Once,
        set: |settings, value| {
            let bytes = memory(value)?;
            settings.fastcgi = settings.fastcgi.clone().max_params(bytes);
            settings.scgi = settings.scgi.clone().max_head(bytes);
            settings.uwsgi = settings.uwsgi.clone().max_vars(bytes);
            Ok(())
        },
    },
    Opt {
        name: "ajp-packet-size",
        value: Some("SIZE"),
        group: Group::Limits,
        default: "8K",
        help: "AJP: a packet, as the web server has it; up to 64K",
        times: Times::Once,
        set: |settings, value| match memory(value)? {
            bytes @ PACKET_SIZE..=MAX_PACKET_SIZE => {
                settings.ajp = settings.ajp.clone().packet_size(bytes);
                Ok(())
            }
            bytes => Err(format!("a packet of AJP has 8K to 64K, and not {bytes} bytes")),
        },
    },
    Opt {
        name: "max-requests",
        value: Some("N"),
        group: Group::Limits,
        default: "64",
        help: "FastCGI: requests that are open at once on a connection",
        times: Times::Once,
        set: |settings, value| {
            settings.fastcgi = settings.fastcgi.clone().max_requests(number(value, 1)?);
            Ok(())
        },
    },
    Opt {
        name: "head-timeout",
        value: Some("TIME"),
        group: Group::Timeouts,
        default: "15s",
        help: "for the head of a request, from its first byte",
        times: Times::Once,
        set: set!(duration, engine.head_timeout),
    },
    Opt {
        name: "body-timeout",
        value: Some("TIME"),
        group: Group::Timeouts,
        default: "30s",
        help: "for a pause within the body of a request",
        times: Times::Once,
        set: set!(duration, engine.body_timeout),
    },
    Opt {
        name: "keep-alive-timeout",
        value: Some("TIME"),
        group: Group::Timeouts,
        default: "60s",
        help: "for a connection between two requests",
        times: Times::Once,
        set: set!(duration, engine.keep_alive_timeout),
    },
    Opt {
        name: "write-timeout",
        value: Some("TIME"),
        group: Group::Timeouts,
        default: "60s",
        help: "for a peer that does not read its response",
        times: Times::Once,
        set: set!(duration, engine.write_timeout),
    },
    Opt {
        name: "linger-timeout",
        value: Some("TIME"),
        group: Group::Timeouts,
        default: "2s",
        help: "for a peer that was refused, to read why",
        times: Times::Once,
        set: set!(duration, engine.linger_timeout),
    },
    Opt {
        name: "last-request-timeout",
        value: Some("TIME"),
        group: Group::Timeouts,
        default: "1s",
        help: "for a last request on a kept connection, once it is to stop",
        times: Times::Once,
        set: set!(duration, engine.last_request_timeout),
    },
    Opt {
        name: "stop-timeout",
        value: Some("TIME"),
        group: Group::Timeouts,
        default: "30s",
        help: "for requests in flight, once the server is to stop",
        times: Times::Once,
        set: set!(duration, engine.stop_timeout),
    },
];

fn listen(settings: &mut Settings, protocol: Protocol, value: &OsStr) -> Result<(), Wrong> {
    let address: Address = match std::os::unix::ffi::OsStrExt::as_bytes(value).strip_prefix(b"unix:") {
        // A path is bytes.
        Some(path) if !path.is_empty() => {
            let path: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(path);
            Address::Unix(path.into())
        }
        _ => text(value)?.parse()?,
    };
    settings.listeners.push(Listen { protocol, at: Place::Address(address) });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_that_the_help_tells_are_the_defaults() {
        let defaults = format!("{:?}", Settings::default());
        for option in OPTIONS.iter().filter(|option| !option.default.is_empty()) {
            let mut settings = Settings::default();
            (option.set)(&mut settings, OsStr::new(option.default)).unwrap();
            assert_eq!(format!("{settings:?}"), defaults, "{}", option.name);
        }
    }

    #[test]
    fn every_option_sets_something() {
        let defaults = format!("{:?}", Settings::default());
        for option in OPTIONS {
            let value = match option.value {
                None => "1",
                Some("ADDRESS") => "127.0.0.1:0",
                Some("MODE") => "600",
                Some("NAME=VALUE") => "A=b",
                Some("PATH") => "/app",
                Some("PEERS") => "10.0.0.0/8",
                Some("LEVEL") => "error",
                Some("FILE") => "/etc/secret",
                Some("NAME") => "lighttpd",
                Some("SIZE") if option.name == "ajp-packet-size" => "64K",
                Some("N" | "SIZE" | "TIME") => "7",
                Some(other) => panic!("{other}"),
            };
            let mut settings = Settings::default();
            (option.set)(&mut settings, OsStr::new(value)).unwrap();
            assert_ne!(format!("{settings:?}"), defaults, "{}", option.name);
        }
    }
}
