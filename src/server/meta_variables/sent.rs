//! One pass over the variables as they were sent: what matters is found, and what is to be mended is written into a new
//! block, in front of what is taken over as it came.

use std::ops::Range;

use crate::authority::{self, is_port};
use crate::vars::{Malformed, first_pair, pairs};
use crate::{Error, Scheme, Vars};

use super::form::{content_length, is_method, is_version};
use super::host::{is_host, remote, split_port};
use super::name::Variable::{self, *};
use super::name::{KNOWN, Mark, OR_ABSENT, WITHHELD, is_foul, number};
use super::path::{Mount, split_path};
use super::repeats::Names;
use super::{Normal, refused};

/// How much more than was sent the environ takes, in bytes, as a rule: what is new, and what others may add.
const SPARE: usize = 128;

/// The variables that matter here, as they were sent.
pub(crate) struct Sent<'a> {
    block: &'a [u8],
    /// The names that are known, by their numbers.
    found: [Option<Found<'a>>; KNOWN],
    /// Which of them are not taken over: no application sees them, or they get another value.
    gone: Gone,
    /// A name or value that no variable of a process could have.
    is_foul: bool,
}

/// A variable, and where its pair stands in the block.
struct Found<'a> {
    value: &'a [u8],
    start: usize,
    end: usize,
}

/// Where pairs stand that go. Of each name that is known there is one at the most.
struct Gone {
    places: [Range<usize>; KNOWN],
    count: usize,
}

impl<'a> Sent<'a> {
    pub(crate) fn new(block: &'a [u8]) -> Sent<'a> {
        let gone = Gone { places: [const { 0..0 }; KNOWN], count: 0 };
        Sent { block, found: [const { None }; KNOWN], gone, is_foul: false }
    }

    /// Reads the block. Says whether each name stands there once: if it may not, nothing else here is of use. Where the
    /// names are known to be different, there are none given to tell them apart.
    ///
    /// What is in the loop is done some twenty times for every request: so it only notes what stands where.
    ///
    /// # Errors
    /// When the lengths of a pair do not add up.
    pub(crate) fn read(&mut self, mut names: Option<&mut Names>) -> Result<bool, Malformed> {
        let mut zeros = 0;
        let mut rest = self.block;
        while !rest.is_empty() {
            let start = self.block.len() - rest.len();
            let Some((name, value, behind)) = first_pair(rest) else { return Err(Malformed { at: start }) };
            rest = behind;
            zeros += usize::from(value.is_empty());
            if name.len() | value.len() >= 0x80 {
                zeros += zeros_of_length(name.len()) + zeros_of_length(value.len());
            }
            let mark = Mark::of(name);
            let is_repeated = match number(name, mark) {
                Some(number) => {
                    let end = self.block.len() - rest.len();
                    self.found[number].replace(Found { value, start, end }).is_some()
                }
                None => {
                    self.is_foul |= is_foul(name);
                    names.as_mut().is_some_and(|names| names.add(mark.mix()))
                }
            };
            if is_repeated {
                return Ok(false);
            }
        }
        // One quick look at the whole block does for most: the only NULs are those of the lengths.
        if zeros_of(self.block) != zeros {
            self.is_foul |= pairs(self.block).any(|(name, value)| name.contains(&0) || value.contains(&0));
        }
        for number in OR_ABSENT {
            if self.found[number].as_ref().is_some_and(|found| found.value.is_empty()) {
                self.take_out(number);
            }
        }
        for number in WITHHELD {
            self.take_out(number);
        }
        if self.get(Https).is_some_and(|value| value.eq_ignore_ascii_case(b"off")) {
            self.take_out(Https as usize);
        }
        Ok(true)
    }

    fn take_out(&mut self, number: usize) {
        if let Some(Found { start, end, .. }) = self.found[number].take() {
            self.gone.places[self.gone.count] = start..end;
            self.gone.count += 1;
        }
    }

    /// The value of a variable, where it was sent.
    pub(crate) fn get(&self, variable: Variable) -> Option<&'a [u8]> {
        self.found[variable as usize].as_ref().map(|found| found.value)
    }

    /// Applies the rules.
    ///
    /// # Errors
    /// When the request cannot be served.
    pub(crate) fn normal(&mut self, mount: Option<&Mount>) -> Result<Normal, Error> {
        if self.is_foul {
            return Err(refused("a variable without a name, or with NUL in it"));
        }
        if self.get(HttpHost).is_some_and(|host| !host.is_empty() && authority::split(host).is_none()) {
            return Err(refused("Host is not a host"));
        }
        let Some(method) = self.get(RequestMethod).filter(|method| is_method(method)) else {
            return Err(refused("REQUEST_METHOD is not a method"));
        };
        let (script_name, path_info) = split_path(self, mount)?;
        if *path_info == *b"*" && method != b"OPTIONS" {
            return Err(refused("only OPTIONS can be for * (RFC 9112 §3.2.4)"));
        }
        let content_length = match self.get(ContentLength) {
            Some(sent) => Some(content_length(sent).ok_or_else(|| refused("CONTENT_LENGTH is not a number"))?),
            None => None,
        };
        // Most servers leave something to be mended.
        let mut vars = Vars::with_capacity(self.block.len() + SPARE);
        if self.get(ScriptName) != Some(&*script_name) || self.get(PathInfo) != Some(&*path_info) {
            self.replace(ScriptName, "SCRIPT_NAME", &script_name, &mut vars);
            self.replace(PathInfo, "PATH_INFO", &path_info, &mut vars);
        }
        let scheme = self.scheme();
        self.mend(scheme, &mut vars);
        vars.extend_without(self.block, self.gone.in_order());
        Ok(Normal { vars, scheme, content_length })
    }

    /// Puts another value in the place of the one that was sent, if one was.
    fn replace(&mut self, variable: Variable, name: &str, value: impl AsRef<[u8]>, new: &mut Vars) {
        self.take_out(variable as usize);
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
            _ => self.get(HttpHost).map(|host| split_port(host).0).filter(|host| is_host(host)).unwrap_or(b"localhost"),
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

impl Gone {
    fn in_order(&mut self) -> &[Range<usize>] {
        let places = &mut self.places[..self.count];
        places.sort_unstable_by_key(|place| place.start);
        places
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

/// How many bytes of a length of four bytes are zero (FastCGI §3.4). Where it could have been one byte, there are more.
#[inline(never)]
fn zeros_of_length(length: usize) -> usize {
    match length {
        0..0x80 => 0,
        _ => (length as u32).to_be_bytes().iter().skip(1).filter(|&&byte| byte == 0).count(),
    }
}

#[cfg(test)]
mod tests {
    use crate::Vars;
    use crate::server::meta_variables::{Refusal, normalise_block};

    /// A block that can be served, with one more pair behind it.
    fn with(name: &[u8], value: &[u8]) -> Vec<u8> {
        let mut vars = Vars::new();
        vars.push("REQUEST_METHOD", "GET");
        vars.push("QUERY_STRING", "");
        vars.push(name, value);
        vars.as_block().to_vec()
    }

    #[test]
    fn a_nul_is_seen_wherever_it_stands() {
        for length in [1, 7, 8, 127, 128, 255, 256, 65_536] {
            let text = vec![b'x'; length];
            assert!(normalise_block(&with(&text, &text), None).is_ok(), "{length}");
            for at in [0, length / 2, length - 1] {
                let mut foul = text.clone();
                foul[at] = 0;
                for block in [with(&foul, &text), with(&text, &foul), with(&text, b""), with(b"HTTP_HOST", &foul)] {
                    let is_foul = block != with(&text, b"");
                    assert_eq!(normalise_block(&block, None).is_err(), is_foul, "{length}, {at}");
                }
            }
        }
    }

    #[test]
    fn a_length_may_be_longer_than_it_had_to_be() {
        let block = [&with(b"A", b"")[..], b"\x80\0\0\x01\x80\0\0\0B\x01\x80\0\0\x01Cc"].concat();
        let normal = normalise_block(&block, None).unwrap();
        assert_eq!((normal.vars.get("B"), normal.vars.get("C")), (Some(&b""[..]), Some(&b"c"[..])));
        let lying = [&block[..], b"\x80\0\0\x01\x80\0\0\x01D"].concat();
        let refusal = normalise_block(&lying, None).unwrap_err();
        assert!(matches!(refusal, Refusal::Malformed(malformed) if malformed.at == block.len()));
    }

    #[test]
    fn names_beyond_counting_are_told_apart() {
        let mut vars = Vars::new();
        vars.push("REQUEST_METHOD", "GET");
        for number in 0..100 {
            vars.push(format!("HTTP_X_{number}"), "1");
        }
        vars.push("HTTP_X_7", "2");
        let normal = normalise_block(vars.as_block(), None).unwrap();
        assert_eq!(normal.vars.get("HTTP_X_7"), Some(&b"1, 2"[..]));
        assert_eq!(normal.vars.iter().filter(|(name, _)| name.starts_with(b"HTTP_X_")).count(), 100);
    }
}
