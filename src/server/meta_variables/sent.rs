//! One pass over the variables as they were sent: what matters is found, and what is to be mended is said.

use std::ops::Range;

use crate::authority::{self, is_port};
use crate::{Error, Scheme, Vars};

use super::form::{content_length, is_method, is_version};
use super::host::{is_host, remote, split_port};
use super::name::Variable::{self, *};
use super::name::{Mark, Meaning, is_foul, meaning_of};
use super::path::{Mount, split_path};
use super::refused;
use super::repeats::Names;

/// What is to be changed.
pub(crate) struct Changes {
    /// Where pairs stand that go, in order.
    pub(crate) gone: Vec<Range<usize>>,
    /// Variables that are new, or replace one that goes.
    pub(crate) new: Vars,
    pub(crate) scheme: Scheme,
    pub(crate) content_length: Option<u64>,
}

/// The variables that matter here, as they were sent.
pub(crate) struct Sent<'a> {
    found: [Option<Found<'a>>; Variable::COUNT],
    /// Where pairs stand that no application sees.
    unwanted: Vec<Range<usize>>,
    /// A name or value that no variable of a process could have.
    is_foul: bool,
    /// A name may stand twice. Then nothing else here is of use.
    pub(crate) may_repeat: bool,
}

/// A variable, and where its pair stands.
struct Found<'a> {
    value: &'a [u8],
    place: Range<usize>,
}

impl<'a> Sent<'a> {
    pub(crate) fn scan(vars: &'a Vars) -> Sent<'a> {
        let mut sent =
            Sent { found: [const { None }; Variable::COUNT], unwanted: Vec::new(), is_foul: false, may_repeat: false };
        let (mut names, mut zeros) = (Names::new(), 0);
        for (place, name, value) in vars.places() {
            zeros += zeros_of_lengths(name.len(), value.len());
            let mark = Mark::of(name);
            sent.may_repeat |= names.add(mark);
            match meaning_of(name, mark) {
                None => sent.is_foul |= is_foul(name),
                Some(Meaning::Withheld) => sent.unwanted.push(place),
                Some(Meaning::OrAbsent(_)) if value.is_empty() => sent.unwanted.push(place),
                Some(Meaning::OrAbsent(Some(Https))) if value.eq_ignore_ascii_case(b"off") => sent.unwanted.push(place),
                Some(Meaning::OrAbsent(None)) => {}
                Some(Meaning::Known(variable) | Meaning::OrAbsent(Some(variable))) => {
                    sent.found[variable as usize] = Some(Found { value, place });
                }
            }
        }
        // One quick look at the whole block does for most: the only NULs are those of the lengths.
        if zeros_of(vars.as_block()) != zeros {
            sent.is_foul |= vars.iter().any(|(_, value)| value.contains(&0));
        }
        sent
    }

    /// The value of a variable, where it was sent.
    pub(crate) fn get(&self, variable: Variable) -> Option<&'a [u8]> {
        self.found[variable as usize].as_ref().map(|found| found.value)
    }

    pub(crate) fn changes(mut self, mount: Option<&Mount>) -> Result<Changes, Error> {
        if self.is_foul {
            return Err(refused("a variable without a name, or with NUL in it"));
        }
        if self.get(Host).is_some_and(|host| !host.is_empty() && authority::split(host).is_none()) {
            return Err(refused("Host is not a host"));
        }
        let Some(method) = self.get(RequestMethod).filter(|method| is_method(method)) else {
            return Err(refused("REQUEST_METHOD is not a method"));
        };
        let (script_name, path_info) = split_path(&self, mount)?;
        if *path_info == *b"*" && method != b"OPTIONS" {
            return Err(refused("only OPTIONS can be for * (RFC 9112 §3.2.4)"));
        }
        let content_length = match self.get(ContentLength) {
            Some(sent) => Some(content_length(sent).ok_or_else(|| refused("CONTENT_LENGTH is not a number"))?),
            None => None,
        };
        // Most servers leave something to be mended.
        let mut new = Vars::with_capacity(128);
        if self.get(ScriptName) != Some(&*script_name) || self.get(PathInfo) != Some(&*path_info) {
            self.replace(ScriptName, "SCRIPT_NAME", &script_name, &mut new);
            self.replace(PathInfo, "PATH_INFO", &path_info, &mut new);
        }
        let scheme = self.scheme();
        self.mend(scheme, &mut new);
        let mut gone = self.unwanted;
        gone.sort_unstable_by_key(|place| place.start);
        Ok(Changes { gone, new, scheme, content_length })
    }

    /// Puts another value in the place of the one that was sent, if one was.
    fn replace(&mut self, variable: Variable, name: &str, value: impl AsRef<[u8]>, new: &mut Vars) {
        if let Some(found) = self.found[variable as usize].take() {
            self.unwanted.push(found.place);
        }
        new.push(name, value);
    }

    /// `HTTPS=on` of Apache and nginx, or the scheme that nginx and others name.
    fn scheme(&self) -> Scheme {
        let names_https = |scheme: &[u8]| scheme.eq_ignore_ascii_case(b"https");
        if self.get(Https).is_some() || self.get(RequestScheme).is_some_and(names_https) {
            Scheme::Https
        } else {
            Scheme::Http
        }
    }

    /// Replaces what is missing, empty or not what it should be.
    fn mend(&mut self, scheme: Scheme, new: &mut Vars) {
        if is_blank(self.get(GatewayInterface)) {
            self.replace(GatewayInterface, "GATEWAY_INTERFACE", "CGI/1.1", new);
        }
        if is_blank(self.get(ServerSoftware)) {
            self.replace(ServerSoftware, "SERVER_SOFTWARE", concat!("wgi/", env!("CARGO_PKG_VERSION")), new);
        }
        // Apache has `INCLUDED` in what it asks for by itself.
        if !self.get(ServerProtocol).is_some_and(is_version) {
            self.replace(ServerProtocol, "SERVER_PROTOCOL", "HTTP/1.1", new);
        }
        if self.get(QueryString).is_none() {
            self.replace(QueryString, "QUERY_STRING", "", new);
        }
        if self.get(RequestScheme) != Some(scheme.as_str().as_bytes()) {
            self.replace(RequestScheme, "REQUEST_SCHEME", scheme.as_str(), new);
        }
        if scheme == Scheme::Https && !matches!(self.get(Https), Some(b"on" | b"1")) {
            self.replace(Https, "HTTPS", "on", new);
        }
        self.mend_server(scheme, new);
        self.mend_remote(new);
    }

    fn mend_server(&mut self, scheme: Scheme, new: &mut Vars) {
        let sent = self.get(ServerName).unwrap_or_default();
        let name = match split_port(sent).0 {
            name if is_host(name) => name,
            // nginx has an empty name by default, `_` by custom, and patterns.
            _ => self.get(Host).map(|host| split_port(host).0).filter(|host| is_host(host)).unwrap_or(b"localhost"),
        };
        if name != sent {
            self.replace(ServerName, "SERVER_NAME", name, new);
        }
        if !self.get(ServerPort).is_some_and(is_port) {
            self.replace(ServerPort, "SERVER_PORT", scheme.default_port().to_string(), new);
        }
    }

    fn mend_remote(&mut self, new: &mut Vars) {
        let Some(sent) = self.get(RemoteAddr) else { return };
        let remote = remote(sent);
        match remote.address {
            Some(address) if *address == *sent => {}
            Some(address) => self.replace(RemoteAddr, "REMOTE_ADDR", address, new),
            // Never one that somebody may trust.
            None => self.replace(RemoteAddr, "REMOTE_ADDR", "0.0.0.0", new),
        }
        if let (Some(port), None) = (remote.port, self.get(RemotePort)) {
            self.replace(RemotePort, "REMOTE_PORT", port, new);
        }
    }
}

fn is_blank(value: Option<&[u8]>) -> bool {
    value.is_none_or(<[u8]>::is_empty)
}

/// How many bytes are zero: in runs of a length that a byte can count, so that the compiler takes sixteen at once.
fn zeros_of(block: &[u8]) -> usize {
    const RUN: usize = 240;
    let runs = block.chunks(RUN);
    runs.map(|run| usize::from(run.iter().fold(0, |zeros: u8, &byte| zeros + u8::from(byte == 0)))).sum()
}

/// How many bytes of the two lengths of a pair are zero, in the layout of FastCGI §3.4. Where one is longer than it had
/// to be, there are more.
fn zeros_of_lengths(name: usize, value: usize) -> usize {
    if name < 0x80 && value < 0x80 {
        return usize::from(name == 0) + usize::from(value == 0);
    }
    let zeros = |length: usize| match length {
        0..0x80 => usize::from(length == 0),
        _ => (length as u32).to_be_bytes().iter().skip(1).filter(|&&byte| byte == 0).count(),
    };
    zeros(name) + zeros(value)
}
