//! Whether each clause that speaks of a wire protocol is named at a test of that protocol.

use std::fs;
use std::path::Path;

use wgi_conformance::clauses;

/// Where the tests for a tag are.
const PLACES: [(&str, &[&str]); 9] = [
    ("wire: http", &["tests/wire", "servers/http"]),
    ("wire: engine", &["tests/wire", "servers/engine"]),
    ("wire: fastcgi", &["servers/fastcgi", "servers/host"]),
    ("wire: cgi", &["servers/cgi"]),
    ("wire: scgi", &["servers/scgi"]),
    ("wire: uwsgi", &["servers/uwsgi"]),
    ("wire: ajp", &["servers/ajp"]),
    ("wire: host", &["servers/host", "tests/interop"]),
    ("wire: tls", &["servers/tls"]),
];

#[test]
fn every_clause_on_a_wire_is_named_at_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let clauses = clauses::parse(include_str!("../../spec/spec.md")).unwrap();
    let mut missing = Vec::new();
    for (tag, places) in PLACES {
        let mut text = String::new();
        places.iter().for_each(|place| read(&root.join(place), &mut text));
        for clause in clauses.iter().filter(|clause| clause.has(tag)) {
            if !text.contains(&format!("[{}]", clause.number)) {
                missing.push(format!("[{}] ({tag})", clause.number));
            }
        }
    }
    assert!(missing.is_empty(), "no test is marked with {}", missing.join(", "));
}

fn read(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}
