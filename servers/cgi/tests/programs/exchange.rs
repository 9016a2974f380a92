//! What goes to a program, and what is made of what it answers.

use std::fs;
use std::os::unix::fs::symlink;

use wgi::testing::Client;
use wgi::{App, Environ, Error, PeerError};
use wgi_cgi::{Directory, LocalRedirects, ProgramOptions, Script};
use wgi_middleware::LintLayer;
use wgi_testbed::gateway::{call, pieces};

use super::{CGI_BIN, Fifo, bytes, client, directory, get, has, pattern, php_cgi, post};

#[test]
fn a_shell_script_answers() {
    let response = get(directory(), "hello.sh?Ada");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("text/plain"));
    assert_eq!(response.text(), "Hello from a shell, Ada!\n");
    assert_eq!(client(directory()).head("/cgi-bin/hello.sh").send().text(), "");
}

#[test]
fn python_answers() {
    if !has("python3", "python_answers") {
        return;
    }
    let client = client(directory());
    client.set_cookie("c", "3");
    let response = post(&client, "form.py/a%2Fb?x=1&y=%C3%A9").form([("z", "<b>")]).send();
    assert_eq!(response.status, 200);
    assert_eq!(response.headers.get_all("set-cookie").count(), 2);
    assert_eq!(response.text(), "<p>x: 1\n<p>y: \u{e9}\n<p>z: &lt;b&gt;\n<p>POST c=3 /a/b\n");
}

#[test]
fn perl_answers() {
    if !has("perl", "perl_answers") {
        return;
    }
    let response = post(&client(directory()), "count.pl/x").body(pattern(100_000)).send();
    assert_eq!((response.status.as_u16(), &response.reason[..]), (201, &b"Counted"[..]));
    assert_eq!(response.text(), "100000 bytes from 127.0.0.1, /cgi-bin/count.pl and /x\n");
}

#[test]
fn php_answers() {
    if !has("php-cgi", "php_answers") {
        return;
    }
    let client = client(directory().interpreter("php", php_cgi()));
    let response = client.get("/cgi-bin/page.php?a=1&b[]=2").send();
    assert_eq!(response.header("x-made-by"), Some("php"));
    assert!(response.header("content-type").unwrap().starts_with("text/html"), "{response:?}");
    assert!(response.text().starts_with(r#"{"get":{"a":"1","b":["2"]},"post":[],"files":[],"#), "{}", response.text());
    assert_eq!(client.cookie("seen").as_deref(), Some("yes"));
    assert_eq!(client.get("/cgi-bin/page.php?missing").send().status, 404);

    let form = post(&client, "page.php/behind/it").form([("name", "Ada")]).send();
    let text = form.text();
    assert!(text.contains(r#""post":{"name":"Ada"}"#), "{text}");
    assert!(text.contains(r#""script":"\/cgi-bin\/page.php","path_info":"\/behind\/it""#), "{text}");

    let part = "--b\r\nContent-Disposition: form-data; name=\"up\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n";
    let upload = post(&client, "page.php").header("content-type", "multipart/form-data; boundary=b").body(part).send();
    let expected = r#""files":{"up":["a.txt",5,"5d41402abc4b2a76b9719d911017c592"]}"#;
    assert!(upload.text().contains(expected), "{}", upload.text());
}

/// CVE-2012-1823: php-cgi took a query without `=` for its options.
#[test]
fn a_query_is_never_a_command_line() {
    let text = get(directory(), "environ.sh?-s+-d+x").text().into_owned();
    assert!(text.starts_with("args=\n"), "{text}");
    assert!(text.contains("\nQUERY_STRING=-s+-d+x\n"), "{text}");
    if has("php-cgi", "a_query_is_never_a_command_line") {
        let response = get(directory().interpreter("php", php_cgi()), "page.php?-s");
        assert!(response.text().starts_with(r#"{"get":{"-s":""}"#), "{}", response.text());
    }
}

#[test]
fn the_environment_is_clean() {
    let app = directory().env("GREETING", "hello").env("HTTP_X_SET", "by the deployer");
    // Without the validator, which does not let `Proxy` pass.
    let client = Client::new(app).mount("/cgi-bin");
    let response = client
        .get("/cgi-bin/environ.sh/a/b?c=d")
        .header("X-Test", "a  b")
        .header("X-Set", "by the client")
        .header("Proxy", "http://evil.example")
        .header("Authorization", "Basic c2VjcmV0")
        .var("REMOTE_USER", "ada")
        .var("OTHER", "x")
        .var("LD_PRELOAD", "/tmp/evil.so")
        .send();
    let text = response.text();
    let has = |line: &str| text.lines().any(|other| other == line);
    for line in [
        "GATEWAY_INTERFACE=CGI/1.1",
        "REQUEST_METHOD=GET",
        "SCRIPT_NAME=/cgi-bin/environ.sh",
        "PATH_INFO=/a/b",
        &format!("PATH_TRANSLATED={CGI_BIN}/a/b"),
        &format!("SCRIPT_FILENAME={CGI_BIN}/environ.sh"),
        &format!("DOCUMENT_ROOT={CGI_BIN}"),
        &format!("pwd={CGI_BIN}"),
        "QUERY_STRING=c=d",
        "REMOTE_ADDR=127.0.0.1",
        "REMOTE_USER=ada",
        "SERVER_PROTOCOL=HTTP/1.1",
        "REDIRECT_STATUS=200",
        "HTTP_X_TEST=a  b",
        "HTTP_X_SET=by the deployer",
        "GREETING=hello",
        &format!("PATH={}", std::env::var("PATH").unwrap()),
    ] {
        assert!(has(line), "{line} is missing in\n{text}");
    }
    for name in ["HTTP_PROXY", "HTTP_AUTHORIZATION", "OTHER", "LD_PRELOAD", "HOME", "CARGO", "CONTENT_LENGTH"] {
        assert!(!text.contains(&format!("\n{name}=")), "{name} is there in\n{text}");
    }
}

#[test]
fn what_is_passed_can_be_said() {
    let mut options = ProgramOptions::default();
    options.variables.pass("OTHER");
    options.variables.pass_authorization(true);
    options.working_directory = Some("/".into());
    options.document_root = Some("/srv/www".into());
    let script = Script::new(format!("{CGI_BIN}/environ.sh")).unwrap().options(options).args(["a", "b c"]);
    let client = Client::new(script.with(LintLayer)).mount("/app");
    let response = client.get("/app/x/y").header("authorization", "Basic c2VjcmV0").var("OTHER", "x").send();
    let text = response.text();
    assert!(text.starts_with("args=a b c\npwd=/\n"), "{text}");
    for line in [
        "OTHER=x",
        "HTTP_AUTHORIZATION=Basic c2VjcmV0",
        "SCRIPT_NAME=/app",
        "PATH_INFO=/x/y",
        "PATH_TRANSLATED=/srv/www/x/y",
        "DOCUMENT_ROOT=/srv/www",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is missing in\n{text}");
    }
}

#[test]
fn an_interpreter_runs_what_is_not_executable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.txt");
    fs::write(&path, "printf 'Content-Type: text/plain\\n\\n%s' \"$1 $#\"").unwrap();
    let script = Script::new(&path).unwrap().interpreter("/bin/sh").args(["-e"]);
    assert_eq!(Client::new(script.with(LintLayer)).get("/").send().text(), " 0");
    let app = Directory::new(folder.path()).unwrap().interpreter("txt", "/bin/sh");
    assert_eq!(get(app, "page.txt").text(), " 0");
    assert_eq!(get(Directory::new(folder.path()).unwrap(), "page.txt").status, 403);
}

#[test]
fn only_programs_of_the_directory_are_run() {
    let folder = tempfile::tempdir().unwrap();
    for name in [".hidden", "data"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    symlink("/bin/true", folder.path().join("outside")).unwrap();
    let client = client(Directory::new(folder.path()).unwrap());
    for (path, status) in [
        ("data", 403),
        ("outside", 404),
        (".hidden", 404),
        ("%2ehidden", 404),
        ("", 404),
        ("nothing", 404),
        ("../../../bin/true", 404),
        ("..%2f..%2f..%2fbin%2ftrue", 404),
        ("%2e%2e/%2e%2e/bin/true", 404),
        ("..%5c..%5cbin%5ctrue", 404),
        ("/bin/true", 404),
        ("data%00", 404),
    ] {
        assert_eq!(client.get(&format!("/cgi-bin/{path}")).send().status.as_u16(), status, "{path}");
    }
    let gone = Directory::new(folder.path().join("nothing")).unwrap();
    assert_eq!(get(gone, "a").status, 500);
}

#[test]
fn a_program_lies_at_any_depth() {
    let response = get(directory(), "sub/deep.sh/sub/deep.sh");
    assert_eq!(response.text(), format!("/cgi-bin/sub/deep.sh|/sub/deep.sh|{CGI_BIN}/sub/deep.sh"));
    assert_eq!(get(directory(), "sub").status, 404);
}

#[test]
fn a_body_is_passed_on_whatever_its_size() {
    let client = client(directory());
    for length in [0, 1, 16_384, 16_385, 65_536, 65_537, 3_000_000] {
        let body = pattern(length);
        assert!(post(&client, "echo.sh").body(body.clone()).send().body == body, "{length}");
    }
}

#[test]
fn a_body_is_passed_on_while_it_comes() {
    let client = client(directory());
    let response = post(&client, "echo.sh").input(pieces(500_000, false)).header("content-length", "500000").send();
    assert_eq!(response.body.len(), 500_000);
    // One whose length nobody knows is collected first.
    assert_eq!(post(&client, "echo.sh").input(pieces(500_000, false)).send().body.len(), 500_000);
    let text = post(&client, "environ.sh").input(pieces(5, false)).send();
    assert!(text.text().contains("\nCONTENT_LENGTH=5\n"), "{}", text.text());
}

#[test]
fn neither_side_waits_for_the_other() {
    let client = client(directory());
    let response = post(&client, "answers_first.sh").body(pattern(3_000_000)).send();
    assert!(response.text().ends_with("x3000000\n"), "{}", response.body.len());
    assert_eq!(response.body.len(), 3_000_008);
    assert_eq!(post(&client, "ignores.sh").body(pattern(3_000_000)).send().text(), "ignored");
}

#[test]
fn a_body_that_breaks_off_ends_the_program() {
    let fifo = Fifo::new();
    let script = Script::new(format!("{CGI_BIN}/hangs.sh")).unwrap().env("FIFO", bytes(&fifo.path));
    let mut environ = Environ::for_testing("POST", "/").with_input(pieces(50_000, true));
    environ.set_var("CONTENT_LENGTH", "500000");
    let error = call(&script, environ).unwrap_err();
    assert!(matches!(error, Error::Peer(PeerError::Disconnected { .. })), "{error}");
    fifo.ended();
}

#[test]
fn a_head_is_read_strictly() {
    let client = client(directory());
    for (head, status, body) in [
        ("Content-Type:text/plain++body", 200, "body"),
        ("Status:404+Content-Type:text/plain++body", 404, "body"),
        ("Status:204++", 204, ""),
        ("Status:404++", 404, ""),
        ("Status:304+Content-Type:text/plain+ETag:a++", 304, ""),
        ("Content-Type:text/plain+Content-Length:3++body", 200, "bod"),
        // Without a type, without anything, without an end, or none at all.
        ("Status:200++body", 502, ""),
        ("++body", 502, ""),
        ("body", 502, ""),
        ("Content-Type:text/plain", 502, ""),
        ("Content-Type:text/plain+", 502, ""),
        ("", 502, ""),
        ("Status:99+Content-Type:text/plain++body", 502, ""),
        ("Content-Type:text/plain+Content-Type:text/html++body", 502, ""),
        ("Content-Type:text/plain+Transfer-Encoding:chunked++0++", 502, ""),
    ] {
        let response = client.get(&format!("/cgi-bin/status.sh?{head}")).send();
        assert_eq!(response.status.as_u16(), status, "{head}");
        if status == 502 {
            assert!(response.text().starts_with("502 Bad Gateway"), "{head}: {}", response.text());
            assert!(response.errors.contains("wgi: status.sh: "), "{head}: {}", response.errors);
        } else {
            assert_eq!(response.text(), body, "{head}");
        }
    }
}

#[test]
fn a_length_is_held() {
    let response = get(directory(), "status.sh?Content-Type:text/plain+Content-Length:3++body");
    assert_eq!(response.text(), "bod");
    assert!(response.errors.contains("more bytes than its Content-Length"), "{}", response.errors);
    match client(directory()).get("/cgi-bin/status.sh?Content-Type:text/plain+Content-Length:3++bo").try_send() {
        Ok(response) => assert_eq!(response.status, 502),
        Err(cut) => assert_eq!(cut.response.body, "bo"),
    }
}

#[test]
fn limits_are_held() {
    let mut options = ProgramOptions::default();
    options.limits.max_head = 100;
    options.limits.max_fields = 3;
    options.limits.max_output = 10;
    options.limits.max_spool = 10;
    let client = client(directory().options(options));
    let get = |query: &str| client.get(&format!("/cgi-bin/status.sh?Content-Type:text/plain{query}")).try_send();
    assert_eq!(get("++0123456789").unwrap().status, 200);
    assert_eq!(get("++0123456789a").unwrap().status, 502);
    assert_eq!(get("+A:+B:++").unwrap().status, 200);
    assert_eq!(get("+A:+B:+C:++").unwrap().status, 502);
    assert_eq!(get(&format!("+A:{}++", "a".repeat(100))).unwrap().status, 502);
    assert_eq!(post(&client, "ignores.sh").input(pieces(11, false)).send().status, 413);
}

#[test]
fn a_redirect_for_the_client_goes_there() {
    let client = client(directory());
    let response = client.get("/cgi-bin/redirects.sh?http://example.org/a%20b").send();
    assert_eq!((response.status.as_u16(), response.header("location")), (302, Some("http://example.org/a%20b")));
    // Nobody follows redirects for the server here: the client may.
    let response = client.get("/cgi-bin/redirects.sh?/cgi-bin/hello.sh?Ada").send();
    assert_eq!((response.status.as_u16(), response.header("location")), (302, Some("/cgi-bin/hello.sh?Ada")));
    assert_eq!(response.text(), "");
}

#[test]
fn a_redirect_for_the_server_is_followed_there() {
    let client = client(LocalRedirects::new(directory()).most(3));
    let to = |target: &str| client.post(&format!("/cgi-bin/redirects.sh?{target}")).body("a=b").send();
    assert_eq!(to("/cgi-bin/hello.sh?Ada").text(), "Hello from a shell, Ada!\n");
    let environ = to("/cgi-bin/environ.sh/%C3%A9?x=y#z");
    for line in [
        "REQUEST_METHOD=GET",
        "SCRIPT_NAME=/cgi-bin/environ.sh",
        "PATH_INFO=/\u{e9}",
        "QUERY_STRING=x=y",
        "REQUEST_URI=/cgi-bin/environ.sh/%C3%A9?x=y",
        "REDIRECT_URL=/cgi-bin/redirects.sh",
    ] {
        assert!(environ.text().lines().any(|other| other == line), "{line}: {}", environ.text());
    }
    assert!(!environ.text().contains("CONTENT_LENGTH"), "{}", environ.text());
    assert_eq!(to("/cgi-bin/redirects.sh?/cgi-bin/hello.sh").text(), "Hello from a shell, whoever you are!\n");
    assert_eq!(to("/cgi-bin/nothing").status, 404);
    assert_eq!(to("/cgi-bin/%zz").status, 502);
    // Out of what this server is asked for here.
    assert_eq!((to("/other").status.as_u16(), to("/other").header("location")), (302, Some("/other")));
    // Without end.
    let endless =
        (0..10).fold(String::from("/cgi-bin/hello.sh"), |target, _| format!("/cgi-bin/redirects.sh?{target}"));
    assert_eq!(to(&endless).status, 502);
}

#[test]
fn non_parsed_headers_are_parsed_all_the_same() {
    let response = get(directory(), "nph-hello.sh");
    assert_eq!((response.status.as_u16(), &response.reason[..]), (299, &b"Quite Right"[..]));
    assert_eq!(response.text(), "not parsed");
    assert!(!response.headers.contains("connection"));
}
