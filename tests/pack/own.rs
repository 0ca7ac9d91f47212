//! Our own check of a pack: each of its rules has a pack that nothing else refuses in those words.

use super::{
    ROUND, Scratch, checked, command, ended, holds, json, listed_anew, names, pack, packed, read,
    recorded, replaced, said,
};
use domain::kernel::canonical::Sha256Hex;
use serde_json::Value;
use std::path::Path;

/// An unpacked pack whose manifest was written anew, and what our own check says of it.
#[track_caller]
fn changed(dir: &Path, code: i32, change: impl FnOnce(&Path)) -> String {
    let copy = dir.join("changed");
    std::fs::remove_dir_all(&copy).ok();
    assert!(command("cp", dir).args(["-r", "one", "changed"]).status().unwrap().success());
    change(&copy);
    listed_anew(&copy);
    let tar = packed(dir, "changed");
    ended(dir, &["verify", "--pack", &tar], code)
}

/// Our own check says this of a pack that was changed so.
#[track_caller]
fn finds(dir: &Path, what: &str, change: &dyn Fn(&Path)) {
    let told = changed(dir, 1, change);
    assert!(told.contains(what), "{what:?} is not in: {told}");
}

#[test]
fn our_own_check_of_a_part_adds_up_its_figures_and_knows_its_keys() {
    let scratch = recorded();
    let dir = scratch.path();
    let told = pack(dir, ROUND, "one.tar", &[]);
    assert!(told.contains("17 documents not included (--documents)"), "{told}");
    holds(dir, &["one.tar", "one"]);
    let told = ended(dir, &["verify", "--pack", "one.tar"], 0);
    assert!(told.contains("of a part are not made anew"), "{told}");
    let claims = read(&dir.join("one/figures/budget.json"));
    let claims: Value = serde_json::from_str(&claims).expect("JSON");
    let claims = claims["tables"].as_array().unwrap().iter().find(|table| table["key"] == "claims");
    let amount = claims.expect("claims")["rows"][0]["total"].as_str().expect("an amount");
    let told = changed(dir, 1, |one| {
        replaced(&one.join("figures/budget.json"), amount, "EUR 999900000.00");
    });
    assert!(told.contains("figures/budget.claims: its control totals are not those"), "{told}");
    assert!(told.contains("figures/budget.claims: CSV and JSON do not agree"), "{told}");
    let told = changed(dir, 1, |one| {
        std::fs::write(one.join("keys/evil.vkey"), "no key\n").unwrap();
    });
    assert!(told.contains("keys/evil.vkey is no key that has signed the checkpoint"), "{told}");
    let told = changed(dir, 1, |one| {
        let pem =
            names(&one.join("keys")).into_iter().find(|name| name.strip_suffix(".pem").is_some());
        std::fs::remove_file(one.join("keys").join(pem.expect("a key"))).unwrap();
    });
    assert!(told.contains(".pem is missing"), "{told}");
}

#[test]
fn a_pack_of_another_version_is_not_accused_of_figures_that_we_show_otherwise() {
    let scratch = recorded();
    let dir = scratch.path();
    pack(dir, "all", "one.tar", &[]);
    holds(dir, &["one.tar", "one"]);
    let made_by =
        json(&dir.join("one/scope.json"))["made_by"].as_str().expect("a version").to_owned();
    let other = |one: &Path| {
        replaced(&one.join("scope.json"), &made_by, "0.0.9+0");
        for end in [".json", ".persons.csv"] {
            std::fs::remove_file(one.join(format!("figures/persons{end}"))).ok();
        }
    };
    let told = changed(dir, 1, other);
    assert!(told.contains("made by another version (0.0.9+0"), "{told}");
    // Nothing but its version: no finding.
    let told = changed(dir, 0, |one| replaced(&one.join("scope.json"), &made_by, "0.0.9+0"));
    assert!(told.contains("figures and books not compared"), "{told}");
    // The commits are still those under the checkpoint, or not.
    let bundle = names(&dir.join("one/commits")).remove(0);
    changed(dir, 1, |one| {
        replaced(&one.join("scope.json"), &made_by, "0.0.9+0");
        replaced(&one.join("commits").join(&bundle), "EUROHPC", "EUROHPD");
    });
}

#[test]
fn what_a_strangers_pack_says_does_not_write_to_the_terminal() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    std::fs::create_dir(dir.join("evil")).unwrap();
    let name = "\u{1b}[31mOWNED\u{1b}[0m\u{7}";
    std::fs::write(dir.join("evil").join(name), "x").unwrap();
    std::fs::write(dir.join("evil/MANIFEST"), format!("00  {name}2\n\u{1b}]0;title\u{7}\n"))
        .unwrap();
    std::fs::write(dir.join("evil/scope.json"), format!("{{\"scope\":\"{name}\"}}")).unwrap();
    let tar =
        command("tar", dir).args(["--format=ustar", "-cf", "evil.tar", "-C", "evil", "."]).status();
    assert!(tar.unwrap().success());
    let plain = command("tar", dir)
        .args(["--format=ustar", "-cf", "plain.tar", "-C", "evil", name, "MANIFEST", "scope.json"])
        .status();
    assert!(plain.unwrap().success());
    std::fs::write(dir.join("empty.tar"), [0; 1024]).unwrap();
    let bytes: Vec<u8> =
        (0..4096_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    std::fs::write(dir.join("noise.tar"), bytes).unwrap();
    for (file, code) in [("evil.tar", 5), ("plain.tar", 1), ("empty.tar", 5), ("noise.tar", 5)] {
        for json in [&[][..], &["--json"]] {
            let told = ended(dir, &[&["verify", "--pack", file], json].concat(), code);
            let is_safe =
                told.chars().all(|char| char == '\n' || char.is_ascii() && !char.is_control());
            assert!(is_safe && told.len() < 1500, "{file}: {}", told.escape_debug());
        }
    }
    assert!(ended(dir, &["verify", "--pack", "empty.tar"], 5).contains("no file in it"));
}

/// The one file of a directory of the pack whose text has this in it.
#[track_caller]
fn with(one: &Path, dir: &str, text: &str) -> String {
    let found = names(&one.join(dir)).into_iter().map(|name| format!("{dir}/{name}"));
    let mut found = found.filter(|name| read(&one.join(name)).contains(text));
    found.next().unwrap_or_else(|| panic!("no {dir} has {text:?}"))
}

fn renamed(one: &Path, from: &str, to: &str) {
    std::fs::rename(one.join(from), one.join(to)).unwrap();
}

/// Of the same scope under the next checkpoint: a pack that is unpacked in `later`.
fn later(dir: &Path, scope: &str) {
    ended(dir, &["--data", "log", "proof", "record", "--key", "key"], 0);
    pack(dir, scope, "later.tar", &[]);
    std::fs::create_dir(dir.join("later")).unwrap();
    assert!(
        command("tar", dir).args(["-xf", "later.tar", "-C", "later"]).status().unwrap().success()
    );
}

#[test]
fn each_rule_about_a_part_finds_what_no_other_does() {
    let scratch = recorded();
    let dir = scratch.path();
    pack(dir, ROUND, "one.tar", &[]);
    holds(dir, &["one.tar", "one"]);
    later(dir, ROUND);
    let award = with(&dir.join("one"), "commits", "call.RoundAwarded");
    let number = award.trim_start_matches("commits/").trim_end_matches(".json").to_owned();
    let proof = format!("proofs/{number}.tlog-proof");
    let finds = |what: &str, change: &dyn Fn(&Path)| finds(dir, what, change);
    finds("scope.json: the format is not \"tranche/pack/v1\"", &|one| {
        replaced(&one.join("scope.json"), "tranche/pack/v1", "tranche/pack/v0");
    });
    finds("scope.json says ", &|one| {
        let commits = json(&one.join("scope.json"))["commits"].to_string();
        let (old, new) = (format!("\"commits\":{commits}"), "\"commits\":1");
        replaced(&one.join("scope.json"), &old, new);
    });
    finds(&format!("{award}: its bytes are not in canonical form"), &|one| {
        let text = read(&one.join(&award));
        std::fs::write(one.join(&award), format!("{text} ")).unwrap();
    });
    finds(": its rules are not what rules_sha256 says", &|one| {
        let opened = with(one, "commits", "\"sign_days\":90");
        replaced(&one.join(opened), "\"sign_days\":90", "\"sign_days\":91");
    });
    finds(
        &format!("commits/000000999999.json is commit {}", number.trim_start_matches('0')),
        &|one| {
            renamed(one, &award, "commits/000000999999.json");
        },
    );
    finds("proofs/000000999999.tlog-proof: it is about position", &|one| {
        renamed(one, &proof, "proofs/000000999999.tlog-proof");
    });
    finds(&format!("{proof}: it leads to another checkpoint"), &|one| {
        std::fs::copy(dir.join("later").join(&proof), one.join(&proof)).unwrap();
    });
    finds(": there is no proof of this commit", &|one| {
        std::fs::remove_file(one.join(&proof)).unwrap();
    });
    finds(": its commit is not before it", &|one| {
        std::fs::remove_file(one.join(&award)).unwrap();
    });
    let none = Sha256Hex::of(b"{}").to_string();
    let here = "it is here, or a commit names it, and not both";
    finds(&format!("rules/{none}.json: {here}"), &|one| {
        std::fs::write(one.join(format!("rules/{none}.json")), "{}").unwrap();
    });
    finds(here, &|one| {
        std::fs::remove_file(one.join("rules").join(names(&one.join("rules")).remove(0))).unwrap();
    });
}

#[test]
fn a_pack_of_everything_as_of_an_earlier_day_holds() {
    let scratch = recorded();
    let dir = scratch.path();
    pack(dir, "all", "early.tar", &["--as-of", "2024-12-31"]);
    holds(dir, &["early.tar", "early"]);
    ended(dir, &["verify", "--pack", "early.tar"], 0);
    // What is taken along as a certificate is one, and there is something to check by it.
    for (file, why) in [("key", "not a certificate"), ("ca.pem", "no authority has stamped")] {
        std::fs::write(dir.join("ca.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
        let args =
            ["--data", "log", "audit", "pack", "--key", "key", "--scope", "all", "--to", "no.tar"];
        let told = ended(dir, &[&args[..], &["--ca", file]].concat(), 2);
        assert!(told.contains(why), "{told}");
        assert!(!dir.join("no.tar").exists());
    }
}

#[test]
fn each_rule_about_everything_finds_what_no_other_does() {
    let scratch = recorded();
    let dir = scratch.path();
    pack(dir, "all", "one.tar", &[]);
    holds(dir, &["one.tar", "one"]);
    later(dir, "all");
    let bundles = names(&dir.join("one/commits"));
    let [first, second] = &bundles[..] else { panic!("{bundles:?}") };
    let first = &*format!("commits/{first}");
    let second = &*format!("commits/{second}");
    let finds = |what: &str, change: &dyn Fn(&Path)| finds(dir, what, change);
    finds("the commits are not those under the checkpoint", &|one| {
        std::fs::copy(dir.join("later/checkpoint"), one.join("checkpoint")).unwrap();
    });
    finds("tile/0/000 is missing", &|one| {
        std::fs::remove_file(one.join("tile/0/000")).unwrap();
    });
    finds("position 3: it says that it is 4", &|one| {
        let text = read(&one.join(first));
        let mut lines: Vec<&str> = text.lines().collect();
        lines.swap(2, 3);
        std::fs::write(one.join(first), lines.join("\n") + "\n").unwrap();
    });
    let index = "documents/index.json";
    finds("is not in it, and a commit names it", &|one| {
        let text = read(&one.join(index));
        let (begin, end) = (text.find('{').unwrap(), text.find("},").unwrap() + 2);
        std::fs::write(one.join(index), text[..begin].to_owned() + &text[end..]).unwrap();
    });
    // The commands of the pack's README see it too.
    let output = checked(dir, &["changed"]);
    assert!(!output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("documents that commits name"), "{}", said(&output));
    finds("documents/index.json: other commits name ", &|one| {
        replaced(&one.join(index), "\"named_by\":[", "\"named_by\":[1,");
    });
    finds("as it does not say", &|one| {
        replaced(&one.join(index), "\"not included\"", "\"here\"");
    });
    finds("there is no documents/index.json", &|one| {
        std::fs::remove_file(one.join(index)).unwrap();
    });
    finds("more.txt is no part of a pack", &|one| {
        std::fs::write(one.join("more.txt"), "").unwrap();
    });
    finds("after 256 commits others should follow", &|one| {
        renamed(one, second, "commits/000000000300.jsonl");
    });
    finds("a commit is too long, or there are too many", &|one| {
        let text = read(&one.join(first)) + &read(&one.join(second));
        std::fs::write(one.join(first), text).unwrap();
    });
}

#[test]
fn an_archive_is_what_its_manifest_says_and_nothing_else() {
    let scratch = recorded();
    let dir = scratch.path();
    pack(dir, ROUND, "one.tar", &[]);
    holds(dir, &["one.tar", "one"]);
    let tar = |args: &[&str]| assert!(command("tar", dir).args(args).status().unwrap().success());
    let finds = |code: i32, what: &str| {
        let told = ended(dir, &["verify", "--pack", "changed.tar"], code);
        assert!(told.contains(what), "{what:?} is not in: {told}");
    };
    let copied = || {
        std::fs::copy(dir.join("one.tar"), dir.join("changed.tar")).unwrap();
    };
    copied();
    tar(&["-rf", "changed.tar", "-C", "one", "README.md"]);
    finds(1, "README.md is there twice");
    copied();
    std::fs::write(dir.join("more"), "").unwrap();
    tar(&["-rf", "changed.tar", "more"]);
    finds(1, "more is not in the manifest");
    copied();
    tar(&["--delete", "-f", "changed.tar", "README.md"]);
    finds(1, "README.md is in the manifest, and not here");
    replaced(&dir.join("one/README.md"), "tranche", "branche");
    tar(&["-rf", "changed.tar", "-C", "one", "README.md"]);
    finds(1, "README.md is not what the manifest says");
    copied();
    std::os::unix::fs::symlink("checkpoint", dir.join("link")).unwrap();
    tar(&["-rf", "changed.tar", "link"]);
    finds(5, "link is not a plain file");
    copied();
    let (a, b) = ("a".repeat(60), "b".repeat(60));
    std::fs::create_dir(dir.join(&a)).unwrap();
    std::fs::write(dir.join(&a).join(&b), "").unwrap();
    tar(&["--format=ustar", "-rf", "changed.tar", &format!("{a}/{b}")]);
    finds(5, "a name has more than 100 bytes");
}
