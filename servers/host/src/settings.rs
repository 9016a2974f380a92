//! What a server is set to: where it listens, what it speaks there, its limits.

use std::net::IpAddr;
use std::path::PathBuf;

use tracing::level_filters::LevelFilter;
use wgi_ajp::Ajp;
use wgi_engine::{Address, BindOptions, Options, Peers};
use wgi_fastcgi::FastCgi;
use wgi_http::Http;
use wgi_scgi::Scgi;
use wgi_uwsgi::Uwsgi;

use crate::Given;

/// What a server is set to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Where to listen, and what is spoken there.
    pub listeners: Vec<Listen>,
    /// How sockets are made.
    pub bind: BindOptions,
    /// The limits and timeouts of every protocol.
    pub engine: Options,
    /// The limits of HTTP.
    pub http: Http,
    /// Where the certificate of HTTPS is.
    pub tls: TlsFiles,
    /// The limits of FastCGI, and where the application is mounted.
    pub fastcgi: FastCgi,
    /// The limit of SCGI, and where the application is mounted.
    pub scgi: Scgi,
    /// The limit of uwsgi, and where the application is mounted.
    pub uwsgi: Uwsgi,
    /// The limits of AJP, its dialect, and where the application is mounted.
    pub ajp: Ajp,
    /// The file with the secret of AJP: one line, or bytes without a line's end. It is read when AJP is listened for.
    pub ajp_secret_file: Option<PathBuf>,
    /// Which peers begin a connection with a header of the PROXY protocol, on every listener; none by default.
    pub proxies: Peers,
    /// The longest such header in bytes.
    pub max_proxy_header: usize,
    /// Which peers may connect to descriptor 0 (`FCGI_WEB_SERVER_ADDRS`); everybody where there are none.
    pub web_servers: Option<Vec<IpAddr>>,
    /// Puts the validator around the application.
    pub lint: bool,
    /// How much is logged.
    pub log: LevelFilter,
    /// What was given of the program's own options.
    pub own: Given,
}

/// Files of PEM for HTTPS. They are read when the server starts, when they change, and on SIGHUP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The certificate, and those that lead to its authority behind it.
    pub certificate: Option<PathBuf>,
    /// Its key; where there is none, it stands in the file of the certificate.
    pub key: Option<PathBuf>,
    /// The authorities of clients; where there is none, clients are asked for no certificate.
    pub client_ca: Option<PathBuf>,
    /// A client without a certificate is turned away.
    pub client_required: bool,
}

/// One place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// What is spoken there.
    pub protocol: Protocol,
    /// Where.
    pub at: Place,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At an address.
    Address(Address),
    /// On the socket that is descriptor 0.
    Stdin,
    /// On a socket that a service manager passed on: the first is 0.
    Socket(usize),
}

/// A wire protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1 and HTTP/1.0.
    Http,
    /// HTTP within TLS; only in a program that was built with the feature `tls`.
    Https,
    /// FastCGI 1.0.
    FastCgi,
    /// SCGI.
    Scgi,
    /// The uwsgi protocol.
    Uwsgi,
    /// AJP 1.3.
    Ajp,
}

impl Protocol {
    /// Every protocol that this program was built with.
    pub const ALL: &[Protocol] = &[
        Protocol::Http,
        #[cfg(feature = "tls")]
        Protocol::Https,
        Protocol::FastCgi,
        Protocol::Scgi,
        Protocol::Uwsgi,
        Protocol::Ajp,
    ];

    /// Its name in options, in `LISTEN_FDNAMES` and as a URL's scheme.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::FastCgi => "fastcgi",
            Protocol::Scgi => "scgi",
            Protocol::Uwsgi => "uwsgi",
            Protocol::Ajp => "ajp",
        }
    }

    /// The protocol of a socket with this name, as a service manager gives it: a protocol's name, alone or with
    /// something behind it that starts with neither a letter nor a digit. So `http`, `http-admin` and `http.socket`
    /// are HTTP. None for any other name.
    ///
    /// ```
    /// use wgi_host::Protocol;
    ///
    /// assert_eq!(Protocol::of_socket("fastcgi-internal"), Some(Protocol::FastCgi));
    /// assert_eq!(Protocol::of_socket("bookshelf.socket"), None);
    /// ```
    pub fn of_socket(name: &str) -> Option<Protocol> {
        let name = leading_word(name);
        Protocol::ALL.iter().copied().find(|protocol| protocol.name() == name)
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listeners: Vec::new(),
            bind: BindOptions::default(),
            engine: Options::default(),
            http: Http::default(),
            tls: TlsFiles::default(),
            fastcgi: FastCgi::default(),
            scgi: Scgi::default(),
            uwsgi: Uwsgi::default(),
            ajp: Ajp::default(),
            ajp_secret_file: None,
            proxies: Peers::default(),
            max_proxy_header: 4096,
            web_servers: None,
            lint: false,
            log: LevelFilter::INFO,
            own: Given::default(),
        }
    }
}

/// A name up to the first character that is neither a letter nor a digit.
pub(crate) fn leading_word(name: &str) -> &str {
    name.split(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or_default()
}
