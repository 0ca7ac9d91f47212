//! The floors of each crate: who may import whom, and nobody in a circle. What a file declares is
//! its own; declaring a module imports nothing, and naming what lies in one does.

mod imports;

use super::{none, sources};
use imports::{Arrows, Crate};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A crate: its name, its folder, its floors from the lowest. A floor is a name and the paths of
/// files or folders that stand on it; the longest path that fits decides.
struct House<'a> {
    name: &'a str,
    root: &'a str,
    /// The floors hold since this file is there.
    since: &'a str,
    floors: &'a [Floor],
}

type Floor = (&'static str, &'static [&'static str]);

/// The floors. The roots (`lib.rs`, `main.rs`) show what there is and stand above all.
const HOUSES: &[House<'_>] = &[
    House {
        name: "domain",
        root: "domain/src",
        since: "facts.rs",
        floors: &[
            ("kernel", &["kernel"]),
            ("rulebook", &["rulebook"]),
            ("facts", &["facts"]),
            ("decide", &["decide"]),
            ("catalogue", &["catalogue"]),
            ("process", &["process"]),
        ],
    },
    House {
        name: "projections",
        root: "projections/src",
        since: "folds.rs",
        floors: &[
            ("query", &["query"]),
            ("report", &["report"]),
            ("folds", &["fold", "folds"]),
            ("views", &["view", "views"]),
            ("audit", &["audit"]),
            ("set", &["set"]),
            ("history", &["answers", "history", "lineage", "search"]),
        ],
    },
    House {
        name: "eventlog",
        root: "services/eventlog/src",
        since: "lib.rs",
        floors: &[
            ("log", &["log"]),
            ("parts", &["body", "faulty", "scan", "tail", "tlog", "tls"]),
            ("remote", &["remote"]),
            ("adapters", &["kurrent", "memory", "nats", "sqlite"]),
            ("around", &["cqrs", "rehearsal"]),
        ],
    },
    House {
        name: "tranche",
        root: "services/tranche/src",
        since: "lib.rs",
        floors: &[
            (
                "ground",
                &[
                    "clock",
                    "components",
                    "export",
                    "digits",
                    "field_errors",
                    "ids",
                    "moment",
                    "post",
                    "relay",
                    "roles",
                    "why",
                ],
            ),
            ("engine", &["engine"]),
            ("desk", &["desk", "node"]),
            ("proof", &["documents", "pack", "proof", "vault", "verify"]),
            ("http", &["asyncapi", "http", "refusals"]),
            ("around", &["bench", "cqrs", "demo", "witness"]),
            ("cli", &["cli"]),
        ],
    },
];

/// Files that stand in a circle still. The list only becomes shorter.
const STILL: &[&str] = &[
    "services/tranche/src/bench.rs",
    "services/tranche/src/bench/growing.rs",
    "services/tranche/src/bench/nats.rs",
    "services/tranche/src/bench/page.rs",
    "services/tranche/src/bench/verifying.rs",
    "services/tranche/src/bench/writing.rs",
    "services/tranche/src/cli/audit.rs",
    "services/tranche/src/cli/audit/export.rs",
    "services/tranche/src/cli/audit/pack.rs",
    "services/tranche/src/cli/audit/pack/contents.rs",
    "services/tranche/src/cli/audit/sample.rs",
    "services/tranche/src/documents.rs",
    "services/tranche/src/documents/directory.rs",
    "services/tranche/src/documents/nats.rs",
    "services/tranche/src/documents/s3.rs",
    "services/tranche/src/http.rs",
    "services/tranche/src/http/about.rs",
    "services/tranche/src/http/commands.rs",
    "services/tranche/src/http/connections.rs",
    "services/tranche/src/http/documents.rs",
    "services/tranche/src/http/exports.rs",
    "services/tranche/src/http/log.rs",
    "services/tranche/src/http/openapi.rs",
    "services/tranche/src/http/openapi/parts.rs",
    "services/tranche/src/http/openapi/reading.rs",
    "services/tranche/src/http/page/handler.rs",
    "services/tranche/src/http/proofs.rs",
    "services/tranche/src/http/views.rs",
    "services/tranche/src/http/why.rs",
    "services/tranche/src/vault.rs",
    "services/tranche/src/vault/cipher.rs",
    "services/tranche/src/vault/store.rs",
];

/// Imports from a floor above that are there still: from, to. The list only becomes shorter.
const STILL_UP: &[(&str, &str)] = &[];

/// A circle of files.
#[derive(Debug, PartialEq)]
struct Ring {
    /// The shortest way round, back to where it began.
    way: Vec<String>,
    /// Every file of the circle.
    files: Vec<String>,
}

/// What a crate may not be.
#[derive(Debug, Default, PartialEq)]
struct Findings {
    rings: Vec<Ring>,
    /// Imports from a floor above: from, to, the path.
    up: Vec<(String, String, String)>,
    /// Files that stand on no floor.
    homeless: Vec<String>,
}

impl House<'_> {
    /// The number of the floor of a file; the roots stand above all.
    fn floor(&self, file: &str) -> Option<usize> {
        let path = file.strip_prefix(self.root)?.trim_start_matches('/').strip_suffix(".rs")?;
        if matches!(path, "lib" | "main") {
            return Some(self.floors.len());
        }
        let fits = |place: &str| {
            path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let places = self.floors.iter().enumerate().flat_map(|(number, (_, places))| {
            places.iter().filter(|place| fits(place)).map(move |place| (place.len(), number))
        });
        places.max().map(|(_, number)| number)
    }

    fn name_of(&self, floor: usize) -> &str {
        self.floors.get(floor).map_or("root", |(name, _)| name)
    }

    fn findings(&self, arrows: &Arrows) -> Findings {
        let mut found = Findings { rings: rings(arrows), ..Findings::default() };
        let mut homeless = BTreeSet::new();
        for ((from, to), path) in arrows {
            if self.floors.is_empty() {
                break;
            }
            match (self.floor(from), self.floor(to)) {
                (Some(low), Some(high)) if low < high => {
                    found.up.push((from.clone(), to.clone(), path.clone()));
                }
                (low, high) => {
                    homeless.extend(low.is_none().then(|| from.clone()));
                    homeless.extend(high.is_none().then(|| to.clone()));
                }
            }
        }
        found.homeless = homeless.into_iter().collect();
        found
    }

    /// What to say of the findings, line by line.
    fn told(&self, found: &Findings) -> Vec<String> {
        let mut lines: Vec<String> = (found.rings.iter())
            .map(|ring| {
                let (name, count) = (self.name, ring.files.len());
                format!(
                    "{name}: a circle of {count} files: {}; its shortest ring: {}",
                    ring.files.join(" "),
                    ring.way.join(" -> ")
                )
            })
            .collect();
        for (from, to, path) in &found.up {
            let floors = [from, to].map(|file| self.floor(file).map_or("?", |at| self.name_of(at)));
            lines.push(format!(
                "{from} ({}) imports {path} of {to} ({}), above it",
                floors[0], floors[1]
            ));
        }
        let homeless = found.homeless.iter();
        lines.extend(homeless.map(|file| format!("{file} stands on no floor: add it to HOUSES")));
        lines
    }
}

/// Everyone whom each file imports.
fn neighbours(arrows: &Arrows) -> BTreeMap<&str, Vec<&str>> {
    let mut found = BTreeMap::<&str, Vec<&str>>::new();
    for (from, to) in arrows.keys() {
        found.entry(from).or_default().push(to);
    }
    found
}

/// The shortest way from a file back to itself.
fn ring<'a>(neighbours: &BTreeMap<&'a str, Vec<&'a str>>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut came = BTreeMap::<&str, &str>::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in neighbours.get(file).into_iter().flatten() {
            if *next == start {
                let mut way = vec![start, file];
                let mut at = file;
                while at != start {
                    at = came[at];
                    way.push(at);
                }
                way.reverse();
                way.dedup();
                return Some(way);
            }
            if !came.contains_key(next) {
                came.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}

fn reached<'a>(neighbours: &BTreeMap<&'a str, Vec<&'a str>>, start: &'a str) -> BTreeSet<&'a str> {
    let (mut seen, mut queue) = (BTreeSet::new(), vec![start]);
    while let Some(file) = queue.pop() {
        for next in neighbours.get(file).into_iter().flatten() {
            if seen.insert(*next) {
                queue.push(next);
            }
        }
    }
    seen
}

/// Every circle of files.
fn rings(arrows: &Arrows) -> Vec<Ring> {
    let neighbours = neighbours(arrows);
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        neighbours.keys().map(|file| (*file, reached(&neighbours, file))).collect();
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for (file, reached) in &reach {
        if !reached.contains(file) || seen.contains(file) {
            continue;
        }
        let is_back = |other: &&&str| reach.get(**other).is_some_and(|back| back.contains(file));
        let circle: Vec<&str> = reached.iter().filter(is_back).copied().collect();
        seen.extend(circle.iter().copied());
        let shortest =
            circle.iter().filter_map(|file| ring(&neighbours, file)).min_by_key(Vec::len);
        let owned = |files: Vec<&str>| files.into_iter().map(str::to_owned).collect();
        found.push(Ring { way: owned(shortest.unwrap_or_default()), files: owned(circle) });
    }
    found
}

/// The crates of `services` that have no floors here: they have no circle at least.
fn others(sources: &BTreeMap<String, String>) -> Vec<House<'_>> {
    fn folder(path: &str) -> Option<(&str, &str)> {
        let (folder, file) = path.rsplit_once('/')?;
        let is_root = matches!(file, "lib.rs" | "main.rs");
        let name = path.strip_prefix("services/")?.strip_suffix(file)?.strip_suffix("/src/")?;
        (is_root && !name.contains('/')).then_some((name, folder))
    }
    let found: BTreeSet<_> = sources.keys().filter_map(|path| folder(path)).collect();
    (found.into_iter())
        .filter(|(_, root)| HOUSES.iter().all(|house| house.root != *root))
        .map(|(name, root)| House { name, root, since: "lib.rs", floors: &[] })
        .collect()
}

/// What is wrong with the whole tree, but for what is known and has to go.
fn told(
    sources: &BTreeMap<String, String>,
    still: &[&str],
    still_up: &[(&str, &str)],
) -> Vec<String> {
    let (mut lines, mut round, mut up) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let others = others(sources);
    for house in HOUSES.iter().chain(&others) {
        let arrows = Crate::read(house.name, house.root, sources).arrows();
        let has_floors = sources.contains_key(&format!("{}/{}", house.root, house.since));
        let floors = if has_floors { house.floors } else { &[] };
        let house = House { floors, ..*house };
        let mut found = house.findings(&arrows);
        round.extend(found.rings.iter().flat_map(|ring| ring.files.iter().cloned()));
        up.extend(found.up.iter().map(|(from, to, _)| (from.clone(), to.clone())));
        found.rings.retain(|ring| ring.files.iter().any(|file| !still.contains(&&**file)));
        found.up.retain(|(from, to, _)| !still_up.contains(&(from, to)));
        lines.extend(house.told(&found));
    }
    let gone = still.iter().filter(|file| !round.contains(**file));
    lines.extend(gone.map(|file| format!("{file} is in no circle now: take it from STILL")));
    let gone = still_up.iter().filter(|(from, to)| !up.contains(&((*from).into(), (*to).into())));
    lines.extend(gone.map(|(from, to)| format!("{from} no longer imports {to}: STILL_UP")));
    lines
}

#[test]
fn every_import_leads_down_and_none_in_a_circle() {
    let sources: BTreeMap<String, String> = (sources().into_iter())
        .filter(|source| source.path.ends_with(".rs"))
        .map(|source| (source.path, source.text))
        .collect();
    none(
        &told(&sources, STILL, STILL_UP),
        "Turn the import round, or move what is imported to a floor below both:",
    );
}

/// The arrows of a crate of made-up files, without the folder.
fn arrows_of(files: &[(&str, &str)]) -> Arrows {
    let sources = files.iter().map(|(path, text)| (format!("x/{path}.rs"), (*text).to_owned()));
    Crate::read("own", "x", &sources.collect()).arrows()
}

/// Every arrow as `from to`.
fn drawn(files: &[(&str, &str)]) -> Vec<String> {
    let short = |path: &str| path.replace("x/", "").replace(".rs", "");
    let arrows = arrows_of(files);
    arrows.keys().map(|(from, to)| format!("{} {}", short(from), short(to))).collect()
}

/// The shortest rings.
fn ways(files: &[(&str, &str)]) -> Vec<String> {
    let rings = rings(&arrows_of(files)).into_iter();
    rings.map(|ring| ring.way.join(" ").replace("x/", "").replace(".rs", "")).collect()
}

#[test]
fn declaring_and_showing_a_module_imports_nothing() {
    let lib = "pub mod a;\nmod b;\npub use a::A;";
    let below = ("b", "#[cfg(test)]\nmod tests;\nuse crate::a;\nuse crate::A as Other;");
    assert_eq!(drawn(&[("lib", lib), ("a", "pub struct A;"), below]), ["b a"]);
    // What the tests of a module import is theirs.
    let tests = "mod a; mod b; #[cfg(test)] mod c { use crate::a::A; } #[test] fn t() { a::A; }";
    let tested = ("b", "#[cfg(any(test, feature = \"testing\"))] use crate::a::A;");
    assert_eq!(drawn(&[("lib", tests), ("a", "pub struct A;"), tested]), [""; 0]);
}

#[test]
fn a_ring_of_two_is_found() {
    let two = [("lib", "mod a; mod b;"), ("a", "use crate::b::B; pub struct A(B);")];
    let back = ("b", "pub struct B; fn f() { let _ = crate::a::A; }");
    assert_eq!(ways(&[two[0], two[1], back]), ["a b a"]);
    assert_eq!(ways(&[two[0], two[1], ("b", "pub struct B;")]), [""; 0]);
}

#[test]
fn a_ring_of_three_through_a_sign_is_found_as_the_shortest_of_its_circle() {
    let files = [
        ("lib", "mod a; mod b; mod c; mod d; mod hub; pub use hub::C;"),
        ("hub", "pub use crate::c::*;"),
        ("a", "use crate::C; pub struct A(C);"),
        ("b", "pub fn b(_: crate::a::A) {}"),
        ("c", "use crate::b::{self, b as other}; pub struct C; fn c() { b::b; }"),
        ("d", "use crate::c; pub struct D; fn d() -> c::C { crate::b::b }"),
    ];
    assert_eq!(ways(&files), ["a c b a"]);
    let mut longer = files;
    longer[3].1 = "pub fn b(_: crate::d::D) {}";
    assert_eq!(ways(&longer), ["b d b"]);
}

#[test]
fn a_child_that_imports_its_parent_imports_it() {
    let parent = ("a", "mod b; pub struct A; pub fn a() { b::b() }");
    let child = ("a/b", "use super::A; pub fn b() {}");
    assert_eq!(ways(&[("lib", "mod a;"), parent, child]), ["a a/b a"]);
    let all = ("a/b", "use super::*; pub fn b() -> Option<A> { None }");
    assert_eq!(ways(&[("lib", "mod a;"), parent, all]), ["a a/b a"]);
    let inner = ("a/b", "pub fn b() {} mod c { fn c(_: super::super::A) {} }");
    assert_eq!(ways(&[("lib", "mod a;"), parent, inner]), ["a a/b a"]);
}

#[test]
fn macros_import_where_they_are_called_and_texts_of_attributes_name_paths() {
    let table =
        "macro_rules! table { ($made:ident) => { $made! { one: one::One, $crate::two::Two } } }";
    let files = [
        ("lib", "#[macro_use] mod table; mod all; mod one; mod two; mod three;"),
        ("table", table),
        (
            "all",
            "use crate::{one, three}; macro_rules! m { ($($t:tt)*) => {} } table!(m); m!(three);",
        ),
        ("one", "pub struct One;"),
        (
            "two",
            "#[serde(with = \"crate::three::hex\")] pub struct Two; fn f() { assert!(crate::one::One) }",
        ),
        ("three", "pub fn hex() {}"),
    ];
    let expected = ["all one", "all table", "all three", "all two", "two one", "two three"];
    assert_eq!(drawn(&files), expected);
}

#[test]
fn a_program_sees_its_library_by_name() {
    let files = [
        ("lib", "pub mod a; pub use a::A;"),
        ("a", "pub struct A;"),
        ("main", "mod cli; fn main() { cli::run() }"),
        ("cli", "use own::A; use other::B; pub fn run() { domain::fund::f(); }"),
    ];
    assert_eq!(drawn(&files), ["cli a", "main cli"]);
}

#[test]
fn an_import_from_a_floor_above_is_found() {
    let floors: &[Floor] = &[("low", &["low"]), ("high", &["high", "low/odd"])];
    let house = House { name: "own", root: "x", since: "lib.rs", floors };
    let files = [
        ("lib", "mod low; mod high; mod attic; pub struct Root;"),
        ("low", "pub mod odd; use crate::high::High; pub struct Low;"),
        ("low/odd", "use super::Low;"),
        ("high", "use crate::Root; pub struct High;"),
        ("attic", "use crate::low::Low;"),
    ];
    let found = house.findings(&arrows_of(&files));
    let told = [
        "x/high.rs (high) imports crate::Root of x/lib.rs (root), above it",
        "x/low.rs (low) imports crate::high::High of x/high.rs (high), above it",
        "x/attic.rs stands on no floor: add it to HOUSES",
    ];
    assert_eq!(house.told(&found), told);
}

#[test]
fn what_is_known_may_only_become_less() {
    let ring = [
        ("lib", "mod a; mod b;"),
        ("a", "use crate::b::B; pub struct A;"),
        ("b", "use crate::a::A; pub struct B;"),
    ];
    let path = |name: &str| format!("services/new/src/{name}.rs");
    let sources: BTreeMap<String, String> =
        ring.iter().map(|(name, text)| (path(name), (*text).to_owned())).collect();
    assert_eq!(told(&sources, &[], &[]).len(), 1);
    let known = ["services/new/src/a.rs", "services/new/src/b.rs"];
    assert_eq!(told(&sources, &known, &[]), [""; 0]);
    let gone = ["services/new/src/a.rs", "services/new/src/b.rs", "services/new/src/lib.rs"];
    let lines = told(&sources, &gone, &[("services/new/src/a.rs", "services/new/src/b.rs")]);
    assert_eq!(lines.len(), 2, "{lines:?}");
}
