//! The text of `--help`, from the table of options.

use std::fmt::Write;

use crate::OwnOption;
use crate::options::{Group, OPTIONS, Opt, Times};

/// The column at which what an option does starts.
const COLUMN: usize = 30;

impl Group {
    fn heading(self) -> &'static str {
        match self {
            Group::Listening => "Where to listen",
            Group::Application => "The application",
            Group::Limits => "Limits (SIZE: 512, 64K, 2G)",
            Group::Timeouts => "Timeouts (TIME: 500ms, 15s, 2m)",
        }
    }
}

/// The help of a program.
pub(crate) fn text(name: &str, about: Option<&str>, own: &[OwnOption]) -> String {
    let mut text = String::new();
    if let Some(about) = about {
        let _ = writeln!(text, "{about}\n");
    }
    let _ = write!(
        text,
        "Usage: {name} [OPTION…]\n\
         \n\
         Without options it serves HTTP on http://127.0.0.1:8080/, or on every interface at\n\
         port $PORT where that is set. Started by a web server as a CGI program or with a\n\
         listening socket as descriptor 0 (FastCGI), or by systemd with sockets, it serves\n\
         those.\n"
    );
    if !own.is_empty() {
        let _ = write!(text, "\nWhat it does:\n");
        for option in own {
            row(&mut text, option.name, option.value, option.help);
        }
    }
    for group in Group::ALL {
        let _ = write!(text, "\n{}:\n", group.heading());
        for option in OPTIONS.iter().filter(|option| option.group == group) {
            line(&mut text, option);
        }
        if group == Group::Listening {
            text.push_str("  ADDRESS is HOST:PORT, [V6]:PORT, :PORT (every interface) or unix:PATH\n");
            text.push_str("  PEERS are addresses and networks: 192.0.2.7,10.0.0.0/8, or unix: for Unix sockets\n");
        }
    }
    text.push_str("\nOther:\n");
    let _ = writeln!(text, "  {:<width$}show this help", "-h, --help", width = COLUMN - 2);
    let _ = writeln!(text, "  {:<width$}show the version", "-V, --version", width = COLUMN - 2);
    let _ = write!(
        text,
        "\nEvery option but --environ can be set by an environment variable too: --max-body by\n\
         WGI_MAX_BODY. A flag is 1 or 0 there, and several addresses have commas between\n\
         them. What stands on the command line counts. A CGI program has only WGI_MAX_BODY\n\
         and WGI_LINT.\n"
    );
    if let Some(option) = own.first() {
        let variable = option.variable(name);
        let _ = writeln!(text, "Its own options have variables too, as --{} has {variable}.", option.name);
    }
    let _ = write!(
        text,
        "\n\
         Examples:\n  \
           {name} --http :8080 --threads 64\n  \
           {name} --fastcgi unix:/run/{name}.sock --socket-mode 660\n  \
           {name} --http localhost:8080 --fastcgi 127.0.0.1:9000 --max-body 100M\n"
    );
    text
}

fn line(text: &mut String, option: &Opt) {
    let mut right = option.help.to_owned();
    if option.times != Times::Once {
        right.push_str(" (repeatable)");
    }
    if !option.default.is_empty() {
        let _ = write!(right, " [{}]", option.default);
    }
    row(text, option.name, option.value, &right);
}

/// One option; what it does may have several lines.
fn row(text: &mut String, name: &str, value: Option<&str>, help: &str) {
    let mut left = format!("--{name}");
    if let Some(value) = value {
        let _ = write!(left, " {value}");
    }
    for line in help.lines() {
        let _ = writeln!(text, "  {left:<width$}{line}", width = COLUMN - 2);
        left.clear();
    }
}
