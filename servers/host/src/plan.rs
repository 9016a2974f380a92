//! What is to be done, chosen by what the process was started with. Nothing is opened, bound or written here.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::IpAddr;
use std::{env, str};

use lexopt::Arg;
use wgi_engine::Address;

use crate::options::{OPTIONS, Opt, Times};
use crate::own;
use crate::settings::leading_word;
use crate::{Given, Listen, OwnOption, Place, Protocol, Settings, Started};

/// Names of sockets that mean a protocol, whether or not this crate speaks it: to a front-end of one of these, HTTP
/// would be no answer.
const PROTOCOLS: [&str; 6] = ["http", "https", "fastcgi", "scgi", "uwsgi", "ajp"];

/// What is to be done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Plan {
    /// Show the help.
    Help,
    /// Show the version.
    Version,
    /// Answer one request as a CGI program.
    Cgi,
    /// Serve on sockets.
    Serve(Box<Settings>),
}

/// Why a program cannot be run as it was asked to, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage(String);

impl Usage {
    pub(crate) fn new(message: impl Into<String>) -> Usage {
        Usage(message.into())
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

impl Plan {
    /// Chooses, in this order: `GATEWAY_INTERFACE` makes a CGI program, whose command line is never looked at.
    /// Otherwise it is a server, on the sockets that the process was started with (those of `LISTEN_FDS`, or descriptor
    /// 0) together with the addresses that its options name; on HTTP at `$PORT` or else 127.0.0.1:8080 when there is
    /// none of these.
    ///
    /// # Errors
    /// When an option, or a variable that stands for one, is wrong.
    pub fn of(started: &Started) -> Result<Plan, Usage> {
        Plan::with_own(started, &[], "wgi")
    }

    /// As [`of`](Plan::of), for a program of that name with options of its own. What was given of these is in
    /// [`Settings::own`].
    ///
    /// # Errors
    /// As [`of`](Plan::of).
    pub fn with_own(started: &Started, own: &[OwnOption], program: &str) -> Result<Plan, Usage> {
        // RFC 3875 §4.4: a query without `=` comes as a command line that the client wrote.
        if started.var("GATEWAY_INTERFACE").is_some_and(|version| version.as_encoded_bytes().starts_with(b"CGI/")) {
            return Ok(Plan::Cgi);
        }
        let mut settings = Settings::default();
        let given = match arguments(started.args.clone(), own, &mut settings.own)? {
            Arguments::Help => return Ok(Plan::Help),
            Arguments::Version => return Ok(Plan::Version),
            Arguments::Options(given) => given,
        };
        settings.own.add_variables(own, started, program);
        add_inherited(&mut settings, started)?;
        apply(&mut settings, &given, |name| started.var(name).map(OsStr::to_owned))?;
        if settings.listeners.is_empty() {
            settings.listeners.push(Listen { protocol: Protocol::Http, at: Place::Address(by_default(started)?) });
        }
        check_tls(&settings)?;
        Ok(Plan::Serve(Box::new(settings)))
    }

    /// The settings of a CGI program, where this process's environment gives any. Where it gives none, nothing is done
    /// here: a CGI program starts for every request.
    #[inline]
    pub(crate) fn for_cgi() -> Result<Option<Box<Settings>>, Usage> {
        if env::var_os("WGI_MAX_BODY").is_none() && env::var_os("WGI_LINT").is_none() {
            return Ok(None);
        }
        cgi_settings().map(Some)
    }
}

// Apart from `for_cgi`: that a start has room for settings which are not there touches one more page of the stack.
#[cold]
#[inline(never)]
fn cgi_settings() -> Result<Box<Settings>, Usage> {
    let mut settings = Box::<Settings>::default();
    for option in ["max-body", "lint"].into_iter().filter_map(Opt::named) {
        apply_variable(&mut settings, option, |name| env::var_os(name).filter(|value| !value.is_empty()))?;
    }
    Ok(settings)
}

/// HTTPS is nothing without a certificate, and asks for one of the client only by naming who gives them out.
fn check_tls(settings: &Settings) -> Result<(), Usage> {
    let is_https = settings.listeners.iter().any(|listen| listen.protocol == Protocol::Https);
    if is_https && settings.tls.certificate.is_none() {
        return Err(Usage::new(
            "HTTPS takes a certificate; name its file with --tls-certificate, and its key's with --tls-key",
        ));
    }
    if settings.tls.client_required && settings.tls.client_ca.is_none() {
        return Err(Usage::new(
            "--tls-client-required takes --tls-client-ca, the authorities whose certificates count",
        ));
    }
    Ok(())
}

enum Arguments {
    Help,
    Version,
    Options(Vec<(&'static Opt, OsString)>),
}

/// Reads a command line.
fn arguments(args: Vec<OsString>, own: &[OwnOption], given_own: &mut Given) -> Result<Arguments, Usage> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut given = Vec::new();
    while let Some(arg) = parser.next().map_err(|error| misused(error, own))? {
        let name = match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Arguments::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Arguments::Version),
            Arg::Long(name) => name,
            Arg::Short(char) => return Err(Usage(format!("unknown option -{char}"))),
            Arg::Value(value) => return Err(stray(&value)),
        };
        match (Opt::named(name), own::named(own, name)) {
            (Some(option), _) => given.push((option, value(&mut parser, option.value, own)?)),
            (None, Some(option)) => given_own.push(option.name, value(&mut parser, option.value, own)?),
            (None, None) => return Err(unknown(name, own)),
        }
    }
    Ok(Arguments::Options(given))
}

/// The value of the option that was read last.
fn value(parser: &mut lexopt::Parser, wanted: Option<&str>, own: &[OwnOption]) -> Result<OsString, Usage> {
    match wanted {
        Some(_) => parser.value().map_err(|error| misused(error, own)),
        None => Ok("1".into()),
    }
}

fn misused(error: lexopt::Error, own: &[OwnOption]) -> Usage {
    match error {
        lexopt::Error::MissingValue { option: Some(option) } => {
            let name = option.trim_start_matches('-');
            let of_launcher = Opt::named(name).and_then(|option| option.value);
            let value = of_launcher.or(own::named(own, name).and_then(|option| option.value)).unwrap_or("a value");
            Usage(format!("{option} wants {value}"))
        }
        lexopt::Error::UnexpectedValue { option, .. } => Usage(format!("{option} takes no value")),
        error => Usage(error.to_string()),
    }
}

fn unknown(name: &str, own: &[OwnOption]) -> Usage {
    if !cfg!(feature = "tls") && (name == "https" || name.starts_with("tls-")) {
        return Usage(format!("--{name}: this program was built without TLS, the feature `tls` of wgi-host"));
    }
    let names = OPTIONS.iter().map(|option| option.name).chain(["help", "version"]);
    let names = names.chain(own.iter().map(|option| option.name));
    // One that begins like it, or else one that is a slip of the finger away.
    let nearest = names
        .map(|known| {
            let is_start = !name.is_empty() && known.starts_with(name);
            (if is_start { 0 } else { strsim::osa_distance(name, known) }, known)
        })
        .min()
        .filter(|&(distance, known)| distance <= 2.max(known.len() / 3));
    match nearest {
        Some((_, known)) => Usage(format!("unknown option --{name}; did you mean --{known}?")),
        None => Usage(format!("unknown option --{name}")),
    }
}

fn stray(value: &OsStr) -> Usage {
    let shown = value.display();
    match value.to_str().map(str::parse::<Address>) {
        Some(Ok(address)) => Usage(format!("unexpected `{shown}`; did you mean --http {address}?")),
        _ => Usage(format!("unexpected `{shown}`; every option starts with --")),
    }
}

/// Sets what was given; an option on the command line beats its variable.
fn apply(
    settings: &mut Settings,
    given: &[(&'static Opt, OsString)],
    mut var: impl FnMut(&str) -> Option<OsString>,
) -> Result<(), Usage> {
    let named: HashSet<_> = given.iter().map(|(option, _)| option.name).collect();
    for option in OPTIONS.iter().filter(|option| !named.contains(option.name)) {
        apply_variable(settings, option, &mut var)?;
    }
    for (option, value) in given {
        (option.set)(settings, value).map_err(|wrong| Usage(format!("--{}: {wrong}", option.name)))?;
    }
    Ok(())
}

fn apply_variable(
    settings: &mut Settings,
    option: &Opt,
    mut var: impl FnMut(&str) -> Option<OsString>,
) -> Result<(), Usage> {
    let Some(name) = option.variable() else { return Ok(()) };
    let Some(value) = var(&name) else { return Ok(()) };
    let mut set = |value: &OsStr| (option.set)(settings, value).map_err(|wrong| Usage(format!("{name}: {wrong}")));
    match (option.times, value.to_str()) {
        (Times::Each, Some(values)) => values.split(',').try_for_each(|value| set(OsStr::new(value.trim()))),
        _ => set(&value),
    }
}

/// Adds the sockets that the process was started with.
fn add_inherited(settings: &mut Settings, started: &Started) -> Result<(), Usage> {
    // sd_listen_fds(3): names in the order of the descriptors, with colons between them.
    let names = started.var("LISTEN_FDNAMES").and_then(OsStr::to_str).unwrap_or_default();
    let mut names = names.split(':');
    for socket in 0..started.sockets {
        let name = names.next().unwrap_or_default();
        let protocol = match Protocol::of_socket(name) {
            Some(protocol) => protocol,
            None if PROTOCOLS.contains(&leading_word(name)) => {
                return Err(Usage(format!(
                    "LISTEN_FDNAMES: socket {socket} is named `{name}`, which is not spoken here"
                )));
            }
            // The name of a socket that was given none is that of its unit.
            None => Protocol::Http,
        };
        settings.listeners.push(Listen { protocol, at: Place::Socket(socket) });
    }
    if started.listens_on_stdin && started.sockets == 0 {
        settings.listeners.push(Listen { protocol: Protocol::FastCgi, at: Place::Stdin });
        // What starts FastCGI applications this way starts as many as it needs.
        settings.engine.multiprocess = true;
        settings.web_servers = web_servers(started)?;
    }
    Ok(())
}

/// FastCGI §3.2: addresses with commas between them.
fn web_servers(started: &Started) -> Result<Option<Vec<IpAddr>>, Usage> {
    let Some(list) = started.var("FCGI_WEB_SERVER_ADDRS") else { return Ok(None) };
    // What cannot be read lets nobody in.
    let wrong = || Usage(format!("FCGI_WEB_SERVER_ADDRS: `{}` is no list of addresses", list.display()));
    let list = list.to_str().ok_or_else(wrong)?;
    list.split(',').map(|address| address.trim().parse().map_err(|_| wrong())).collect::<Result<_, _>>().map(Some)
}

/// Where to listen when nothing was said.
fn by_default(started: &Started) -> Result<Address, Usage> {
    let Some(port) = started.var("PORT") else { return Ok(Address::Tcp { host: "127.0.0.1".into(), port: 8080 }) };
    // Who sets PORT runs a container, whose only way in is not its loopback.
    let port = crate::values::number(port, 0).map_err(|wrong| Usage(format!("PORT: {wrong}")))?;
    Ok(Address::Tcp { host: String::new(), port })
}
