//! What an application gives to `start_response`: section 5 of the specification.

use bytes::Bytes;
use wgi::{ApplicationError, Error, Head, StartResponse, StatusCode, Violation, header};

use super::report::Report;

/// What a head says of the body behind it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Announced {
    /// Content-Length.
    pub(super) length: Option<u64>,
    /// Whether there is a Content-Type.
    pub(super) is_typed: bool,
    /// Whether the status is one without body.
    pub(super) is_bodiless: bool,
    /// Whether the request was HEAD.
    pub(super) head_only: bool,
    /// How many bytes the application gave so far.
    given: u64,
}

impl Announced {
    /// Takes note of `length` more bytes of the body.
    pub(super) fn add(&mut self, length: u64) -> Result<(), Violation> {
        if length == 0 {
            return Ok(());
        }
        self.given = self.given.saturating_add(length);
        if !self.is_typed {
            return Err(Violation {
                clause: "5.16",
                seen: "a body without Content-Type".into(),
                remedy: "give Content-Type, application/octet-stream if nothing else is known",
            });
        }
        match self.length {
            Some(length) if self.given > length => Err(wrong_length(length, "at least", self.given)),
            _ => Ok(()),
        }
    }

    /// Takes note of the body's end.
    pub(super) fn end(&self) -> Result<(), Violation> {
        match self.length {
            Some(length) if self.given < length => Err(wrong_length(length, "only", self.given)),
            _ => Ok(()),
        }
    }
}

fn wrong_length(length: u64, how: &str, given: u64) -> Violation {
    Violation {
        clause: "6.5",
        seen: format!("a body of {how} {given} bytes where Content-Length is {length}"),
        remedy: "give the length that the body has, or leave Content-Length out",
    }
}

/// The `start_response` that a checked application is given.
pub(super) struct CheckedStart<'a> {
    outer: &'a mut dyn StartResponse,
    report: Report,
    announced: Announced,
    /// Whether a head was given, even one that was refused.
    started: bool,
    /// Whether a head was given that was not refused.
    has_head: bool,
    /// What the application did wrong and may not get away with by ignoring the error.
    failed: Option<Violation>,
}

impl<'a> CheckedStart<'a> {
    pub(super) fn new(outer: &'a mut dyn StartResponse, head_only: bool, report: Report) -> CheckedStart<'a> {
        let announced = Announced { head_only, ..Announced::default() };
        CheckedStart { outer, report, announced, started: false, has_head: false, failed: None }
    }

    /// What was announced when the application returned `Ok`; the violation that it ignored, if any.
    pub(super) fn finish(self) -> Result<Announced, Error> {
        if let Some(violation) = self.failed {
            // The line for the operator was written when it happened.
            return Err(ApplicationError::Violation(violation).into());
        }
        if !self.has_head {
            return Err(self.report.application(Violation {
                clause: "3.2",
                seen: "a body without a head".into(),
                remedy: "call start_response.start(status, headers) before you return Ok",
            }));
        }
        Ok(self.announced)
    }

    /// Whether bytes of the body go over the wire.
    fn is_sent(&self) -> bool {
        !self.announced.head_only && !self.announced.is_bodiless
    }

    fn take(&mut self, head: &Head) -> Result<(), Error> {
        self.started = true;
        self.has_head = false;
        match check(head) {
            Ok(announced) => {
                self.announced = Announced { head_only: self.announced.head_only, ..announced };
                Ok(())
            }
            Err(violation) => Err(self.fail(violation)),
        }
    }

    fn fail(&mut self, violation: Violation) -> Error {
        self.failed = Some(violation.clone());
        self.report.application(violation)
    }
}

impl StartResponse for CheckedStart<'_> {
    fn start_head(&mut self, head: Head) -> Result<(), Error> {
        if self.started {
            return Err(self.fail(Violation {
                clause: "5.2",
                seen: "a second call of start".into(),
                remedy: "use restart to replace a head after an error",
            }));
        }
        self.take(&head)?;
        self.outer.start_head(head)?;
        self.has_head = true;
        Ok(())
    }

    fn restart_head(&mut self, head: Head, cause: Error) -> Result<(), Error> {
        if self.announced.given > 0 && self.is_sent() {
            // The server has to say so itself; what it answers is what is checked.
            return match self.outer.restart_head(head, cause) {
                Err(error) => Err(error),
                Ok(()) => Err(self.report.server(Violation {
                    clause: "5.7",
                    seen: "a head that was replaced after it was sent".into(),
                    remedy: "answer restart with its cause once the head is out",
                })),
            };
        }
        self.failed = None;
        self.take(&head)?;
        self.outer.restart_head(head, cause)?;
        self.has_head = true;
        Ok(())
    }

    fn write(&mut self, data: Bytes) -> Result<(), Error> {
        if !self.has_head {
            return Err(self.fail(Violation {
                clause: "5.8",
                seen: "a call of write before start".into(),
                remedy: "call start_response.start(status, headers) first",
            }));
        }
        if !self.announced.is_bodiless
            && let Err(violation) = self.announced.add(data.len() as u64)
        {
            return Err(self.fail(violation));
        }
        self.outer.write(data)
    }
}

/// An application's error on its way out, or the violation that the response inside it is.
pub(super) fn check_error(error: Error, report: &Report) -> Error {
    let Error::Application(ApplicationError::Replaced { head, body, .. }) = &error else { return error };
    let checked = check(head).and_then(|mut announced| {
        if announced.is_bodiless {
            return Ok(());
        }
        announced.add(body.len() as u64)?;
        announced.end()
    });
    match checked {
        Ok(()) => error,
        Err(violation) => report.application(violation),
    }
}

/// What a head announces, unless it breaks a clause.
fn check(head: &Head) -> Result<Announced, Violation> {
    head.check()?;
    let code = head.status.code();
    if code.as_u16() >= 600 {
        return Err(Violation {
            clause: "5.3",
            seen: format!("the status {}", code.as_u16()),
            remedy: "give a status from 200 to 599 (RFC 9110 §15)",
        });
    }
    let announced = Announced {
        length: head.content_length()?,
        is_typed: head.headers.contains(header::CONTENT_TYPE),
        is_bodiless: matches!(code, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED),
        ..Announced::default()
    };
    if announced.is_bodiless && announced.is_typed {
        return Err(Violation {
            clause: "5.17",
            seen: format!("Content-Type with the status {}", code.as_u16()),
            remedy: "leave it out: there is no body to have a type",
        });
    }
    let allowed = match code {
        StatusCode::NO_CONTENT => announced.length.is_none(),
        StatusCode::RESET_CONTENT => announced.length.is_none_or(|length| length == 0),
        _ => true,
    };
    if !allowed {
        return Err(Violation {
            clause: "5.18",
            seen: format!("Content-Length with the status {}", code.as_u16()),
            remedy: "leave it out: there is no body to have a length",
        });
    }
    Ok(announced)
}
