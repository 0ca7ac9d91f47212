//! What README.md says besides its examples is true, and the program that it names runs.

use crate::log::{ENTRY_BYTES_MAX, GROUP_BYTES_MAX, GROUP_ENTRIES_MAX};

const README: &str = include_str!("../README.md");

#[test]
fn its_numbers_are_those_of_the_code() {
    for row in [
        format!("| {ENTRY_BYTES_MAX} bytes | `ENTRY_BYTES_MAX` |"),
        format!("| {GROUP_ENTRIES_MAX} | `GROUP_ENTRIES_MAX` |"),
        format!("| {GROUP_BYTES_MAX} bytes | `GROUP_BYTES_MAX` |"),
        format!("Needs Rust {}.", env!("CARGO_PKG_RUST_VERSION")),
        format!("Licence: {}.", env!("CARGO_PKG_LICENSE")),
        format!("version {}.{}", env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR")),
    ] {
        assert!(README.contains(&row), "README.md does not say: {row}");
    }
}

#[cfg(feature = "nats")]
#[test]
fn its_version_of_the_server_is_that_of_the_code() {
    let (major, minor) = crate::nats::SERVER_VERSION_MIN;
    assert!(README.contains(&format!("server {major}.{minor} or later")));
}

#[cfg(feature = "nats")]
#[test]
fn somebodys_library_runs_on_jetstream_and_goes_on_at_its_next_start() {
    let server = crate::nats::server::Server::start();
    let run = || {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = std::process::Command::new(cargo)
            .args(["run", "--quiet", "--locked", "--package", "eventlog", "--features", "nats"])
            .args(["--example", "cqrs_on_jetstream", "--", &server.url("cards")])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let first = "ada 1: Borrowed(\"Emma\")\n\
                 ada 2: Borrowed(\"Ulysses\")\n\
                 ada, Faust: two books are the most\n\
                 ada has Emma, Ulysses; 2 commits in the log\n";
    assert_eq!(run(), first);
    let second = "ada, Emma: two books are the most\n\
                  ada, Ulysses: two books are the most\n\
                  ada, Faust: two books are the most\n\
                  ada has Emma, Ulysses; 2 commits in the log\n";
    assert_eq!(run(), second);
}
