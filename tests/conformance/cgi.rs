//! CGI/1.1: a process for each case.

use std::path::Path;

use wgi_conformance::rungs;

#[test]
fn cgi_process() {
    rungs::process::run(Path::new(env!("CARGO_BIN_EXE_case"))).unwrap().assert_passed();
}
