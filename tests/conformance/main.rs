//! The suite on every adapter of this workspace, and the specification against the suite.

mod ajp;
mod cgi;
mod fastcgi;
mod http;
mod scgi;
mod uwsgi;

use wgi_conformance::{cases, clauses, rungs};
use wgi_middleware::Lint;

#[test]
fn direct() {
    rungs::direct::run().assert_passed();
}

#[test]
fn every_clause_has_its_case_and_every_case_its_clause() {
    let clauses = clauses::parse(include_str!("../../spec/spec.md")).unwrap();
    let cases = cases::all();
    let mut orphans = clauses::orphans(&clauses, "case", cases.iter().flat_map(|case| case.clauses.iter().copied()));
    orphans.extend(clauses::orphans(&clauses, "lint", Lint::CLAUSES.iter().copied()));
    assert!(!clauses.is_empty() && orphans.is_empty(), "{}", orphans.join("\n"));
}
