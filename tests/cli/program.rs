//! The program under test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The directory that holds the program. Another package's program is not built for us: whoever runs
/// the tests has built it (`tests/program`), or the first test that asks does.
pub fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let features = [
            ["--features", if cfg!(feature = "nats") { "nats" } else { "" }],
            ["--features", if cfg!(feature = "kurrent") { "kurrent" } else { "" }],
            ["--features", if cfg!(feature = "s3") { "s3" } else { "" }],
        ];
        built("tranche", "tranche", features.as_flattened())
    })
}

/// Builds a program, and gives the directory that it is in.
fn built(package: &str, program: &str, more: &[&str]) -> PathBuf {
    if let Some(built) = std::env::var_os("TRANCHE_PROGRAM_DIR") {
        return PathBuf::from(built);
    }
    let test = std::env::current_exe().expect("the path of the tests");
    let profile_dir = test.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let target_dir = profile_dir.parent().expect("target");
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") => "dev",
        Some(name) => name,
        None => panic!("no profile in {}", profile_dir.display()),
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--package", package, "--bin", program])
        .args(more)
        .args(["--profile", profile, "--target-dir"])
        .arg(target_dir)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo starts");
    assert!(status.success(), "{program} does not build");
    profile_dir.to_owned()
}

/// Runs the program of auditors in `dir`.
pub fn tranche_verify(dir: &Path, args: &[&str]) -> Output {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let built = DIRECTORY.get_or_init(|| built("tranche-proof", "tranche-verify", &[]));
    command(built.join("tranche-verify"), dir).args(args).output().expect("the program starts")
}

/// A command in `dir` that sees nothing of the environment of the tests.
pub fn command(program: impl AsRef<std::ffi::OsStr>, dir: &Path) -> Command {
    let mut path = directory().as_os_str().to_owned();
    path.push(":/usr/bin:/bin");
    let mut command = Command::new(program);
    command.env_clear().env("PATH", path).env("HOME", dir).current_dir(dir);
    command
}

/// Runs the program in `dir`.
pub fn tranche(dir: &Path, args: &[&str]) -> Output {
    command(directory().join("tranche"), dir).args(args).output().expect("the program starts")
}

/// An empty directory, removed at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tranche-cli-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a new directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory that cannot be removed is no reason to fail a test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
