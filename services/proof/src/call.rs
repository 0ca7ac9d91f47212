//! Reads how the program was called.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tranche_proof::Failure;

/// What may be checked: its name, how many files it takes, and its options.
const TASKS: &[(&str, usize, &[&str])] = &[
    ("log", 1, &["--public", "--checkpoint", "--witness", "--quorum", "--tree", "--bytes"]),
    ("pack", 1, &["--public"]),
    ("proof", 2, &["--public", "--witness", "--quorum"]),
];
/// Options that take no value.
const FLAGS: &[&str] = &["--bytes"];
/// Options that may be given several times.
const SEVERAL: &[&str] = &["--checkpoint"];

/// One call of the program.
#[derive(Debug)]
pub struct Call {
    task: &'static str,
    given: Vec<PathBuf>,
    options: Vec<(&'static str, PathBuf)>,
}

/// Tells that the call makes no sense.
pub fn usage(what: &str) -> Failure {
    Failure::Usage(format!("{what}; see tranche-verify --help"))
}

impl Call {
    /// Reads the arguments that follow the name of the program.
    pub fn read(args: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let mut args = args.peekable();
        let mut call = Self { task: "help", given: Vec::new(), options: Vec::new() };
        let Some(first) = args.next() else { return Err(usage("what is to be checked?")) };
        let (task, files, options) = match first.to_string_lossy().as_ref() {
            "help" | "-h" | "--help" => return Ok(call),
            "-V" | "--version" => return Ok(Self { task: "version", ..call }),
            name => *TASKS
                .iter()
                .find(|(task, ..)| *task == name)
                .ok_or_else(|| usage(&format!("{name:?} is not log, pack or proof")))?,
        };
        while let Some(arg) = args.next() {
            let text = arg.to_string_lossy();
            if matches!(text.as_ref(), "-h" | "--help") {
                return Ok(call);
            }
            if !text.starts_with("--") {
                call.given.push(arg.into());
                continue;
            }
            let name = options.iter().find(|name| **name == text);
            let name = *name.ok_or_else(|| usage(&format!("{task} has no option {text}")))?;
            let is_again = call.has(name) && !SEVERAL.contains(&name);
            let value = if FLAGS.contains(&name) { Some(OsString::new()) } else { args.next() };
            let value = value.filter(|_| !is_again);
            let value = value.ok_or_else(|| usage(&format!("{name} takes one value")))?;
            call.options.push((name, value.into()));
        }
        if call.given.len() != files {
            let given = call.given.len();
            return Err(usage(&format!("{task} takes {files} file(s), and {given} were given")));
        }
        Ok(Self { task, ..call })
    }

    /// Gives what is to be checked.
    pub fn task(&self) -> &'static str {
        self.task
    }

    /// Gives a file by its place in the call.
    pub fn given(&self, place: usize) -> Result<&Path, Failure> {
        self.given.get(place).map(PathBuf::as_path).ok_or_else(|| usage("a file is missing"))
    }

    /// Tells whether an option is given.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(option, _)| *option == name)
    }

    /// Gives the value of an option.
    pub fn file(&self, name: &str) -> Option<&Path> {
        self.options.iter().find(|(option, _)| *option == name).map(|(_, path)| path.as_path())
    }

    /// Gives every value of an option.
    pub fn files(&self, name: &str) -> Vec<PathBuf> {
        let all = self.options.iter().filter(|(option, _)| *option == name);
        all.map(|(_, path)| path.clone()).collect()
    }

    /// Gives the value of an option that is a number.
    pub fn number(&self, name: &str) -> Result<Option<u16>, Failure> {
        let Some(text) = self.file(name) else { return Ok(None) };
        let number = text.to_str().and_then(|text| text.parse().ok());
        number.map(Some).ok_or_else(|| usage(&format!("{name} takes a number")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Call, Failure> {
        Call::read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_call_is_read_as_the_help_says() {
        let call =
            read("log l --public p --checkpoint a --checkpoint b --bytes --quorum 2").unwrap();
        assert_eq!((call.task(), call.given(0).unwrap()), ("log", Path::new("l")));
        assert_eq!(call.files("--checkpoint"), [PathBuf::from("a"), PathBuf::from("b")]);
        assert!(call.has("--bytes") && !call.has("--tree"));
        assert_eq!(call.number("--quorum").unwrap(), Some(2));
        assert_eq!(read("log --help").unwrap().task(), "help");
        assert_eq!(read("--version").unwrap().task(), "version");
    }

    #[test]
    fn a_call_that_makes_no_sense_is_refused() {
        for (line, what) in [
            ("", "what is to be checked?"),
            ("look x", "\"look\" is not log, pack or proof"),
            ("log", "log takes 1 file(s), and 0 were given"),
            ("proof x", "proof takes 2 file(s), and 1 were given"),
            ("pack x --bytes", "pack has no option --bytes"),
            ("pack x --public", "--public takes one value"),
            ("pack x --public a --public b", "--public takes one value"),
        ] {
            let failure = read(line).unwrap_err();
            assert_eq!(failure.to_string(), format!("{what}; see tranche-verify --help"));
            assert_eq!(failure.exit(), tranche_proof::Exit::Usage);
        }
        assert!(read("log x --quorum many").unwrap().number("--quorum").is_err());
    }
}
