//! What stands behind `=` in `--mount`: a back end as one word, and the application that it becomes.

use std::path::Path;
use std::time::Duration;

use wgi::App;
use wgi_cgi::{Directory, Limits, ProgramOptions, Script, Variables};
use wgi_fastcgi::Scripts;

/// Reads `KIND:PLACE[,OPTION…]`.
pub(crate) fn parse(text: &str) -> Result<Box<dyn App>, String> {
    let mut words = text.split(',');
    let (kind, place) = words.next().and_then(|word| word.split_once(':')).unwrap_or_default();
    let mut options = Options { words: words.collect() };
    let app = match kind {
        "cgi" => cgi(place, &mut options)?,
        "fastcgi" => fastcgi(place, &mut options)?,
        "scgi" => scgi(place, &mut options)?,
        _ => return Err(format!("`{text}` is no backend; write cgi:PATH, fastcgi:ADDRESS or scgi:ADDRESS")),
    };
    match options.words.first() {
        Some(unknown) => Err(format!("`{unknown}` is no option of {kind}")),
        None => Ok(app),
    }
}

fn cgi(place: &str, options: &mut Options<'_>) -> Result<Box<dyn App>, String> {
    let path = Path::new(place);
    let mut program = ProgramOptions::default();
    program.heed_exit_status = options.take_flag("strict");
    program.limits = options.take_limits()?;
    program.variables = options.take_variables();
    let interpreters = options.take_all(|name| name.strip_prefix('.').filter(|extension| !extension.is_empty()));
    let wrong = |error: std::io::Error| format!("{place}: {error}");
    if path.metadata().map_err(wrong)?.is_dir() {
        let directory = Directory::new(path).map_err(wrong)?.options(program);
        let directory = interpreters
            .into_iter()
            .fold(directory, |directory, (extension, interpreter)| directory.interpreter(extension, interpreter));
        return Ok(Box::new(directory));
    }
    let script = Script::new(path).map_err(wrong)?.options(program);
    let of_this = interpreters.into_iter().find(|(extension, _)| path.extension().is_some_and(|own| own == *extension));
    Ok(Box::new(match of_this {
        Some((_, interpreter)) => script.interpreter(interpreter),
        None => script,
    }))
}

fn fastcgi(place: &str, options: &mut Options<'_>) -> Result<Box<dyn App>, String> {
    let mut upstream = wgi_fastcgi::UpstreamOptions::default();
    upstream.heed_app_status = options.take_flag("strict");
    upstream.max_connections = options.take_number("connections")?.unwrap_or(upstream.max_connections);
    upstream.limits = options.take_limits()?;
    upstream.variables = options.take_variables();
    let upstream = wgi_fastcgi::Upstream::with_options(place.parse()?, upstream);
    let Some(root) = options.take("root") else { return Ok(Box::new(upstream)) };
    let mut scripts = Scripts::local(root).map_err(|error| format!("{root}: {error}"))?;
    if let Some(index) = options.take("index") {
        scripts = scripts.index(index);
    }
    if let Some(fallback) = options.take("fallback") {
        scripts = scripts.fallback(fallback);
    }
    if let Some(suffix) = options.take("suffix") {
        scripts = scripts.suffix(suffix);
    }
    Ok(Box::new(upstream.scripts(scripts)))
}

fn scgi(place: &str, options: &mut Options<'_>) -> Result<Box<dyn App>, String> {
    let mut upstream = wgi_scgi::UpstreamOptions::default();
    upstream.max_connections = options.take_number("connections")?.unwrap_or(upstream.max_connections);
    upstream.limits = options.take_limits()?;
    upstream.variables = options.take_variables();
    Ok(Box::new(wgi_scgi::Upstream::with_options(place.parse()?, upstream)))
}

/// The options that nobody has taken yet, each `NAME` or `NAME=VALUE`.
struct Options<'a> {
    words: Vec<&'a str>,
}

impl<'a> Options<'a> {
    fn take_flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| *word != name);
        self.words.len() < before
    }

    /// The value of an option, of several the last.
    fn take(&mut self, name: &str) -> Option<&'a str> {
        self.take_all(|other| (other == name).then_some(other)).pop().map(|(_, value)| value)
    }

    fn take_number(&mut self, name: &str) -> Result<Option<usize>, String> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.parse() {
            Ok(number @ 1..) => Ok(Some(number)),
            _ => Err(format!("{name}={value}: that is no number, or none from 1 on")),
        }
    }

    /// Those whose names are wanted, as what `wanted` makes of the name.
    fn take_all(&mut self, wanted: impl Fn(&'a str) -> Option<&'a str>) -> Vec<(&'a str, &'a str)> {
        let mut taken = Vec::new();
        self.words.retain(|word| {
            let found = word.split_once('=').and_then(|(name, value)| Some((wanted(name)?, value)));
            taken.extend(found);
            found.is_none()
        });
        taken
    }

    fn take_limits(&mut self) -> Result<Limits, String> {
        let mut limits = Limits::default();
        if let Some(seconds) = self.take_number("timeout")? {
            limits.silence = Duration::from_secs(seconds as u64);
        }
        Ok(limits)
    }

    fn take_variables(&mut self) -> Variables {
        let mut variables = Variables::default();
        variables.pass_authorization(self.take_flag("authorization"));
        let is_variable = |name: &str| {
            name.starts_with(|first: char| first.is_ascii_uppercase())
                && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        };
        for (name, value) in self.take_all(|name| is_variable(name).then_some(name)) {
            variables.add(name, value);
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use wgi::testing::Client;

    use super::*;

    fn refused(text: &str) -> String {
        parse(text).err().unwrap_or_else(|| panic!("{text} is taken"))
    }

    #[test]
    fn a_backend_is_one_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        for text in [
            &format!("cgi:{path}"),
            &format!("cgi:{path},.php=/usr/bin/php-cgi,strict,timeout=5,authorization,APP_ENV=a=b"),
            "fastcgi:127.0.0.1:9000",
            "fastcgi:unix:/run/a.sock,root=/srv,index=a.php,fallback=/b.php,suffix=.php5,connections=5,strict",
            "scgi:[::1]:4000,connections=2,A_1=x",
        ] {
            assert!(parse(text).is_ok(), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn what_is_none_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        for (text, reason) in [
            ("", "is no backend"),
            ("/usr/lib/cgi-bin", "is no backend"),
            ("http:127.0.0.1:80", "is no backend"),
            ("cgi:/nonexistent", "/nonexistent: No such file"),
            (&format!("cgi:{path},root=/srv"), "`root=/srv` is no option of cgi"),
            (&format!("cgi:{path},lower=x"), "`lower=x` is no option of cgi"),
            ("fastcgi:nowhere", "nowhere"),
            ("fastcgi::9000,index=a.php", "`index=a.php` is no option of fastcgi"),
            ("scgi::4000,strict", "`strict` is no option of scgi"),
            ("scgi::4000,connections=0", "connections=0: that is no number"),
            ("scgi::4000,timeout=soon", "timeout=soon: that is no number"),
        ] {
            assert!(refused(text).contains(reason), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn a_directory_and_a_program_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.sh");
        fs::write(&path, "printf 'Content-Type: text/plain\\n\\n%s' \"$SCRIPT_NAME|$PATH_INFO|$GREETING\"").unwrap();
        let options = ".sh=/bin/sh,GREETING=hello";
        let directory = parse(&format!("cgi:{},{options}", folder.path().display())).unwrap();
        assert_eq!(Client::new(directory).get("/page.sh/a").send().text(), "/page.sh|/a|hello");
        let program = parse(&format!("cgi:{},{options}", path.display())).unwrap();
        assert_eq!(Client::new(program).mount("/page").get("/page/a").send().text(), "/page|/a|hello");
    }
}
