//! What the numbers were measured on, as far as Linux tells.

use jiff::Timestamp;
use serde::Serialize;
use std::fs::read_to_string;
use std::path::Path;

/// Filesystems that are in memory: nothing is durable there, and `fdatasync` costs nothing.
const IN_MEMORY: &[&str] = &["tmpfs", "ramfs"];

/// The machine and the state it was in.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// When it was measured.
    pub at: Timestamp,
    /// How many threads can run at once.
    pub cores: usize,
    /// The model of the processor.
    pub processor: String,
    /// Name and release of the kernel.
    pub kernel: String,
    /// The filesystem that everybody wrote on.
    pub filesystem: String,
    /// Load average over one minute before.
    pub load_before: String,
    /// And after.
    pub load_after: String,
    /// How the program was built.
    pub profile: &'static str,
}

impl Machine {
    /// Looks at it, before anything is measured in `directory`.
    #[must_use]
    pub fn look(directory: &Path, at: Timestamp) -> Self {
        let cpu = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = cpu.lines().find_map(|line| line.strip_prefix("model name"));
        let release = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            at,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: processor
                .and_then(|line| line.split_once(':'))
                .map_or_else(unknown, |(_, model)| model.trim().to_owned()),
            kernel: format!("{} {}", std::env::consts::OS, release.trim()),
            filesystem: filesystem(directory).unwrap_or_else(unknown),
            load_before: load(),
            load_after: String::new(),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
        }
    }

    /// Looks again, when all is measured.
    pub fn look_after(&mut self) {
        self.load_after = load();
    }

    /// Why the numbers mean little.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.profile == "debug" {
            warnings.push(
                "this is a debug build: the numbers say nothing; cargo build --release".to_owned(),
            );
        }
        if IN_MEMORY.contains(&self.filesystem.as_str()) {
            warnings.push(format!(
                "{} is in memory, nothing is durable there; name a directory on a disk with --dir",
                self.filesystem
            ));
        }
        let load = self.load_before.split('.').next().and_then(|whole| whole.parse::<usize>().ok());
        if load.is_some_and(|load| load >= self.cores) {
            warnings.push(format!(
                "others were at work on this machine: a load of {} on {} cores before the start",
                self.load_before, self.cores
            ));
        }
        warnings
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn load() -> String {
    let load = read_to_string("/proc/loadavg").ok();
    load.and_then(|line| line.split(' ').next().map(str::to_owned)).unwrap_or_else(unknown)
}

fn filesystem(directory: &Path) -> Option<String> {
    let directory = directory.canonicalize().ok()?;
    kind_of(&directory, &read_to_string("/proc/mounts").ok()?)
}

/// The kind of the mount with the longest path that leads to the directory; the last one wins.
fn kind_of(directory: &Path, mounts: &str) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let mounts = mounts.filter(|(path, _)| directory.starts_with(path));
    mounts.max_by_key(|(path, _)| path.len()).map(|(_, kind)| kind.to_owned())
}

/// How many files and connections this process may have open.
#[must_use]
pub fn open_files_max() -> Option<usize> {
    let limits = read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filesystem_is_that_of_the_nearest_mount() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/x xfs rw 0 0\n";
        let kind = |path: &str| kind_of(Path::new(path), mounts).unwrap();
        assert_eq!((kind("/srv"), kind("/tmp/y")), ("ext4".to_owned(), "tmpfs".to_owned()));
        assert_eq!(kind("/tmp/x/deep"), "xfs");
    }

    #[test]
    fn memory_and_a_busy_machine_are_warned_of() {
        let mut machine = Machine::look(Path::new("."), Timestamp::UNIX_EPOCH);
        machine.profile = "release";
        machine.filesystem = "ext4".to_owned();
        machine.load_before = "0.10".to_owned();
        assert!(machine.warnings().is_empty());
        machine.filesystem = "tmpfs".to_owned();
        machine.load_before = format!("{}.00", machine.cores);
        assert_eq!(machine.warnings().len(), 2);
    }
}
