//! `tranche-verify`: checks a log, a pack or the proof of one commit, and needs nothing else of Tranche.

mod call;

use call::Call;
use std::io::{self, Write};
use std::process::ExitCode;
use tranche_proof::keys::read_verifiers;
use tranche_proof::verdict::{self, BytesReport, Report};
use tranche_proof::{Exit, Expected, Failure, Quorum, Shelf, Stored};

const HELP: &str = "\
Checks what Tranche has stored. It writes nothing, and it asks nothing of any server.

tranche-verify log FILE [--public FILE] [--checkpoint FILE]... [--witness FILE] [--quorum NUMBER]
                        [--tree DIR] [--bytes]
    Checks a whole log: the stored bytes, every commit, the tree, and each checkpoint. FILE is the
    directory of an embedded log, its log.sqlite, or a file of `tranche export`, a commit a line.

tranche-verify pack FILE [--public FILE]
    Checks a pack of `tranche audit pack`, without its log. Without --public, the keys in the pack
    are believed.

tranche-verify proof FILE COMMIT --public FILE [--witness FILE] [--quorum NUMBER]
    Checks that a .tlog-proof holds for a commit. COMMIT is a file with the bytes of the commit;
    one newline at its end does not count.

Options:
  --public FILE      the public keys of the log, a line each; then signatures are checked too
  --checkpoint FILE  a signed checkpoint that you have kept: the log must contain what it is about
  --witness FILE     the public keys of witnesses, a line each: each checkpoint that you give, or
                     that the proof leads to, must have their cosignatures
  --quorum NUMBER    so many of the witnesses are enough; all of them if you do not say
  --tree DIR         where the tree of the log is kept; by default in the directory of the log
  --bytes            checks the stored bytes and the tree only, not what the commits say
  --help, --version

Findings go to standard output, failures to standard error. Exit codes:
  0  nothing was found
  1  the check has found something
  2  the call or its input could not be understood
  3  there is no such file
  4  the log or a file cannot be read
  5  what is stored is not what was written
";

fn main() -> ExitCode {
    let exit = match run() {
        Ok(()) => Exit::Done,
        Err(failure) => {
            let exit = failure.exit();
            if exit != Exit::Done {
                // If nobody listens, the exit code says it.
                let _ = writeln!(io::stderr(), "{}: {failure}", failure.heading());
            }
            exit
        }
    };
    ExitCode::from(exit as u8)
}

fn run() -> Result<(), Failure> {
    let call = Call::read(std::env::args_os().skip(1))?;
    match call.task() {
        "help" => say(HELP.trim_end()),
        "version" => say(&format!("tranche-verify {}", env!("CARGO_PKG_VERSION"))),
        "pack" => {
            let known = call.file("--public").map(read_verifiers).transpose()?;
            let checked = verdict::pack(call.given(0)?, known.as_deref())?;
            say(&checked.lines(known.is_some()).join("\n"))?;
            checked.verdict()
        }
        "proof" => {
            let public = call.file("--public");
            let public = public.ok_or_else(|| call::usage("a proof needs --public FILE"))?;
            let (known, quorum) = (read_verifiers(public)?, quorum(&call)?);
            let size = verdict::proof(call.given(0)?, call.given(1)?, &known, quorum.as_ref())?;
            say(&verdict::proven(size))
        }
        _ => {
            let failure =
                |error| Failure::File { what: "the threads of the program".into(), error };
            tokio::runtime::Runtime::new().map_err(failure)?.block_on(log(&call))
        }
    }
}

/// Checks a log.
async fn log(call: &Call) -> Result<(), Failure> {
    let stored = Stored::at(call.given(0)?)?;
    let known = call.file("--public").map(read_verifiers).transpose()?;
    let quorum = quorum(call)?;
    let kept = match call.file("--tree") {
        Some(dir) if !dir.is_dir() => {
            return Err(Failure::file(dir, io::ErrorKind::NotADirectory.into()));
        }
        Some(dir) => Some(Shelf::open(dir)?),
        None => stored.kept_tree()?,
    };
    let mut report = Report::default();
    if let Stored::Directory(dir) = &stored
        && !call.has("--bytes")
    {
        report.rows(dir)?;
    }
    if report.is_unreadable {
        say(&report.lines(known.is_some()).join("\n"))?;
        return report.verdict();
    }
    let checkpoints = call.files("--checkpoint");
    let asked = (checkpoints.as_slice(), quorum.as_ref());
    let expected = Expected::read(kept, known.as_deref(), asked, &mut report.findings)?;
    if call.has("--bytes") {
        let report = BytesReport::of(stored.open().await?, expected, report.findings).await?;
        say(&report.lines(known.is_some()).join("\n"))?;
        return report.verdict();
    }
    report.commits(stored.open().await?, expected, None, |_| ()).await?;
    say(&report.lines(known.is_some()).join("\n"))?;
    report.verdict()
}

fn quorum(call: &Call) -> Result<Option<Quorum>, Failure> {
    let needed = call.number("--quorum")?;
    match call.file("--witness") {
        Some(path) => Ok(Some(Quorum::read(path, needed)?)),
        None if needed.is_some() => Err(call::usage("--quorum is about --witness FILE")),
        None => Ok(None),
    }
}

/// Writes data to standard output.
fn say(text: &str) -> Result<(), Failure> {
    let failure = |error| Failure::File { what: "standard output".to_owned(), error };
    writeln!(io::stdout(), "{text}").map_err(failure)
}
