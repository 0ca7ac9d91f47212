//! Standard output is data, standard error is talk.

use super::failure::Failure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
pub use tranche_proof::verdict::counted;

/// Says a line to the person at the terminal. If nobody listens, that is no failure.
pub fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Where data goes: standard output, or a file that appears whole or not at all.
pub struct Out {
    writer: BufWriter<Box<dyn Write>>,
    file: Option<Unfinished>,
}

/// A file that is being written under another name beside its own.
struct Unfinished {
    file: File,
    path: PathBuf,
    partial: PathBuf,
    done: bool,
}

impl Out {
    /// Standard output.
    pub fn stdout() -> Self {
        Self { writer: BufWriter::new(Box::new(io::stdout())), file: None }
    }

    /// A new file, which [`Out::finish`] puts in place; standard output when there is no path. A file that
    /// is there already is left alone: it may be somebody's log.
    pub fn to(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::stdout()) };
        if path.symlink_metadata().is_ok() {
            let path = path.display();
            return Err(Failure::Usage(format!("{path} exists, and nothing is overwritten")));
        }
        Self::over(path)
    }

    /// A file, in the place of the one that may be there.
    pub fn over(path: &Path) -> Result<Self, Failure> {
        let name = path
            .file_name()
            .ok_or_else(|| Failure::Usage(format!("{} is not a file name", path.display())))?;
        let mut partial = name.to_owned();
        partial.push(format!(".{}.partial", std::process::id()));
        let partial = path.with_file_name(partial);
        let file = File::create(&partial).map_err(|error| Failure::file(&partial, error))?;
        let handle = file.try_clone().map_err(|error| Failure::file(&partial, error))?;
        let unfinished = Unfinished { file, path: path.to_owned(), partial, done: false };
        Ok(Self { writer: BufWriter::new(Box::new(handle)), file: Some(unfinished) })
    }

    /// A line of text.
    pub fn line(&mut self, line: fmt::Arguments<'_>) -> Result<(), Failure> {
        writeln!(self.writer, "{line}").map_err(|error| self.failure(error))
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer.write_all(bytes).map_err(|error| self.failure(error))
    }

    /// A value as one line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value)
            .map_err(|error| Failure::Corrupt(format!("no JSON form: {error}")))?;
        self.line(format_args!("{text}"))
    }

    /// Hands over what has been written so far.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| self.failure(error))
    }

    /// Hands over the rest; a file takes its name now, after its bytes are on the disk.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.flush()?;
        if let Some(unfinished) = &mut self.file {
            unfinished.put_in_place().map_err(|error| Failure::file(&unfinished.path, error))?;
        }
        Ok(())
    }

    fn failure(&self, error: io::Error) -> Failure {
        match &self.file {
            Some(unfinished) => Failure::file(&unfinished.path, error),
            None => Failure::File { what: "standard output".to_owned(), error },
        }
    }
}

/// For what writes by itself, such as an archive.
impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Unfinished {
    fn put_in_place(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.partial, &self.path)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.done {
            // Nothing else can be done about a file that cannot be removed.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// A bar on standard error while long work runs, if a person looks at it.
pub fn progress(what: &'static str, length: u64) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(length), target).with_message(what);
    // The template is a literal; if it were wrong, the plain bar would do.
    match ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
