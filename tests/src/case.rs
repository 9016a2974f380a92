//! A case: clauses, a request, an application, and what must come of it.

use std::sync::Arc;

use wgi::{App, Body, Environ, Error, StartResponse};

use crate::{Capability, Journal, Request, Seen};

/// The application of a case: an [`App`] with a journal.
pub type AppFn = fn(Environ, &mut dyn StartResponse, &Journal) -> Result<Body, Error>;

/// One case of the suite.
#[derive(Clone)]
pub struct Case {
    /// The clauses that it tests, as `4.10`.
    pub clauses: &'static [&'static str],
    /// What it shows, as a sentence.
    pub name: &'static str,
    /// A request that goes before it on the same connection, to the same application.
    pub before: Option<Request>,
    /// The request.
    pub request: Request,
    /// The application.
    pub app: AppFn,
    /// What must come of it.
    pub expect: Vec<Expect>,
    /// What it takes.
    pub needs: Vec<Capability>,
    /// How many other connections send the same request at the same time, where there are connections.
    pub beside: usize,
    /// The application breaks the protocol on purpose, so that the validator must not be in between.
    pub breaks_protocol: bool,
}

/// One thing that must come of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// That status.
    Status(u16),
    /// That reason phrase.
    Reason(&'static str),
    /// A header field with exactly these values, in this order; without any, its absence.
    Header(&'static str, &'static [&'static str]),
    /// That body, whole or cut.
    Body(Vec<u8>),
    /// The start of that body, or all of it.
    StartOf(Vec<u8>),
    /// A response that is not whole, and its receiver can tell.
    Cut,
    /// A response that ends here, whether its receiver can tell that it was cut or not.
    MaybeCut,
    /// A text that stands nowhere in the response.
    Conceals(&'static str),
    /// Exactly these lines in the journal.
    Journal(&'static [&'static str]),
    /// No such line in the journal.
    Never(&'static str),
    /// A text on the errors stream.
    Errors(&'static str),
    /// A text in exactly one line of the log.
    Log(&'static str),
}

/// Starts a case.
pub(crate) fn case(clauses: &'static [&'static str], name: &'static str) -> Case {
    Case {
        clauses,
        name,
        before: None,
        request: Request::new("GET", "/"),
        app: |_, _, _| Ok(Body::empty()),
        expect: Vec::new(),
        needs: Vec::new(),
        beside: 0,
        breaks_protocol: false,
    }
}

/// The parts of a case, put on one by one.
impl Case {
    pub(crate) fn get(self, target: &'static str) -> Case {
        self.request("GET", target)
    }

    pub(crate) fn request(mut self, method: &'static str, target: &'static str) -> Case {
        self.request = Request::new(method, target);
        self
    }

    pub(crate) fn post(mut self, body: impl Into<Vec<u8>>) -> Case {
        self.request = Request { body: Some(body.into()), ..Request::new("POST", "/") };
        self.field("Content-Type", "text/plain")
    }

    pub(crate) fn field(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Case {
        self.request.fields.push((name, value.into()));
        self
    }

    pub(crate) fn breaks_off(mut self, at: usize) -> Case {
        self.request.breaks_off = Some(at);
        self
    }

    pub(crate) fn leaves_after(mut self, bytes: usize) -> Case {
        self.request.leaves_after = Some(bytes);
        self.needs(Capability::Disconnects)
    }

    pub(crate) fn beside(mut self, connections: usize) -> Case {
        self.beside = connections;
        self
    }

    pub(crate) fn before(mut self, request: Request) -> Case {
        self.before = Some(request);
        self.needs(Capability::KeepAlive)
    }

    pub(crate) fn app(mut self, app: AppFn) -> Case {
        self.app = app;
        self
    }

    pub(crate) fn needs(mut self, capability: Capability) -> Case {
        self.needs.push(capability);
        self
    }

    pub(crate) fn breaks_protocol(mut self) -> Case {
        self.breaks_protocol = true;
        self
    }

    pub(crate) fn status(self, status: u16) -> Case {
        self.expect(Expect::Status(status))
    }

    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Case {
        self.expect(Expect::Body(body.into()))
    }

    pub(crate) fn header(self, name: &'static str, values: &'static [&'static str]) -> Case {
        self.expect(Expect::Header(name, values))
    }

    pub(crate) fn journal(self, lines: &'static [&'static str]) -> Case {
        self.expect(Expect::Journal(lines))
    }

    pub(crate) fn expect(mut self, expect: Expect) -> Case {
        self.expect.push(expect);
        self
    }
}

/// For rungs.
impl Case {
    /// Whether it can run where there is this much.
    pub fn can_run(&self, capabilities: &[Capability]) -> bool {
        self.needs.iter().all(|need| capabilities.contains(need))
    }

    /// The case's application with a journal, under the validator unless it breaks the protocol on purpose.
    pub fn host(&self, journal: &Journal) -> Arc<dyn App> {
        let (app, journal) = (self.app, journal.clone());
        let app =
            move |environ: Environ, start_response: &mut dyn StartResponse| app(environ, start_response, &journal);
        if self.breaks_protocol { Arc::new(app) } else { Arc::new(wgi_middleware::Lint::new(app)) }
    }

    /// Compares what came of it with what must; `seen` is the reason why there is no response, where there is none.
    /// The response to a client that broke off or left matters to nobody.
    ///
    /// # Errors
    /// Everything that is not as it must be.
    pub fn check(
        &self,
        seen: &Result<Seen, String>,
        journal: &Journal,
        capabilities: &[Capability],
    ) -> Result<(), String> {
        let mut wrong = Vec::new();
        let matters = self.request.leaves_after.is_none() && self.request.breaks_off.is_none();
        if matters {
            match seen {
                Ok(seen) => self.check_response(seen, capabilities, &mut wrong),
                Err(error) => wrong.push(format!("no response: {error}")),
            }
        }
        for expect in &self.expect {
            match expect {
                Expect::Journal(lines) if !journal.await_lines(|noted| noted == *lines) => {
                    wrong.push(format!("the journal has {:?} instead of {lines:?}", journal.lines()));
                }
                Expect::Never(line) if journal.lines().iter().any(|noted| noted == line) => {
                    wrong.push(format!("the journal has {line:?}"));
                }
                _ => {}
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }

    fn check_response(&self, seen: &Seen, capabilities: &[Capability], wrong: &mut Vec<String>) {
        if !self.expect.contains(&Expect::MaybeCut) && seen.is_whole == self.expect.contains(&Expect::Cut) {
            wrong.push(if seen.is_whole { "the response looks whole".into() } else { "the response was cut".into() });
        }
        for expect in &self.expect {
            let difference = match expect {
                Expect::Status(status) => differs(&seen.status, status),
                Expect::Reason(reason) => differs(&String::from_utf8_lossy(&seen.reason), reason),
                Expect::Header(name, values) => differs(&seen.values(name), &values.to_vec()),
                Expect::Body(body) => differs(&Text(&seen.body), &Text(body)),
                Expect::StartOf(body) => {
                    (!body.starts_with(&seen.body)).then(|| format!("seen {:?}", Text(&seen.body)))
                }
                Expect::Conceals(text) => {
                    let shown = format!("{:?} {}", seen.headers, String::from_utf8_lossy(&seen.body));
                    shown.contains(text).then(|| "is shown".into())
                }
                Expect::Errors(text) if capabilities.contains(&Capability::Errors) => {
                    let errors = String::from_utf8_lossy(&seen.errors);
                    (!errors.contains(text)).then(|| format!("is not in {errors:?}"))
                }
                Expect::Log(text) if capabilities.contains(&Capability::Log) => {
                    let lines = seen.log.iter().filter(|line| line.contains(text)).count();
                    (lines != 1).then(|| format!("stands in {lines} lines of {:?}", seen.log))
                }
                _ => None,
            };
            wrong.extend(difference.map(|difference| format!("{expect:?}: {difference}")));
        }
    }
}

fn differs<A: PartialEq<B> + std::fmt::Debug, B>(seen: &A, expected: &B) -> Option<String> {
    (seen != expected).then(|| format!("seen {seen:?}"))
}

/// Bytes that are shown as text, and not at full length.
#[derive(PartialEq)]
struct Text<'a>(&'a [u8]);

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start = &self.0[..self.0.len().min(300)];
        write!(f, "\"{}\" ({} bytes)", start.escape_ascii(), self.0.len())
    }
}
