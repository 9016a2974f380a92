//! From settings to a running server.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use listenfd::ListenFd;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wgi::App;
use wgi_ajp::Ajp;
use wgi_engine::{Address, Engine, Listener, ProxyProtocol};

#[cfg(feature = "tls")]
use crate::tls::Certificates;
use crate::{Listen, Place, Protocol, Settings, Started};

/// Serves until it is stopped by a signal.
///
/// # Errors
/// When an address cannot be listened on, or the system refuses what serving takes.
pub(crate) fn serve(app: Arc<dyn App>, settings: Settings, started: Started) -> io::Result<()> {
    log_to_stderr(&settings);
    raise_descriptor_limit();
    tell_of_strange_sockets(&started);
    let mut inherited = started.inherited.unwrap_or_else(ListenFd::empty);
    let mut engine = Engine::new(settings.engine.clone());
    let mut told = Vec::new();
    #[cfg(feature = "tls")]
    let mut certificates = None;
    for Listen { protocol, at } in &settings.listeners {
        let mut listener = match at {
            Place::Address(address) => Listener::bind_with(address, &settings.bind)?,
            Place::Stdin => Listener::from_fd(take_stdin()?)?,
            Place::Socket(index) => inherited_listener(&mut inherited, *index)?,
        };
        if !settings.proxies.is_empty() {
            let proxies = ProxyProtocol::from(settings.proxies.clone()).max_header(settings.max_proxy_header);
            listener = listener.proxied(proxies);
        }
        // Whoever started it with its socket knows, and it may be one of many.
        if *at == Place::Stdin {
            tracing::debug!("serving {} on descriptor 0", protocol.name());
            if let Some(peers) = &settings.web_servers {
                listener = listener.allow(peers.clone());
            }
        } else {
            told.push(format!("listening on {}", url(*protocol, listener.address())));
        }
        match protocol {
            Protocol::Http => engine.listen(listener, settings.http.clone(), app.clone()),
            #[cfg(feature = "tls")]
            Protocol::Https => {
                let certificates = match &mut certificates {
                    Some(certificates) => certificates,
                    none => none.insert(Certificates::new(&settings.tls)?),
                };
                engine.listen(listener.over(certificates.tls()), settings.http.clone(), app.clone());
            }
            #[cfg(not(feature = "tls"))]
            Protocol::Https => {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "this program was built without TLS"));
            }
            Protocol::FastCgi => engine.listen(listener, settings.fastcgi.clone(), app.clone()),
            Protocol::Scgi => engine.listen(listener, settings.scgi.clone(), app.clone()),
            Protocol::Uwsgi => engine.listen(listener, settings.uwsgi.clone(), app.clone()),
            Protocol::Ajp => {
                let ajp = ajp_with_secret(&settings)?;
                ajp.check(&listener).map_err(|error| {
                    io::Error::new(error.kind(), format!("{error}; name one with --ajp-secret-file"))
                })?;
                engine.listen(listener, ajp, app.clone());
            }
        }
    }
    let notifier = started.notifier.map(Arc::new);
    engine.stop_on_signals()?;
    #[cfg(feature = "tls")]
    if let Some(certificates) = certificates {
        certificates.keep_fresh(notifier.clone())?;
    }
    // Only now: who reads this may connect, and may stop the server by a signal.
    for line in &told {
        let _ = writeln!(io::stderr(), "{line}");
    }
    let Some(notifier) = notifier else { return engine.run() };
    notifier.ready(&told);
    let handle = engine.handle();
    let watching = notifier.watch(handle.clone())?;
    let served = engine.run();
    // It ends by itself, or because it cannot run: either way the service manager is told.
    handle.stop();
    let _ = watching.join();
    served
}

/// AJP as it is set, with the secret of its file where there is one.
fn ajp_with_secret(settings: &Settings) -> io::Result<Ajp> {
    let Some(path) = &settings.ajp_secret_file else { return Ok(settings.ajp.clone()) };
    let failed = |error: &dyn fmt::Display| format!("cannot take the secret of AJP from {}: {error}", path.display());
    let content = fs::read(path).map_err(|error| io::Error::new(error.kind(), failed(&error)))?;
    // An editor ends the file with a line's end, which nobody would put into the web server's configuration.
    let secret = content.strip_suffix(b"\n").unwrap_or(&content);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    if secret.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, failed(&"it is empty")));
    }
    Ok(settings.ajp.clone().secret(secret))
}

/// Where to find a listener, so that a terminal makes it something to click on.
fn url(protocol: Protocol, address: &Address) -> String {
    let slash = if matches!(protocol, Protocol::Http | Protocol::Https) { "/" } else { "" };
    match address {
        Address::Unix(path) => format!("unix:{} ({})", path.display(), protocol.name()),
        // No browser goes to `http://[::]/`.
        Address::Tcp { host, port } if is_everywhere(host) => {
            format!("{}://localhost:{port}{slash} (every interface)", protocol.name())
        }
        address => format!("{}://{address}{slash}", protocol.name()),
    }
}

fn is_everywhere(host: &str) -> bool {
    host.is_empty() || host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
}

/// Events go to standard error, a line each. Without the time, which a service manager's log has, and nobody who looks
/// at a terminal needs.
fn log_to_stderr(settings: &Settings) {
    let log = tracing_subscriber::fmt()
        .with_max_level(settings.log)
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .finish();
    // An application that set up a log of its own before keeps it.
    let _ = tracing::subscriber::set_global_default(log);
}

/// A connection takes a descriptor, and the usual limit is 1024, for the sake of programs that use `select`.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::debug!("the limit of open files stays: {error}");
    }
}

/// Takes the socket that is descriptor 0, and leaves /dev/null in its place: a process that the application starts
/// shall not inherit it as its standard input.
fn take_stdin() -> io::Result<OwnedFd> {
    let socket = rustix::stdio::stdin().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(socket)
}

/// A socket of `LISTEN_FDS` as a listener.
fn inherited_listener(inherited: &mut ListenFd, index: usize) -> io::Result<Listener> {
    take_socket(inherited, index).and_then(Listener::from_fd).map_err(|error| {
        let remedy = "a socket unit for it has ListenStream=, and no Accept=yes";
        io::Error::new(error.kind(), format!("socket {index} of LISTEN_FDS: {error}; {remedy}"))
    })
}

fn take_socket(inherited: &mut ListenFd, index: usize) -> io::Result<OwnedFd> {
    let socket = match inherited.take_tcp_listener(index) {
        Ok(socket) => socket.map(OwnedFd::from),
        Err(_) => match inherited.take_unix_listener(index) {
            Ok(socket) => socket.map(OwnedFd::from),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Err(io::Error::new(error.kind(), "it is no stream socket of TCP or Unix"));
            }
            Err(error) => return Err(error),
        },
    };
    socket.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not there"))
}

/// sd_listen_fds(3): sockets that are meant for another process, as that of a shell between, are not taken.
fn tell_of_strange_sockets(started: &Started) {
    let are_passed = started.var("LISTEN_FDS").is_some_and(|count| count != "0");
    if are_passed && started.sockets == 0 {
        let process = started.var("LISTEN_PID").unwrap_or_default().display();
        tracing::warn!("LISTEN_FDS is meant for process {process}, not for this one, which takes none of its sockets");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_as_something_to_click_on() {
        for (protocol, address, expected) in [
            (Protocol::Http, "127.0.0.1:8080", "http://127.0.0.1:8080/"),
            (Protocol::Http, "[::1]:8080", "http://[::1]:8080/"),
            (Protocol::Http, ":80", "http://localhost:80/ (every interface)"),
            (Protocol::Http, "0.0.0.0:80", "http://localhost:80/ (every interface)"),
            (Protocol::Http, "[::]:80", "http://localhost:80/ (every interface)"),
            (Protocol::Http, "unix:/run/app.sock", "unix:/run/app.sock (http)"),
            (Protocol::Https, ":443", "https://localhost:443/ (every interface)"),
            (Protocol::FastCgi, "127.0.0.1:9000", "fastcgi://127.0.0.1:9000"),
            (Protocol::FastCgi, "unix:/run/app.sock", "unix:/run/app.sock (fastcgi)"),
            (Protocol::Scgi, "127.0.0.1:4000", "scgi://127.0.0.1:4000"),
            (Protocol::Uwsgi, "[::1]:3031", "uwsgi://[::1]:3031"),
            (Protocol::Ajp, "127.0.0.1:8009", "ajp://127.0.0.1:8009"),
        ] {
            assert_eq!(url(protocol, &address.parse().unwrap()), expected);
        }
    }
}
