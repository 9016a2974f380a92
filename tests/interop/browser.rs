//! Headless Chromium, driven over WebDriver (W3C), clicks through the bookshelf: over plain HTTP, and behind nginx and
//! FastCGI below a prefix.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wgi_conformance::client::{Connection, PATIENCE, Response};

use crate::nginx;
use crate::process::{Place, Process, find, free_port, skipped};

#[test]
fn chromium_on_http() {
    let Some(driver) = driver("chromium_on_http") else { return };
    let place = Place::new().unwrap();
    let mut shelf = bookshelf(&place, &["--http", "127.0.0.1:0"]).unwrap();
    let address = shelf.await_address().unwrap();
    click_through(&driver, &place, &format!("http://{address}"));
}

#[test]
fn chromium_behind_nginx_and_fastcgi() {
    let Some(driver) = driver("chromium_behind_nginx_and_fastcgi") else { return };
    if find("nginx").is_none() {
        return skipped("chromium_behind_nginx_and_fastcgi", "there is no nginx here");
    }
    let place = Place::new().unwrap();
    let mut shelf = bookshelf(&place, &["--fastcgi", "127.0.0.1:0"]).unwrap();
    let backend = shelf.await_address().unwrap();
    let address = free_port().unwrap();
    let mut server = nginx::below_app(&place, address, &backend.to_string()).unwrap();
    server.await_tcp(address).unwrap();
    click_through(&driver, &place, &format!("http://{address}/app"));
}

/// What a visitor does: looks at the shelf, at a book, for its author, comes back, and has that forgotten.
fn click_through(driver: &PathBuf, place: &Place, root: &str) {
    let browser = Browser::start(driver, place).unwrap();
    browser.open(&format!("{root}/"));
    assert_eq!(browser.title(), "Bookshelf");
    let rules = browser.script("return document.styleSheets[0].cssRules.length");
    assert!(rules.as_u64() > Some(10), "the style sheet did not load: {rules}");
    let books = browser.count("ul.covers li");
    assert!(books > 5, "{books} books");
    assert_eq!(browser.count("p.last"), 0);

    browser.click("ul.covers li:nth-child(2) a");
    assert!(browser.url().starts_with(&format!("{root}/book/")), "{}", browser.url());
    let author = browser.text("article.book p.lead a");
    assert!(!author.is_empty() && browser.title().ends_with(&author), "{author} in {}", browser.title());

    browser.click("article.book p.lead a");
    assert_eq!(browser.text("h1"), format!("Books by “{author}”"));
    assert!((1..books).contains(&browser.count("ul.covers li")));

    browser.click("header a");
    assert_eq!(browser.url(), format!("{root}/"));
    assert_eq!(browser.text("p.last a"), author, "the last search is remembered");

    browser.type_in("input[name=author]", "woolf");
    browser.click("form.search button");
    assert_eq!(browser.url(), format!("{root}/search?author=woolf"));
    assert!(browser.text("ul.covers li").contains("Woolf"), "{}", browser.text("ul.covers"));
    // What looks like HTML is text.
    browser.type_in("input[name=author]", "<b id=x>");
    browser.click("form.search button");
    assert_eq!((browser.text("h1"), browser.count("#x")), ("Books by “<b id=x>”".to_owned(), 0));

    browser.click("header a");
    browser.click("a.quiet");
    assert_eq!((browser.url(), browser.count("p.last")), (format!("{root}/"), 0));

    browser.open(&format!("{root}/book/999999"));
    assert_eq!(browser.text("h1"), "No such book");
    browser.click("p.back a");
    assert_eq!(browser.count("ul.covers li"), books);
}

/// The driver of Chromium; `None` where that or Chromium is missing.
fn driver(test: &str) -> Option<PathBuf> {
    let driver = find("chromedriver");
    if driver.is_none() || (find("chromium").is_none() && find("google-chrome").is_none()) {
        skipped(test, "there is no Chromium with its chromedriver here");
        return None;
    }
    driver
}

/// Builds the example, and starts it with a database of its own.
fn bookshelf(place: &Place, arguments: &[&str]) -> io::Result<Process> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--package", "wgi-examples", "--bin", "bookshelf", "--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    let executable = built.stdout.split(|&byte| byte == b'\n').find_map(|line| {
        let message: Value = serde_json::from_slice(line).ok()?;
        Some(message.get("executable")?.as_str()?.to_owned())
    });
    let executable = executable.ok_or_else(|| io::Error::other(String::from_utf8_lossy(&built.stderr).into_owned()))?;
    let mut command = Command::new(executable);
    Process::start(place, "bookshelf", command.args(arguments).env("BOOKSHELF_DB", place.path("books.sqlite3")))
}

/// A session of WebDriver. Every step panics with what the browser said when it fails.
struct Browser {
    address: SocketAddr,
    session: String,
    _driver: Process,
}

impl Browser {
    fn start(driver: &PathBuf, place: &Place) -> io::Result<Browser> {
        let mut command = Command::new(driver);
        command.args(["--port=0", "--allowed-ips=127.0.0.1"]).env("HOME", place.folder("home")?);
        let mut process = Process::start(place, "chromedriver", &mut command)?;
        let port = process.await_text(|log| {
            let rest = &log[log.find("successfully on port ")? + "successfully on port ".len()..];
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u16>().ok()
        })?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let profile = format!("--user-data-dir={}", place.folder("profile")?.display());
        // Root, and containers, have no sandbox of Chromium's; it is shown nothing but our own pages.
        let arguments = json!(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", profile]);
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": arguments } } } });
        let mut browser = Browser { address, session: String::new(), _driver: process };
        let session = browser.call("POST", "", &wanted).map_err(io::Error::other)?;
        browser.session = format!("/{}", session["sessionId"].as_str().unwrap_or_default());
        Ok(browser)
    }

    fn open(&self, url: &str) {
        self.step("POST", "/url", &json!({ "url": url }));
    }

    fn title(&self) -> String {
        string(self.step("GET", "/title", &Value::Null))
    }

    fn url(&self) -> String {
        string(self.step("GET", "/url", &Value::Null))
    }

    fn count(&self, selector: &str) -> u64 {
        let found = self.step("POST", "/elements", &json!({ "using": "css selector", "value": selector }));
        found.as_array().map_or(0, Vec::len) as u64
    }

    fn text(&self, selector: &str) -> String {
        string(self.step("GET", &format!("{}/text", self.element(selector)), &Value::Null))
    }

    /// Clicks with the mouse, and waits for the page behind a link or button: until the mark that the old one was given
    /// is gone and the new one is complete.
    fn click(&self, selector: &str) {
        self.script("window.left = true");
        self.step("POST", &format!("{}/click", self.element(selector)), &json!({}));
        let arrived = json!({ "script": "return !window.left && document.readyState === 'complete'", "args": [] });
        let start = Instant::now();
        // In between two pages there is none to ask.
        while self.call("POST", "/execute/sync", &arrived) != Ok(Value::Bool(true)) {
            assert!(start.elapsed() < PATIENCE, "a click on {selector} leads nowhere");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Replaces the text of a field, key by key.
    fn type_in(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.step("POST", &format!("{element}/clear"), &json!({}));
        self.step("POST", &format!("{element}/value"), &json!({ "text": text }));
    }

    fn script(&self, script: &str) -> Value {
        self.step("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    fn element(&self, selector: &str) -> String {
        let found = self.step("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().and_then(|element| element.values().next()).and_then(Value::as_str);
        format!("/element/{}", id.unwrap_or_else(|| panic!("no element {selector}")))
    }

    #[track_caller]
    fn step(&self, method: &str, path: &str, body: &Value) -> Value {
        match self.call(method, path, body) {
            Ok(value) => value,
            Err(error) => panic!("{method} {path} {body}: {error}"),
        }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.ask(method, path, &body).map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_slice(&response.body).map_err(|error| error.to_string())?;
        match response.status {
            200 => Ok(answer["value"].take()),
            status => Err(format!("{status} {}", answer["value"]["message"])),
        }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<Response> {
        let mut connection = Connection::open(self.address)?;
        let fields = format!("Host: {}\r\nContent-Length: {}\r\nConnection: close\r\n", self.address, body.len());
        connection.send(format!("{method} /session{}{path} HTTP/1.1\r\n{fields}\r\n{body}", self.session))?;
        connection.receive(method)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends the browser; whatever is left ends with the driver's process group.
        let _ = self.ask("DELETE", "", "");
    }
}

fn string(value: Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
