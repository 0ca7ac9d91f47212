//! `domain` and `projections` cannot reach the world, and `services` decides nothing.

use super::{Source, has_word, none, root, sources};
use std::collections::BTreeSet;
use std::process::Command;

/// What a pure crate may depend on: data, text, arithmetic. Nothing that reads a clock, a file, a
/// socket or a random source by itself.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "domain",
        &[
            "imbl",
            "itoa",
            "jiff",
            "schemars",
            "serde",
            "serde_json",
            "serde_path_to_error",
            "sha2",
            "strum",
            "thiserror",
            "toml",
            "uuid",
        ],
    ),
    ("projections", &["domain", "imbl", "jiff", "serde", "serde_json", "thiserror"]),
];

/// What the crate of auditors may depend on (ADR/0026).
const OF_AUDITORS: &[&str] = &[
    "bytes",
    "csv",
    "domain",
    "eventlog",
    "jiff",
    "projections",
    "serde",
    "serde_json",
    "sha2",
    "tar",
    "thiserror",
    "tokio",
];

/// What an auditor need not build: servers, clients of the network, the command line of the product.
const NOT_FOR_AUDITORS: &[&str] = &[
    "async-nats",
    "axum",
    "clap",
    "hyper",
    "indicatif",
    "maud",
    "object_store",
    "prometheus",
    "reqwest",
    "rustls",
    "tranche",
];

/// Words that stand for the world, and the reason why they have no place in a pure crate.
const BANNED: &[(&str, &str)] = &[
    ("std::time", "time arrives with the command (`Meta`)"),
    ("SystemTime", "time arrives with the command (`Meta`)"),
    ("Instant::now", "time arrives with the command (`Meta`)"),
    ("Timestamp::now", "time arrives with the command (`Meta`)"),
    ("Zoned::now", "time arrives with the command (`Meta`)"),
    ("std::fs", "a rules document or a fact arrives as data"),
    ("std::net", "gateways are in `services`"),
    ("std::env", "settings are read in `services` and handed over"),
    ("std::process", "gateways are in `services`"),
    ("std::thread", "folds run in one order, on one thread"),
    ("tokio", "rules are synchronous"),
    ("async fn", "rules are synchronous"),
    ("rand", "the same log gives the same bytes: ids derive from the command"),
    ("f32", "money and compute are integers"),
    ("f64", "money and compute are integers"),
    ("HashMap", "what is iterated must be in one order everywhere: `BTreeMap` or `imbl::OrdMap`"),
    ("HashSet", "what is iterated must be in one order everywhere: `BTreeSet` or `imbl::OrdSet`"),
];

/// Where a banned word is right: path, word.
const BANNED_EXCEPT: &[(&str, &str)] = &[
    // What reads and writes JSON names floats in order to refuse them.
    ("domain/src/kernel/canonical.rs", "f32"),
    ("domain/src/kernel/canonical.rs", "f64"),
    ("domain/src/kernel/payload.rs", "f32"),
    ("domain/src/kernel/payload.rs", "f64"),
];

/// Deciders that are machinery of the engine itself and may be named in `services`.
const KERNEL_DECIDERS: &[&str] = &["timer", "process", "checkpoint"];

/// Files of `services` that may name a decider or a phase, each with the reason.
const SERVICES_EXCEPT: &[(&str, &str)] = &[
    ("services/tranche/src/demo", "plays a story: it gives commands like any other client"),
    ("services/tranche/src/cqrs/tests.rs", "shows one decider to cqrs-es, as its users would"),
];

fn is_pure(source: &Source) -> bool {
    ALLOWED.iter().any(|(krate, _)| source.path.starts_with(&format!("{krate}/src/")))
        && source.path.ends_with(".rs")
}

/// The lines of one section of a manifest.
fn section<'a>(manifest: &'a str, name: &str) -> Vec<&'a str> {
    let header = format!("[{name}]");
    let lines = manifest.lines().skip_while(|line| line.trim() != header).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines.filter(|line| !line.trim().is_empty() && !line.starts_with('#')).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn pure_crates_depend_on_nothing_that_reaches_the_world() {
    let mut findings = Vec::new();
    for (krate, allowed) in ALLOWED {
        let manifest = read(&format!("{krate}/Cargo.toml"));
        for line in section(&manifest, "dependencies") {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if !allowed.contains(&name) {
                findings.push(format!("{krate} depends on {name}"));
            } else if line.trim() != format!("{name}.workspace = true") {
                findings.push(format!("{krate}: `{line}` may turn on features"));
            }
        }
        for header in ["[build-dependencies]", "[target."] {
            if manifest.contains(header) {
                findings.push(format!("{krate}/Cargo.toml has {header}"));
            }
        }
    }
    none(
        &findings,
        "A pure crate may use data types only; move what needs the world to `services`, or, if the \
         new crate does no I/O, add it to ALLOWED in tests/tidy/purity.rs and say so in the commit:",
    );
}

#[test]
fn the_crate_of_auditors_needs_no_server_and_no_client() {
    let manifest = read("services/proof/Cargo.toml");
    let lines = section(&manifest, "dependencies");
    let strange: Vec<String> = lines
        .iter()
        .filter_map(|line| line.trim().strip_suffix(".workspace = true").or(Some(*line)))
        .filter(|name| !OF_AUDITORS.contains(name))
        .map(str::to_owned)
        .collect();
    none(
        &strange,
        "An auditor builds `services/proof` and all that it needs; ADR/0026 says what may:",
    );
    let names = crates_of("tranche-proof", &[]);
    let is_there = |name: &str| names.iter().any(|it| it.split(' ').next() == Some(name));
    assert!(is_there("eventlog") && is_there("ed25519-dalek"), "{names:?}");
    let found = NOT_FOR_AUDITORS.iter().filter(|name| is_there(name));
    let found: Vec<String> = found.map(|&name| name.to_owned()).collect();
    none(&found, "An auditor would have to build these; leave them to `services/tranche`:");
}

/// The README says how many crates an auditor builds, beside the whole; here is the count.
#[test]
fn the_readme_counts_the_crates_rightly() {
    let (small, whole) = (crates_of("tranche-proof", &[]), crates_of("tranche", &["nats"]));
    let expected = format!("{} crates, where the whole needs {}", small.len(), whole.len());
    assert!(read("README.md").contains(&expected), "README.md does not say: {expected}");
}

/// Files of `projections` that read JSON and store none: questions.
const NOT_STORED: &[&str] = &["projections/src/query.rs", "projections/src/query/journal.rs"];

/// Whatever a snapshot can hold is among the sources that name its shape.
#[test]
fn what_snapshots_hold_names_their_shape() {
    let build = read("services/tranche/build.rs");
    let lines = build.lines().map(str::trim);
    let hashed: Vec<&str> =
        lines.filter_map(|line| line.strip_prefix("\"../../")?.strip_suffix("\",")).collect();
    let is_hashed =
        |file: &str| hashed.iter().any(|&it| file == it || file.starts_with(&format!("{it}/")));
    assert!(is_hashed("domain/src/facts/world.rs") && !is_hashed("domain/src/decide/fund.rs"));
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("projections/src/")) {
        let reads = source.code().any(|(_, code)| has_word(code, "Deserialize"));
        if reads && !is_hashed(&source.path) && !NOT_STORED.contains(&source.path.as_str()) {
            findings.push(source.path.clone());
        }
    }
    none(
        &findings,
        "What is stored in snapshots is missing from the list in services/tranche/build.rs:",
    );
}

/// The crates that are built into a program, each version by itself: its name and version.
fn crates_of(package: &str, features: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(["--package", package, "--format", "{p}", "--features", &features.join(",")])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let crates = text.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "));
    crates.filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_workspace_turns_on_no_clock_for_pure_crates() {
    let manifest = read("Cargo.toml");
    let lines = section(&manifest, "workspace.dependencies");
    for (krate, feature) in [("jiff", "\"std\""), ("uuid", "\"v4\""), ("uuid", "\"v7\"")] {
        let line = lines.iter().find(|line| line.starts_with(&format!("{krate} ")));
        let line = line.unwrap_or_else(|| panic!("no line for {krate} in Cargo.toml"));
        assert!(
            !line.contains(feature),
            "{krate} with {feature} reads a clock or random numbers; turn it on in the crate under \
             services/ that needs it, not in the workspace"
        );
    }
}

#[test]
fn pure_crates_do_not_name_the_world() {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| is_pure(source)) {
        for (number, code) in source.code() {
            for (word, reason) in BANNED {
                if has_word(code, word) && !BANNED_EXCEPT.contains(&(&source.path, word)) {
                    findings.push(format!("{}:{number}: {word}: {reason}", source.path));
                }
            }
        }
    }
    none(&findings, "A pure crate names something of the world; take it as an argument instead:");
}

#[test]
fn pure_crates_ban_the_world_by_clippy_too() {
    let workspace = read("clippy.toml");
    for (krate, _) in ALLOWED {
        let path = format!("{krate}/clippy.toml");
        let own = read(&path);
        for line in workspace.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            assert!(
                own.lines().any(|other| other == line),
                "a clippy.toml of a crate replaces that of the workspace: repeat `{line}` in {path}"
            );
        }
        for word in
            ["SystemTime", "Timestamp::now", "std::fs", "std::env", "std::net", "std::thread"]
        {
            assert!(own.contains(word), "{path} no longer bans {word}");
        }
    }
}

/// The modules of the deciders, from their table.
fn deciders() -> Vec<String> {
    let floor = read("domain/src/facts.rs");
    let (_, table) = floor.split_once("$make! {").expect("the table of streams");
    let (table, _) = table.split_once('}').expect("the end of the table");
    let module = |line: &str| Some(line.split_once(": ")?.1.split_once("::")?.0.to_owned());
    let modules: Vec<String> = table.lines().filter_map(module).collect();
    assert!(modules.contains(&"fund".to_owned()), "the table of deciders is read wrongly");
    modules
}

/// Whether a line names the module of a decider, alone or in a braced import.
fn names_decider(code: &str, decider: &str) -> bool {
    ["facts", "decide"].into_iter().any(|floor| {
        let path = format!("domain::{floor}::{decider}");
        let import =
            code.split_once(&format!("use domain::{floor}::{{")).map_or("", |(_, list)| list);
        has_word(code, &path) || has_word(import, decider)
    })
}

/// Whether a line decides by the phase of a stream.
fn branches_on_phase(code: &str) -> bool {
    let compares = ["==", "!=", "match ", "matches!", "Phase::"].iter();
    code.contains("phase") && compares.clone().any(|word| code.contains(word))
        || code.contains("Phase::")
}

#[test]
fn services_never_branch_on_the_state_of_a_grant() {
    let mut deciders = deciders();
    deciders.retain(|name| !KERNEL_DECIDERS.contains(&name.as_str()));
    let mut findings = Vec::new();
    for source in sources() {
        let excepted = SERVICES_EXCEPT.iter().any(|(path, _)| source.path.starts_with(path));
        if !source.path.starts_with("services/") || !source.path.ends_with(".rs") || excepted {
            continue;
        }
        for (number, code) in source.code() {
            let place = format!("{}:{number}: {}", source.path, code.trim());
            if branches_on_phase(code) || deciders.iter().any(|name| names_decider(code, name)) {
                findings.push(place);
            }
        }
    }
    none(
        &findings,
        "Services hand a command over and show the answer; a rule about a state belongs in its \
         decider's `decide`, a figure in a projection:",
    );
}

#[test]
fn tidy_sees_what_it_looks_for() {
    assert!(names_decider("use domain::facts::grant::Event;", "grant"));
    assert!(names_decider("use domain::facts::{call, grant};", "grant"));
    assert!(!names_decider("use domain::decide::{call, granted};", "grant"));
    assert!(branches_on_phase("if world.phase(&stream) == \"open\" {"));
    assert!(branches_on_phase("match state.phase() {"));
    assert!(!branches_on_phase("phase: world.phase(&stream),"));
}
