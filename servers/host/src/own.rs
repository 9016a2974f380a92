//! Options that a program has beside the launcher's: declared in `main`, read with the others, shown in the help.

use std::ffi::{OsStr, OsString};

use crate::Started;

/// An option of a program's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnOption {
    /// Its name without the dashes.
    pub name: &'static str,
    /// What its value is called in the help; none for one that takes no value.
    pub value: Option<&'static str>,
    /// What it does, in a few words.
    pub help: &'static str,
}

/// What was given of a program's own options: on the command line, or by their environment variables.
///
/// Each may be given any number of times; what that means is for the program to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    options: Vec<(&'static str, OsString)>,
}

impl Given {
    /// The values of an option, in the order in which they were given.
    pub fn all(&self, name: &str) -> Vec<&OsStr> {
        self.options.iter().filter(|(given, _)| *given == name).map(|(_, value)| value.as_os_str()).collect()
    }

    /// The value of an option, of several the last.
    pub fn last(&self, name: &str) -> Option<&OsStr> {
        self.all(name).pop()
    }

    /// Whether an option was given.
    pub fn has(&self, name: &str) -> bool {
        self.last(name).is_some()
    }

    pub(crate) fn push(&mut self, name: &'static str, value: OsString) {
        self.options.push((name, value));
    }

    /// Takes the values of those options that are not given from their variables. What has several values there has
    /// blanks between them.
    pub(crate) fn add_variables(&mut self, options: &[OwnOption], started: &Started, program: &str) {
        for option in options.iter().filter(|option| !self.has(option.name)).collect::<Vec<_>>() {
            let Some(value) = started.var(&option.variable(program)) else { continue };
            match (option.value, value.to_str()) {
                (None, Some("1" | "yes" | "true" | "on")) => self.push(option.name, "1".into()),
                (None, _) => {}
                (Some(_), Some(values)) => {
                    values.split_ascii_whitespace().for_each(|value| self.push(option.name, value.into()));
                }
                (Some(_), None) => self.push(option.name, value.to_owned()),
            }
        }
    }
}

impl OwnOption {
    /// The environment variable that stands for it: `GATEWAY_MOUNT` for `--mount` of a program named `gateway`.
    pub(crate) fn variable(&self, program: &str) -> String {
        format!("{program}_{}", self.name).to_ascii_uppercase().replace(|char: char| !char.is_ascii_alphanumeric(), "_")
    }
}

pub(crate) fn named<'a>(options: &'a [OwnOption], name: &str) -> Option<&'a OwnOption> {
    options.iter().find(|option| option.name == name)
}
