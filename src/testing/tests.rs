use std::io::BufRead;

use super::*;
use crate::{Body, PeerError, Source, StartResponse};

/// Says what it was asked.
fn mirror(mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    let body = environ.input().read_all(1000)?;
    let mut text = format!(
        "{} {} {}",
        environ.method(),
        String::from_utf8_lossy(environ.script_name()),
        String::from_utf8_lossy(environ.path_info())
    );
    for name in ["QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_X_A", "HTTP_COOKIE", "REMOTE_USER", "HTTPS"] {
        if let Some(value) = environ.var(name).filter(|value| !value.is_empty()) {
            text.push_str(&format!(" {name}={}", String::from_utf8_lossy(value)));
        }
    }
    start_response.start(StatusCode::OK, [("content-type", "text/plain")])?;
    Ok(Body::from(format!("{text}\n{}", String::from_utf8_lossy(&body))))
}

/// Redirects as its query says: `/go?302=/there`; anywhere else it is a mirror. `/set?a=1` sets that cookie.
fn signpost(environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    let query = environ.text("QUERY_STRING")?.to_owned();
    match environ.path_info() {
        b"/go" => {
            let (code, location) = query.split_once('=').unwrap_or_default();
            start_response.start(StatusCode::from_bytes(code.as_bytes())?, [("location", location)])?;
            Ok(Body::empty())
        }
        b"/loop" => {
            let turn: u32 = query.parse()?;
            start_response.start(StatusCode::FOUND, [("location", format!("?{}", turn + 1))])?;
            Ok(Body::empty())
        }
        b"/set" => {
            start_response.start(StatusCode::SEE_OTHER, [("set-cookie", query.as_str()), ("location", "/mirror")])?;
            Ok(Body::empty())
        }
        _ => mirror(environ, start_response),
    }
}

#[test]
fn a_request_arrives_as_it_was_built() {
    let client = Client::new(mirror);
    let response = client
        .put("/caf%C3%A9/../x?b=%20")
        .header("X-A", "1")
        .header("x-a", "2")
        .header("Content-Type", "text/x")
        .header("cookie", "c=3")
        .header("cookie", "d=4")
        .var("REMOTE_USER", "ada")
        .body("body")
        .send();
    let expected = "PUT  /café/../x QUERY_STRING=b=%20 CONTENT_TYPE=text/x CONTENT_LENGTH=4 HTTP_X_A=1, 2 \
                    HTTP_COOKIE=c=3; d=4 REMOTE_USER=ada\nbody";
    assert_eq!(response.text(), expected);
    assert_eq!(response.header("content-length"), Some(expected.len().to_string().as_str()));
    assert_eq!(client.get("http://localhost/x#y").send().text(), "GET  /x\n");
    assert_eq!(Client::new(mirror).https().get("/").send().text(), "GET  / HTTPS=on\n");
}

#[test]
fn a_form_is_encoded_as_browsers_do() {
    let response = Client::new(mirror).post("/").form([("name", "Ada & Co"), ("é", "1+1=2")]).send();
    assert!(response.text().ends_with("\nname=Ada+%26+Co&%C3%A9=1%2B1%3D2"), "{}", response.text());
    assert!(response.text().contains("CONTENT_TYPE=application/x-www-form-urlencoded CONTENT_LENGTH=32"));
}

#[test]
fn a_mounted_application_sees_its_script_name() {
    let client = Client::new(signpost).mount("/cgi-bin/my%20app/").follow_redirects();
    assert_eq!(client.get("/cgi-bin/my%20app/x").send().text(), "GET /cgi-bin/my app /x\n");
    assert_eq!(client.get("/cgi-bin/my%20app").send().text(), "GET /cgi-bin/my app \n");
    assert_eq!(client.get("/cgi-bin/my%20application").send().status, 404);
    assert_eq!(client.get("/").send().status, 404);
    // A redirect to what is not the application's is given as it is.
    assert_eq!(client.get("/cgi-bin/my%20app/go?302=/elsewhere").send().status, 302);
    assert_eq!(client.get("/cgi-bin/my%20app/go?302=there").send().text(), "GET /cgi-bin/my app /there\n");
}

#[test]
fn redirects_change_the_method_as_the_rfc_says() {
    let client = Client::new(signpost).follow_redirects();
    let followed = |method, code| {
        let request =
            client.request(method, &format!("/go?{code}=/x")).header("content-type", "a/b").header("x-a", "1");
        request.body("body").send().text().into_owned()
    };
    let repeated = |method| format!("{method}  /x CONTENT_TYPE=a/b CONTENT_LENGTH=4 HTTP_X_A=1\nbody");
    let changed = "GET  /x HTTP_X_A=1\n".to_owned();
    assert_eq!(followed("POST", 301), changed);
    assert_eq!(followed("POST", 302), changed);
    assert_eq!(followed("POST", 303), changed);
    assert_eq!(followed("PUT", 303), changed);
    assert_eq!(followed("PUT", 302), repeated("PUT"));
    assert_eq!(followed("POST", 307), repeated("POST"));
    assert_eq!(followed("POST", 308), repeated("POST"));
    assert_eq!(client.head("/go?303=/x").send().status, 200);
    assert_eq!(client.get("/go?303=/x").send().target, "/x");
}

#[test]
fn what_cannot_be_followed_is_given() {
    let client = Client::new(signpost).follow_redirects();
    assert_eq!(client.get("/go?302=http://example.org/").send().status, 302);
    assert_eq!(client.get("/go?304=/x").send().status, 304);
    assert_eq!(client.get("/loop?0").send().target, "/loop?10");
    assert_eq!(client.post("/go?307=/x").input("once").send().status, 307);
    assert_eq!(client.post("/go?303=/x").input("once").send().text(), "GET  /x\n");
    assert_eq!(Client::new(signpost).get("/go?302=/x").send().header("location"), Some("/x"));
}

#[test]
fn cookies_are_kept_between_requests() {
    let client = Client::new(signpost).follow_redirects();
    assert_eq!(client.get("/set?a=1;path=/").send().text(), "GET  /mirror HTTP_COOKIE=a=1\n");
    client.set_cookie("b", "2");
    assert_eq!(client.get("/").send().text(), "GET  / HTTP_COOKIE=a=1; b=2\n");
    assert_eq!(client.cookie("a").as_deref(), Some("1"));
    assert_eq!(client.get("/set?a=;path=/;max-age=0").send().text(), "GET  /mirror HTTP_COOKIE=b=2\n");
    assert_eq!(client.cookie("a"), None);
}

#[test]
fn a_cut_response_is_never_taken_for_a_whole_one() {
    fn breaks(_: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::from_results([Ok("partial"), Err(Error::new("it broke"))]))
    }
    let client = Client::new(breaks);
    let cut = client.get("/").try_send().unwrap_err();
    assert_eq!(cut.response.body, "partial");
    assert_eq!(cut.to_string(), "the response to / was cut behind 7 bytes of its body: it broke");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.get("/").send()));
    assert!(panicked.is_err());
}

#[test]
fn a_file_that_cannot_be_read_cuts() {
    fn file(_: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        start_response.start(StatusCode::OK, ())?;
        let file = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))?;
        let length = file.metadata()?.len() + 1;
        Ok(Body::file_range(crate::FileRange { file, offset: 0, length }))
    }
    assert!(Client::new(file).get("/").try_send().is_err());
}

#[test]
fn failures_and_errors_are_seen() {
    fn fails(mut environ: Environ, _: &mut dyn StartResponse) -> Result<Body, Error> {
        io::Write::write_all(environ.errors(), b"about to fail\n")?;
        match environ.path_info() {
            b"/panic" => panic!("the roof is on fire"),
            _ => Err(Error::new("no such table")),
        }
    }
    let client = Client::new(fails);
    for (target, fault) in [("/panic", "panicked: the roof is on fire"), ("/", "no such table")] {
        let response = client.get(target).send();
        assert_eq!(
            (response.status, response.reason.as_ref()),
            (StatusCode::INTERNAL_SERVER_ERROR, &b"Internal Server Error"[..])
        );
        assert_eq!(response.errors, "about to fail\n");
        assert_eq!(response.faults.iter().map(Error::to_string).collect::<Vec<_>>(), [fault]);
    }
}

#[test]
fn chunks_are_seen_one_by_one() {
    fn streams(_: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::from_chunks(["a", "", "b"]))
    }
    let response = Client::new(streams).get("/").send();
    assert_eq!(response.chunks, ["a", "b"]);
    assert_eq!(response.body, "ab");
    assert_eq!(response.header("content-length"), None);
}

#[test]
fn a_body_may_break_off() {
    struct Gone;
    impl Source for Gone {
        fn fill(&mut self, _: &mut Vec<u8>) -> io::Result<()> {
            Err(Error::from(PeerError::Disconnected { doing: "in a test" }).into())
        }
    }
    fn lines(mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        for line in environ.input().lines() {
            line?;
        }
        start_response.start(StatusCode::OK, ())?;
        Ok(Body::empty())
    }
    let response = Client::new(lines).post("/").input(Input::new(Box::new(Gone))).send();
    assert!(matches!(response.faults[..], [Error::Peer(PeerError::Disconnected { .. })]));
}
