//! Applications by the path that they are mounted at: the longest path that fits decides.

use wgi::{App, Body, Environ, Error, StartResponse, StatusCode, percent};

/// Applications, each at a path.
#[derive(Default)]
pub(crate) struct Mounts {
    /// Longer paths come first; none has a slash at its end.
    mounts: Vec<(Vec<u8>, Box<dyn App>)>,
}

impl Mounts {
    /// Mounts an application at a path, percent-encoded as in a URL; `/` is for what nothing else is for.
    pub(crate) fn add(&mut self, path: &str, app: Box<dyn App>) -> Result<(), String> {
        let decoded = percent::decode(path.as_bytes()).filter(|decoded| decoded.starts_with(b"/"));
        let Some(decoded) = decoded else { return Err(format!("`{path}` is no path; one starts with a slash")) };
        let mount = decoded.strip_suffix(b"/").unwrap_or(&decoded).to_vec();
        if self.mounts.iter().any(|(other, _)| *other == mount) {
            return Err(format!("there are two backends for {path}"));
        }
        self.mounts.push((mount, app));
        self.mounts.sort_by_key(|(mount, _)| std::cmp::Reverse(mount.len()));
        Ok(())
    }

    /// Whether nothing is mounted.
    pub(crate) fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }
}

impl App for Mounts {
    fn call(&self, mut environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        let path = environ.path_info();
        let below = |mount: &[u8]| path.strip_prefix(mount).filter(|rest| rest.is_empty() || rest.starts_with(b"/"));
        let Some((mount, rest, app)) = self.mounts.iter().find_map(|(mount, app)| Some((mount, below(mount)?, app)))
        else {
            return Err(Error::refused(StatusCode::NOT_FOUND, "nothing is mounted here"));
        };
        // The URL of the request stays the same: what PATH_INFO loses, SCRIPT_NAME gets.
        let (script_name, rest) = ([environ.script_name(), mount].concat(), rest.to_vec());
        environ.set_var("SCRIPT_NAME", script_name);
        environ.set_var("PATH_INFO", rest);
        app.call(environ, start_response)
    }
}

#[cfg(test)]
mod tests {
    use wgi::testing::Client;

    use super::*;

    /// An application that says its name, and where it is.
    fn named(name: &'static str) -> Box<dyn App> {
        Box::new(move |environ: Environ, start_response: &mut dyn StartResponse| {
            start_response.start(StatusCode::OK, [("content-type", "text/plain")])?;
            let (script_name, path_info) = (environ.text("SCRIPT_NAME")?, environ.text("PATH_INFO")?);
            Ok(Body::from(format!("{name} at {script_name} for {path_info}, {}", environ.url())))
        })
    }

    fn mounts(paths: &[&'static str]) -> Mounts {
        let mut mounts = Mounts::default();
        for path in paths {
            mounts.add(path, named(path)).unwrap();
        }
        mounts
    }

    #[test]
    fn the_longest_path_that_fits_decides() {
        let client = Client::new(mounts(&["/a", "/a/b/", "/a%20b"])).mount("/site");
        for (path, expected) in [
            ("/site/a", "/a at /site/a for , http://localhost/site/a"),
            ("/site/a/", "/a at /site/a for /, http://localhost/site/a/"),
            ("/site/a/c?d", "/a at /site/a for /c, http://localhost/site/a/c?d"),
            ("/site/a/b", "/a/b/ at /site/a/b for , http://localhost/site/a/b"),
            ("/site/a/b/c", "/a/b/ at /site/a/b for /c, http://localhost/site/a/b/c"),
            ("/site/a/bc", "/a at /site/a for /bc, http://localhost/site/a/bc"),
            ("/site/a%20b/c", "/a%20b at /site/a b for /c, http://localhost/site/a%20b/c"),
        ] {
            assert_eq!(client.get(path).send().text(), expected);
        }
        for path in ["/site/", "/site/ab", "/site/b"] {
            assert_eq!(client.get(path).send().status, 404, "{path}");
        }
    }

    #[test]
    fn the_root_is_for_everything_else() {
        let client = Client::new(mounts(&["/", "/a"]));
        assert_eq!(client.get("/").send().text(), "/ at  for /, http://localhost/");
        assert_eq!(client.get("/b/c").send().text(), "/ at  for /b/c, http://localhost/b/c");
        assert_eq!(client.get("/a/b").send().text(), "/a at /a for /b, http://localhost/a/b");
    }

    #[test]
    fn a_path_is_one_and_taken_once() {
        for bad in ["", "a", "cgi:x", "/%zz", "/%00"] {
            assert!(Mounts::default().add(bad, named("x")).is_err(), "{bad}");
        }
        assert!(mounts(&["/a"]).add("/a/", named("x")).is_err());
    }
}
