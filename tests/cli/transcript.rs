//! Golden transcripts: each file in `stories` is a session at a terminal. `$ ` begins a line for the
//! shell and `> ` continues it; its output follows, what it says on standard error after `! `.
//! `# ` begins a remark. `UPDATE_EXPECT=1` writes what happened.

use super::program::{self, Scratch};
use expect_test::expect_file;
use std::path::{Path, PathBuf};

#[test]
fn every_story_goes_as_it_is_told() {
    let stories = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories");
    let mut paths: Vec<PathBuf> =
        stories.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let told = std::fs::read_to_string(&path).unwrap();
        expect_file![path].assert_eq(&play(&told));
    }
}

/// What happens when the commands of a story are typed.
fn play(told: &str) -> String {
    let scratch = Scratch::new();
    let mut happened = String::new();
    let mut lines = told.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("# ") {
            if !happened.is_empty() && !happened.ends_with("\n\n") {
                happened.push('\n');
            }
            push(&mut happened, line);
            while let Some(more) = lines.next_if(|line| line.starts_with("# ")) {
                push(&mut happened, more);
            }
        } else if let Some(command) = line.strip_prefix("$ ") {
            push(&mut happened, line);
            let mut command = command.to_owned();
            while let Some(more) = lines.next_if(|line| line.starts_with("> ")) {
                push(&mut happened, more);
                command.push('\n');
                command.push_str(&more[2..]);
            }
            run(&command, scratch.path(), &mut happened);
        }
    }
    happened
}

fn run(command: &str, dir: &Path, happened: &mut String) {
    let output = program::command("/bin/sh", dir).args(["-c", command]).output().expect("a shell");
    let stdout = String::from_utf8_lossy(&output.stdout);
    for line in stdout.lines() {
        let is_data = !["$ ", "> ", "# ", "! "].iter().any(|mark| line.starts_with(mark));
        assert!(is_data, "this output would be read as part of the story: {line}");
        push(happened, line.trim_end());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    for line in stderr.lines() {
        push(happened, format!("! {line}").trim_end());
    }
    if output.status.code() != Some(0) {
        push(happened, &format!("[{}]", output.status));
    }
    happened.push('\n');
}

fn push(happened: &mut String, line: &str) {
    happened.push_str(line);
    happened.push('\n');
}
