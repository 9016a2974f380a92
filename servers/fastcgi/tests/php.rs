//! PHP behind an `Upstream`: `php-fpm`, started by the test with a configuration of its own, and the small site in `site`.

use std::fs;
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use wgi::testing::Client;
use wgi::{App, Environ};
use wgi_fastcgi::{LocalRedirects, Scripts, Upstream, UpstreamOptions};
use wgi_middleware::LintLayer;
use wgi_testbed::gateway::call;

const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/site");

/// `php-fpm` with two processes, at a socket in a folder of its own.
struct Php {
    folder: TempDir,
    master: Child,
}

/// The programs of that name that are here, whatever their version: `php-fpm8.2`.
fn php_fpm() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]).find_map(|folder| {
        let entries = fs::read_dir(folder).ok()?;
        let mut names = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("php-fpm"));
        names.next().map(|entry| entry.path())
    })
}

impl Php {
    /// Starts it; where it is not installed, says that the test is skipped.
    fn start(test: &str) -> Option<Php> {
        let Some(program) = php_fpm() else {
            let _ = writeln!(io::stderr(), "skipped {test}: there is no php-fpm here");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let is_root = rustix::process::geteuid().is_root();
        let user = if is_root { "user = root\ngroup = root\n" } else { "" };
        let configuration = format!(
            "[global]\nerror_log = {log}\ndaemonize = no\n\
             [www]\n{user}listen = {socket}\npm = static\npm.max_children = 2\n\
             php_admin_value[session.save_path] = {folder}\nphp_admin_value[upload_tmp_dir] = {folder}\n\
             php_admin_value[output_buffering] = 0\nphp_admin_value[log_errors] = 1\n",
            log = at("fpm.log"),
            socket = at("php.sock"),
            folder = folder.path().display(),
        );
        fs::write(at("php-fpm.conf"), configuration).unwrap();
        let mut command = Command::new(program);
        command.args(["-n", "-F", "-y", &at("php-fpm.conf")]).args(is_root.then_some("-R"));
        let output = fs::File::create(at("output.log")).unwrap();
        let master = command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        let mut php = Php { folder, master };
        php.await_socket();
        Some(php)
    }

    fn await_socket(&mut self) {
        let start = Instant::now();
        while UnixStream::connect(self.socket()).and_then(|socket| socket.shutdown(Shutdown::Both)).is_err() {
            let has_ended = self.master.try_wait().unwrap().is_some();
            assert!(!has_ended && start.elapsed() < Duration::from_secs(30), "php-fpm does not start: {}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        ["fpm.log", "output.log"]
            .map(|name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default())
            .concat()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("php.sock")
    }

    fn upstream(&self) -> Upstream {
        self.upstream_with(UpstreamOptions::default())
    }

    fn upstream_with(&self, options: UpstreamOptions) -> Upstream {
        Upstream::with_options(format!("unix:{}", self.socket().display()).parse().unwrap(), options)
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.master.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.master.wait();
    }
}

fn scripts() -> Scripts {
    Scripts::local(SITE).unwrap()
}

fn client(app: impl App) -> Client<impl App> {
    Client::new(app.with(LintLayer)).mount("/site")
}

#[test]
fn a_script_gets_what_php_expects() {
    let Some(php) = Php::start("a_script_gets_what_php_expects") else { return };
    let client = client(php.upstream().scripts(scripts()).param("ADDED", "by the deployer"));
    let response = client.post("/site/info.php/a/b%20c?d=e").header("X-Test", "x").body("hello").send();
    assert_eq!(response.status, 200, "{}", response.errors);
    assert_eq!(response.header("content-type"), Some("application/json"));
    let text = response.text();
    for pair in [
        r#""SCRIPT_NAME":"/site/info.php""#,
        r#""PATH_INFO":"/a/b c""#,
        &format!(r#""SCRIPT_FILENAME":"{SITE}/info.php""#),
        &format!(r#""DOCUMENT_ROOT":"{SITE}""#),
        &format!(r#""PATH_TRANSLATED":"{SITE}/a/b c""#),
        r#""PHP_SELF":"/site/info.php/a/b c""#,
        r#""QUERY_STRING":"d=e""#,
        r#""REMOTE_ADDR":"127.0.0.1""#,
        r#""HTTP_X_TEST":"x""#,
        r#""CONTENT_LENGTH":"5""#,
        r#""ADDED":"by the deployer""#,
        r#""REQUEST_URI":"/site/info.php/a/b%20c?d=e""#,
        r#""input":5"#,
    ] {
        assert!(text.contains(pair), "{pair} is missing in {text}");
    }
    assert_eq!(client.get("/site/admin/").send().text(), "the admin page of /site/admin/index.php");
    // Neither of these ever gets to PHP.
    for path in ["/site/nothing.php", "/site/style.css", "/site/style.css/x.php", "/site/../../../etc/passwd"] {
        assert_eq!(client.get(path).send().status, 404, "{path}");
    }
}

#[test]
fn a_site_with_addresses_of_its_own_has_a_form_and_a_session() {
    let Some(php) = Php::start("a_site_with_addresses_of_its_own_has_a_form_and_a_session") else { return };
    // RFC 3875 has what php's `header('Location: /…', true, 303)` gives go to the client.
    let app = LocalRedirects::new(php.upstream().scripts(scripts().fallback("index.php")));
    let client = client(app).follow_redirects();
    assert_eq!(client.get("/site/").send().text(), "<p>Visit 1");
    assert!(client.cookie("PHPSESSID").is_some());
    assert_eq!(client.get("/site/").send().text(), "<p>Visit 2");
    assert!(client.get("/site/login").send().text().contains("<form"));
    let landed = client.post("/site/login").form([("name", "Ada & Bob")]).send();
    assert_eq!((landed.target.as_str(), landed.text().as_ref()), ("/site/", "<p>Visit 3 of Ada &amp; Bob"));
    let missing = client.get("/site/2024/hello-world").send();
    assert_eq!((missing.status.as_u16(), missing.text().as_ref()), (404, "<p>No page /2024/hello-world"));
    assert_eq!(client.head("/site/").send().status, 200);
    assert_eq!(client.get("/site/nothing").send().status, 204);
    assert_eq!(client.get("/site/").send().text(), "<p>Visit 5 of Ada &amp; Bob");
}

#[test]
fn an_upload_arrives_whole() {
    let Some(php) = Php::start("an_upload_arrives_whole") else { return };
    let client = client(php.upstream().scripts(scripts().fallback("index.php")));
    let content: Vec<u8> = (0..1_500_000_u32).map(|at| (at % 251) as u8).collect();
    let head =
        b"--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n";
    let body = [&head[..], &content, b"\r\n--b--\r\n"].concat();
    let response =
        client.post("/site/upload").header("content-type", "multipart/form-data; boundary=b").body(body).send();
    assert_eq!(response.text(), "photo: a.png, 1500000 bytes, 327d2131f826c9c6f323d8a919d06354");
}

#[test]
fn what_php_logs_is_the_operators() {
    let Some(php) = Php::start("what_php_logs_is_the_operators") else { return };
    let client = client(php.upstream().scripts(scripts().fallback("index.php")));
    let response = client.get("/site/log").send();
    assert_eq!(response.text(), "logged");
    assert!(response.errors.contains("said to the operator"), "{}", response.errors);
    // A page that tells of an error is a page, whatever its script says at its end.
    let response = client.get("/site/fails").send();
    assert_eq!((response.status.as_u16(), response.text().as_ref()), (500, "an error page"));
}

/// More requests at once than PHP has processes, and connections that are kept: each still gets its turn.
#[test]
fn nobody_starves_behind_connections_that_are_kept() {
    let Some(php) = Php::start("nobody_starves_behind_connections_that_are_kept") else { return };
    let mut options = UpstreamOptions::default();
    options.idle_timeout = Duration::from_secs(600);
    options.limits.silence = Duration::from_secs(15);
    let client = Client::new(php.upstream_with(options).scripts(scripts()));
    thread::scope(|scope| {
        for number in 0..8 {
            let client = &client;
            scope.spawn(move || {
                for turn in 0..20 {
                    let response = client.get(&format!("/info.php?{number}-{turn}")).send();
                    assert_eq!(response.status, 200, "{}", response.errors);
                    assert!(response.text().contains(&format!(r#""QUERY_STRING":"{number}-{turn}""#)));
                }
            });
        }
    });
}

#[test]
fn connections_are_kept() {
    let Some(php) = Php::start("connections_are_kept") else { return };
    let client = Client::new(php.upstream().scripts(scripts()));
    let pid = || {
        let text = client.post("/info.php").body("x").send().text().into_owned();
        text.split_once(r#""pid":"#).map(|(_, rest)| rest.trim_end_matches('}').to_owned()).unwrap()
    };
    // A process of PHP has one connection at a time, and this is it.
    let first = pid();
    assert!((0..5).all(|_| pid() == first));
}

#[test]
fn a_page_comes_as_it_is_made() {
    let Some(php) = Php::start("a_page_comes_as_it_is_made") else { return };
    let pipe = php.folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let environ = Environ::for_testing("GET", &format!("/slow.php?pipe={}", pipe.display()));
    let (_, mut body) = call(&php.upstream().scripts(scripts()), environ).unwrap();
    assert_eq!(body.next().unwrap().unwrap(), "first ");
    fs::write(&pipe, "second").unwrap();
    assert_eq!(body.map(|chunk| chunk.unwrap()).collect::<Vec<_>>().concat(), b"second");
}

#[test]
fn php_has_its_time() {
    let Some(php) = Php::start("php_has_its_time") else { return };
    let pipe = php.folder.path().join("pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let mut options = UpstreamOptions::default();
    options.limits.silence = Duration::from_millis(300);
    let client = Client::new(php.upstream_with(options).scripts(scripts()));
    let cut = client.get(&format!("/slow.php?pipe={}", pipe.display())).try_send().unwrap_err();
    assert_eq!(cut.response.body, "first ");
    // So that its process can end.
    let _ = fs::write(&pipe, "");
}
