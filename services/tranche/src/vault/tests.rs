use super::cipher::Key;
use super::*;
use domain::decide::command::Meta;
use domain::facts::personal;
use domain::facts::personal::REGISTER;
use domain::kernel::sealed::key_info;
use domain::{Actor, Commit, Parsed};
use eventlog::contract::Scratch;
use std::os::unix::fs::PermissionsExt;

const PERSON: &str = "p00000000000000000000000000000001";
const NAMES: [&str; 4] =
    ["Ada Byron", "ada@example.org", "Analytical Society", "Bernoulli numbers"];

fn vault(scratch: &Scratch) -> Vault {
    Vault::open(&scratch.path().join("keys"), None).unwrap()
}

fn id(text: &str) -> CommandId {
    text.parse().unwrap()
}

fn clear() -> String {
    let [name, email, affiliation, expertise] = NAMES;
    format!(
        r#"{{"subject":"{PERSON}","contact":{{"name":"{name}","email":"{email}","affiliation":"{affiliation}"}},"expertise":"{expertise}"}}"#
    )
}

fn register(vault: &Vault, command: &str) -> Vec<u8> {
    let (clear, id) = (clear(), id(command));
    let sealed = seal(Some(vault), "subject.register", clear.as_bytes(), (&id, Keep::Yes));
    sealed.unwrap().into_owned()
}

fn give(world: &mut World, command: &str, payload: &[u8]) -> Commit {
    let parsed = Parsed::read(command, payload).unwrap();
    let at = world.recorded_at + jiff::SignedDuration::from_secs(1);
    let role = parsed.command.declaration().roles[0];
    let actor = Actor { id: "one".parse().unwrap(), on_behalf_of: None, role };
    let meta = Meta {
        actor,
        command_id: id(&format!("c/{}", world.position)),
        correlation_id: None,
        causation_id: None,
        received_at: at,
        recorded_at: at,
        effective_at: None,
        evidence: None,
    };
    let (commit, bytes) = world.commit(&parsed, &meta).unwrap().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    NAMES.iter().for_each(|name| assert!(!text.contains(name), "{text}"));
    world.apply(&commit);
    commit
}

#[test]
fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
    let scratch = Scratch::new();
    let vault = vault(&scratch);
    let mut world = World::default();
    let commit = give(&mut world, "subject.register", &register(&vault, "a"));
    let sealed = personal::sealed_in(&commit);
    let opened: Vec<String> = sealed
        .iter()
        .map(|(stream, line, sealed)| {
            vault.open_value(sealed, stream, line).unwrap().unwrap().to_string()
        })
        .collect();
    let [name, email, affiliation, expertise] = NAMES;
    assert_eq!(opened, [affiliation, email, name, expertise]);
    let (stream, line, value) = &sealed[0];
    // Another field, another stream, another purpose, another person, another bit.
    assert!(vault.open_value(value, stream, sealed[1].1).is_err());
    assert!(vault.open_value(value, &"subject-other".parse().unwrap(), line).is_err());
    let mut other = value.clone();
    other.purpose = Purpose::Expertise;
    assert!(!matches!(vault.open_value(&other, stream, line), Ok(Some(_))));
    let mut other = value.clone();
    other.person = "p2".parse().unwrap();
    assert!(!matches!(vault.open_value(&other, stream, line), Ok(Some(_))));
    let mut other = value.clone();
    other.ciphertext.0[3] ^= 1;
    assert!(vault.open_value(&other, stream, line).is_err());
    let mut other = value.clone();
    other.commitment.0[3] ^= 1;
    assert_eq!(vault.open_value(&other, stream, line).unwrap(), None);
}

#[test]
fn the_same_wish_is_sealed_to_the_same_bytes_and_another_one_to_others() {
    let scratch = Scratch::new();
    let vault = vault(&scratch);
    let first = register(&vault, "a");
    assert_eq!(first, register(&self::vault(&scratch), "a"), "also after a restart");
    assert_ne!(first, register(&vault, "b"));
    let (clear, id) = (clear(), id("a"));
    let rehearsed = seal(Some(&vault), "subject.register", clear.as_bytes(), (&id, Keep::No));
    assert_ne!(first, rehearsed.unwrap().into_owned());
    let person: ActorId = PERSON.parse().unwrap();
    assert_eq!(vault.count(&person, Purpose::Contact).unwrap(), 2, "a rehearsal keeps no key");
}

#[test]
fn erasure_and_correction_end_keys_and_nothing_else_does() {
    let scratch = Scratch::new();
    let vault = vault(&scratch);
    let person: ActorId = PERSON.parse().unwrap();
    let mut world = World::default();
    let first = give(&mut world, "subject.register", &register(&vault, "a"));
    assert_eq!(vault.sweep(&world).unwrap(), 0);
    let more = format!(r#"{{"subject":"{PERSON}","expertise":"Engines"}}"#);
    let correct = seal(Some(&vault), "subject.correct", more.as_bytes(), (&id("b"), Keep::Yes));
    give(&mut world, "subject.correct", &correct.unwrap());
    assert_eq!(vault.sweep(&world).unwrap(), 1, "the old expertise");
    assert_eq!(vault.sweep(&world).unwrap(), 0, "once");
    let (stream, line, old) = &personal::sealed_in(&first)[3];
    assert_eq!(vault.open_value(old, stream, line).unwrap(), None);
    let erase = format!(
        r#"{{"subject":"{PERSON}","basis":"objection","case":"C1","purposes":["contact"]}}"#
    );
    give(&mut world, "subject.erase", erase.as_bytes());
    // Somebody seals for the person meanwhile: that goes too.
    register(&vault, "late");
    assert_eq!(vault.sweep(&world).unwrap(), 4);
    assert_eq!(vault.count(&person, Purpose::Contact).unwrap(), 0);
    let left = std::fs::read_dir(scratch.path().join("keys")).unwrap().count();
    assert_eq!(left, 0, "no file and no directory is left");
}

#[test]
fn personal_data_without_keys_or_in_a_wrong_form_is_refused_and_not_repeated() {
    let scratch = Scratch::new();
    let (vault, id) = (vault(&scratch), id("a"));
    let told = |vault, payload: &str| {
        let sealed = seal(vault, "subject.register", payload.as_bytes(), (&id, Keep::Yes));
        let told = sealed.unwrap_err().to_string();
        NAMES.iter().for_each(|name| assert!(!told.contains(name), "{told}"));
        told
    };
    assert!(told(None, &clear()).contains("--keys"));
    let wrong = [
        clear().replace(PERSON, ""),
        clear().replace("Ada Byron", " "),
        clear().replace("Ada Byron", &"x".repeat(2_001)),
        clear().replace("\"contact\"", "\"contact\":{},\"contact\""),
        clear().replace('}', ""),
        clear().replace(PERSON, "ada-byron"),
    ];
    wrong.iter().for_each(|payload| assert!(!told(Some(&vault), payload).is_empty()));
    let longest = clear().replace("Ada Byron", &"€".repeat(2_000));
    let sealed = seal(Some(&vault), "subject.register", longest.as_bytes(), (&id, Keep::Yes));
    assert!(Parsed::read("subject.register", &sealed.unwrap()).is_ok());
}

#[test]
fn keys_are_for_their_owner_and_outside_the_log() {
    let scratch = Scratch::new();
    let (data, keys) = (scratch.path().join("data"), scratch.path().join("keys"));
    for inside in [data.clone(), data.join("keys")] {
        std::fs::create_dir_all(&data).unwrap();
        assert!(matches!(Vault::open(&inside, Some(&data)), Err(Error::Place(_))));
    }
    assert!(matches!(Vault::open(scratch.path(), Some(&data)), Err(Error::Place(_))));
    let vault = Vault::open(&keys, Some(&data)).unwrap();
    register(&vault, "a");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let of = keys.join(format!("of-{PERSON}"));
    assert_eq!((mode(&keys), mode(&of)), (0o700, 0o700));
    for file in std::fs::read_dir(&of).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    std::fs::set_permissions(&keys, PermissionsExt::from_mode(0o750)).unwrap();
    assert!(matches!(Vault::open(&keys, None), Err(Error::Place(_))));
}

#[test]
fn the_wire_format_is_as_it_was_written_down() {
    // Computed by tests/personal/seal.py from the text of ADR 0021 alone.
    let (person, stream) = (PERSON.parse().unwrap(), format!("subject-{PERSON}").parse().unwrap());
    let key = Key::of(std::array::from_fn(|at| u8::try_from(at).unwrap()));
    let sealed =
        key.seal((&person, Purpose::Contact), (&stream, &REGISTER[2]), "Ada Byron").unwrap();
    let given = format!("{}\n{}\n{}", sealed.commitment, sealed.nonce, sealed.ciphertext);
    expect_test::expect_file!["../../../../tests/personal/sealed.txt"]
        .assert_eq(&format!("{given}\n"));
    assert!(key_info(&person, Purpose::Contact).starts_with(b"tranche/sealed/v1\n"));
}

#[test]
fn what_is_sealed_already_is_not_taken() {
    let scratch = Scratch::new();
    let (vault, id) = (vault(&scratch), id("a"));
    let sealed = register(&vault, "a");
    assert!(Parsed::read("subject.register", &sealed).is_ok(), "a rule could not tell");
    for vault in [None, Some(&vault)] {
        let told = seal(vault, "subject.register", &sealed, (&id, Keep::Yes)).unwrap_err();
        assert!(told.to_string().contains("it is sealed here"), "{told}");
    }
}

#[test]
fn a_name_as_an_id_leaves_no_directory() {
    let scratch = Scratch::new();
    let vault = vault(&scratch);
    let payload = clear().replace(PERSON, "zoltan-quix");
    let told = seal(Some(&vault), "subject.register", payload.as_bytes(), (&id("a"), Keep::Yes));
    assert!(told.unwrap_err().to_string().contains("opaque"));
    assert_eq!(std::fs::read_dir(scratch.path().join("keys")).unwrap().count(), 0);
}

#[test]
fn a_stray_file_is_told_and_stops_no_erasure() {
    let scratch = Scratch::new();
    let vault = vault(&scratch);
    let mut world = World::default();
    give(&mut world, "subject.register", &register(&vault, "a"));
    let of = scratch.path().join("keys").join(format!("of-{PERSON}"));
    std::fs::write(of.join("contact-0000.key"), "junk").unwrap();
    let erase = format!(
        r#"{{"subject":"{PERSON}","basis":"objection","case":"C1","purposes":["contact"]}}"#
    );
    give(&mut world, "subject.erase", erase.as_bytes());
    let told = vault.sweep(&world).unwrap_err().to_string();
    assert!(told.contains("contact-0000.key: not a key"), "{told}");
    let left: Vec<_> =
        std::fs::read_dir(&of).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["contact-0000.key"]);
}

#[test]
fn a_link_is_not_followed_out_of_the_directory() {
    let scratch = Scratch::new();
    let vault = vault(&scratch);
    let elsewhere = scratch.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let of = scratch.path().join("keys").join(format!("of-{PERSON}"));
    std::os::unix::fs::symlink(&elsewhere, of).unwrap();
    let clear = clear();
    let sealed = seal(Some(&vault), "subject.register", clear.as_bytes(), (&id("a"), Keep::Yes));
    assert!(matches!(sealed, Err(Error::File { .. })));
    assert_eq!(std::fs::read_dir(elsewhere).unwrap().count(), 0);
}
