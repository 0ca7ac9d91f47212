//! Programs that answer a line with a line.

use crate::cli::program::command;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Where Debian puts the sources of Go's packages.
const GO_PACKAGES: &str = "/usr/share/gocode";

/// A program that says `ok` or `no` to each line.
pub struct Program {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Program {
    pub fn start(mut command: Command) -> Program {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().expect("the program starts");
        let to = child.stdin.take().expect("a pipe");
        let from = BufReader::new(child.stdout.take().expect("a pipe"));
        Program { child, to, from }
    }

    /// What it says after `ok`, or after `no`.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> Result<String, String> {
        writeln!(self.to, "{line}").unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        match answer.trim_end().split_at_checked(2) {
            Some(("ok", said)) => Ok(said.trim_start().to_owned()),
            Some(("no", said)) => Err(said.trim_start().to_owned()),
            _ => panic!("{line}: the program ended: {answer:?}"),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The checker in Go, built in `dir` from Debian's sources, without the network.
pub fn sumdb(dir: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root");
    let program = dir.join("sumdb");
    let mut go = command("go", dir);
    go.env("GO111MODULE", "off").env("GOPATH", GO_PACKAGES).env("GOFLAGS", "");
    go.env("GOPROXY", "off").env("CGO_ENABLED", "0");
    go.env("GOCACHE", root.join("target/test-tools/go"));
    go.args(["build", "-o"]).arg(&program).arg(root.join("services/tranche/assets/pack/sumdb.go"));
    let output = go.output().expect("Go: see tests/run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}
