//! What several targets check.

use std::collections::BTreeSet;

use wgi::{App, Body, Environ, Error, Head, StartResponse, StatusCode};
use wgi_middleware::Lint;

/// Each name stands once, and the validator has nothing to say.
pub fn check_environ(environ: Environ) {
    let mut names = BTreeSet::new();
    for (name, _) in environ.vars().iter() {
        assert!(names.insert(name), "{} stands twice", name.escape_ascii());
    }
    let app = |_: Environ, _: &mut dyn StartResponse| Err::<Body, _>(Error::refused(StatusCode::IM_A_TEAPOT, "seen"));
    match Lint::new(app).call(environ, &mut Unused) {
        Err(error) => assert_eq!(error.status(), StatusCode::IM_A_TEAPOT, "{error}"),
        Ok(_) => unreachable!("the application gives nothing else"),
    }
}

/// The application never starts a response.
struct Unused;

impl StartResponse for Unused {
    fn start_head(&mut self, _: Head) -> Result<(), Error> {
        unreachable!()
    }

    fn restart_head(&mut self, _: Head, _: Error) -> Result<(), Error> {
        unreachable!()
    }

    fn write(&mut self, _: wgi::Bytes) -> Result<(), Error> {
        unreachable!()
    }
}
