//! Golden transcripts: each file in `stories` is a session at a terminal. `$ ` begins a line for the
//! shell and `> ` continues it; its output follows, what it says on standard error after `! `.
//! `# ` begins a remark. `UPDATE_EXPECT=1` writes what happened.

use super::program::{self, Scratch};
use expect_test::expect_file;
use std::path::{Path, PathBuf};

/// A test for each story, which is a file of that name.
macro_rules! stories {
    ($($name:ident)*) => {
        /// Every story that is told.
        const STORIES: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            let path = directory().join(concat!(stringify!($name), ".txt"));
            let told = std::fs::read_to_string(&path).unwrap();
            expect_file![path].assert_eq(&play(&told));
        })*
    };
}

stories! { accounts audit budget documents explain help mistakes rules why }

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stories")
}

#[test]
fn every_story_is_told() {
    let files = directory().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, STORIES, "add the story to the list above");
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
