//! What becomes of a violation: a line for the operator, and an error with the right fault.

use std::io::{self, Write};

use wgi::{ApplicationError, Error, Errors, ServerError, Violation};

/// Where the violations of one exchange go.
#[derive(Clone, Debug)]
pub(super) struct Report {
    errors: Errors,
}

impl Report {
    pub(super) fn new(errors: Errors) -> Report {
        Report { errors }
    }

    /// The application, or middleware inside, broke a clause.
    pub(super) fn application(&self, violation: Violation) -> Error {
        self.log("application", &violation);
        ApplicationError::Violation(violation).into()
    }

    /// The server, or middleware outside, broke a clause.
    pub(super) fn server(&self, violation: Violation) -> Error {
        self.log("server", &violation);
        ServerError::Io { doing: "keeping to the protocol", source: io::Error::other(violation) }.into()
    }

    fn log(&self, culprit: &str, violation: &Violation) {
        // An errors stream that cannot be written to has nowhere to say so; the error itself goes its way.
        let _ = writeln!(self.errors.clone(), "lint: the {culprit} broke {violation}");
    }
}
