//! Every library that we ship may be shipped, and comes from the public registry.

use super::{none, root};
use serde_json::Value;
use std::process::Command;

/// The licences that `deny.toml` allows, so that this test and `cargo deny` read one list.
fn allowed() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let (_, list) = text.split_once("\nallow = [").expect("`allow = [` in [licenses] of deny.toml");
    let (list, _) = list.split_once(']').expect("the end of the list");
    let lines = list.lines().map(|line| line.split('#').next().unwrap_or_default());
    let names = lines.flat_map(|line| line.split(','));
    let names = names.map(|name| name.trim().trim_matches('"').to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

/// What a licence expression of SPDX consists of. The old `MIT/Apache-2.0` means `OR`.
fn tokens(expression: &str) -> Vec<String> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// Whether an expression can be met with the allowed licences alone. `AND` binds before `OR`.
fn any_of(tokens: &[String], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = all_of(tokens, at, allowed);
    while tokens.get(*at).is_some_and(|token| token == "OR") {
        *at += 1;
        met |= all_of(tokens, at, allowed);
    }
    met
}

fn all_of(tokens: &[String], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = one(tokens, at, allowed);
    while tokens.get(*at).is_some_and(|token| token == "AND") {
        *at += 1;
        met &= one(tokens, at, allowed);
    }
    met
}

fn one(tokens: &[String], at: &mut usize, allowed: &[String]) -> bool {
    let Some(token) = tokens.get(*at) else { return false };
    *at += 1;
    if token == "(" {
        let met = any_of(tokens, at, allowed);
        *at += 1;
        return met;
    }
    let mut name = token.trim_end_matches('+').to_owned();
    if tokens.get(*at).is_some_and(|token| token == "WITH") {
        let exception = tokens.get(*at + 1).map_or("", String::as_str);
        name = format!("{name} WITH {exception}");
        *at += 2;
    }
    allowed.contains(&name)
}

fn may_ship(expression: &str, allowed: &[String]) -> bool {
    any_of(&tokens(expression), &mut 0, allowed)
}

/// The packages of this platform, from the lock file, without the network.
fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let rustc = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let version = String::from_utf8(rustc.stdout).expect("rustc writes text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("the host");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--all-features"])
        .args(["--filter-platform", host])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {error}");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

#[test]
fn every_library_may_be_shipped_and_is_public() {
    let allowed = allowed();
    let mut findings = Vec::new();
    for package in packages() {
        let name = format!("{} {}", package["name"], package["version"]).replace('"', "");
        match package["license"].as_str() {
            Some(licence) if may_ship(licence, &allowed) => {}
            Some(licence) => findings.push(format!("{name}: {licence}")),
            None => findings.push(format!("{name}: says no licence")),
        }
        let ours = package["source"].is_null();
        let public = "registry+https://github.com/rust-lang/crates.io-index";
        if !ours && package["source"] != public {
            findings.push(format!("{name} comes from {}", package["source"]));
        }
    }
    none(
        &findings,
        "Use another library, or add the licence to `allow` in deny.toml after reading it:",
    );
}

#[test]
fn licence_expressions_are_read() {
    let allowed = ["MIT".to_owned(), "Zlib".to_owned(), "MPL-2.0".to_owned()];
    for yes in ["MIT", "GPL-3.0 OR MIT", "Apache-2.0/MIT", "MIT AND Zlib", "MPL-2.0+"] {
        assert!(may_ship(yes, &allowed), "{yes}");
    }
    for no in ["GPL-3.0", "MIT AND GPL-3.0", "(GPL-3.0 OR MIT) AND ISC", "MIT WITH x", ""] {
        assert!(!may_ship(no, &allowed), "{no}");
    }
}
