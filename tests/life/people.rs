//! What is kept about a person: registered, corrected, held, opened by two people, erased.

use super::{Script, merge, sealed, sha};
use domain::kernel::actor::Role;
use serde_json::{Value, json};

fn contact(person: &str, act: &str) -> Value {
    let one = || sealed(person, "contact", act);
    json!({ "name": one(), "email": one(), "affiliation": one() })
}

/// One person, with the mistakes that are made about them.
pub fn live(s: &mut Script) {
    let person = format!("p{}", &sha(&s.id("person"))[..32]);
    s.by("otto", Role::ProgrammeOfficer);
    let register = json!({ "subject": person, "contact": contact(&person, "a"),
        "expertise": sealed(&person, "expertise", "b") });
    let name = "subject.register";
    for (code, change) in [
        ("subject.not_opaque", json!({ "subject": "maria-rossi" })),
        ("subject.other_seal", json!({ "contact": { "name": sealed("p2", "contact", "a") } })),
        ("subject.other_seal", json!({ "expertise": sealed(&person, "contact", "a") })),
        ("subject.other_key", json!({ "contact": { "name": sealed(&person, "contact", "z") } })),
        ("command.malformed", json!({ "contact": { "name": "Maria Rossi" } })),
    ] {
        s.no_with(code, name, &register, change);
    }
    s.ok(name, register.clone());
    s.no("command.exists", name, register);
    corrected(s, &person);
    opened(s, &person);
    erased(s, &person);
}

fn corrected(s: &mut Script, person: &str) {
    let correct = json!({ "subject": person, "contact": contact(person, "c") });
    let name = "subject.correct";
    s.no_with("subject.nothing_new", name, &correct, json!({ "contact": null }));
    s.no("subject.other_key", name, json!({ "subject": person, "contact": contact(person, "a") }));
    s.ok(name, correct);
    s.by("aud", Role::Auditor);
    let hold = json!({ "subject": person, "hold": "H1", "ground": "audit", "case": "A-1" });
    s.ok("subject.set_hold", hold.clone());
    s.no("subject.key_taken", "subject.set_hold", hold);
    s.by("otto", Role::ProgrammeOfficer);
    let more = json!({ "subject": person, "expertise": sealed(person, "expertise", "d") });
    s.no("subject.on_hold", name, more.clone());
    let erase =
        json!({ "subject": person, "basis": "objection", "case": "E-0", "purposes": ["contact"] });
    s.no("subject.on_hold", "subject.erase", erase);
    s.by("aud", Role::Auditor);
    let lift = json!({ "subject": person, "hold": "H1", "case": "A-1" });
    s.no_with("subject.no_key", "subject.lift_hold", &lift, json!({ "hold": "H2" }));
    s.ok("subject.lift_hold", lift);
}

fn opened(s: &mut Script, person: &str) {
    s.by("aud", Role::Auditor);
    let ask = json!({ "subject": person, "opening": "O1", "ground": "audit", "case": "A-1",
        "purposes": ["contact"] });
    let name = "subject.request_opening";
    s.no_with("subject.bad_list", name, &ask, json!({ "purposes": [] }));
    s.no_with("subject.bad_list", name, &ask, json!({ "purposes": ["contact", "contact"] }));
    s.ok(name, ask.clone());
    s.no("subject.key_taken", name, ask.clone());
    let open = json!({ "subject": person, "opening": "O1" });
    s.no_with("subject.no_key", "subject.open", &open, json!({ "opening": "O9" }));
    s.no("subject.not_approved", "subject.open", open.clone());
    s.no("subject.own_opening", "subject.approve_opening", open.clone());
    s.by("auth", Role::AuthorisingOfficer);
    s.ok("subject.approve_opening", open.clone());
    s.no("subject.approved_already", "subject.approve_opening", open.clone());
    s.by("other", Role::Auditor);
    s.no("subject.other_opening", "subject.open", open.clone());
    s.by("aud", Role::Auditor);
    s.ok("subject.open", open.clone());
    s.no("subject.used", "subject.open", open.clone());
    let mut late = ask;
    merge(&mut late, json!({ "opening": "O2" }));
    s.ok(name, late);
    let mut open = open;
    merge(&mut open, json!({ "opening": "O2" }));
    s.by("auth", Role::AuthorisingOfficer);
    s.ok("subject.approve_opening", open.clone());
    s.at("2024-11-01T08:00:00Z");
    s.by("aud", Role::Auditor);
    s.no("subject.lapsed", "subject.open", open);
}

fn erased(s: &mut Script, person: &str) {
    s.by("otto", Role::ProgrammeOfficer);
    let erase = json!({ "subject": person, "basis": "consent_withdrawn", "case": "E-1",
        "purposes": ["expertise"] });
    let name = "subject.erase";
    s.no_with("subject.bad_list", name, &erase, json!({ "purposes": [] }));
    s.no_with("subject.nothing_kept", name, &erase, json!({ "purposes": ["conflict"] }));
    s.ok(name, erase.clone());
    s.no("subject.nothing_kept", name, erase.clone());
    let mut all = erase;
    merge(&mut all, json!({ "purposes": ["contact"], "basis": "no_longer_necessary" }));
    s.ok(name, all.clone());
    s.no("command.wrong_state", name, all);
}
