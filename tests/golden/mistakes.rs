//! The mistakes that are made in one command, alone and in pairs.

use crate::life::{merge, person};
use domain::decide::command::Meta;
use domain::kernel::actor::Role;
use jiff::ToSpan;
use serde_json::{Value, json};

/// The longest list of members of a payload in which mistakes are made.
const LEAVES_MAX: usize = 12;

/// One mistake.
#[derive(Clone, Debug)]
pub enum Mistake {
    /// Somebody in a role that may not.
    Role(Role),
    /// Somebody else, in the right role.
    Person,
    /// Said to be true in the future.
    Later,
    /// Said to be true before the euro.
    Early,
    /// Without the source that a fact comes from.
    NoEvidence,
    /// In a world where nothing has happened.
    Absent,
    /// In a world where the command's stream is in another state.
    State,
    /// A member that no schema names.
    Extra,
    /// A member is left out.
    Missing(String),
    /// Another value at this pointer: its name, and it.
    Value(String, &'static str, Value),
}

impl Mistake {
    /// Names it in the list.
    pub fn name(&self) -> String {
        match self {
            Self::Role(_) => "role".to_owned(),
            Self::Person => "person".to_owned(),
            Self::Later => "later".to_owned(),
            Self::Early => "early".to_owned(),
            Self::NoEvidence => "no evidence".to_owned(),
            Self::Absent => "absent".to_owned(),
            Self::State => "state".to_owned(),
            Self::Extra => "extra".to_owned(),
            Self::Missing(member) => format!("missing /{member}"),
            Self::Value(at, name, _) => format!("{name} {at}"),
        }
    }

    /// What it changes: two mistakes of one place cannot be made at once.
    fn place(&self) -> String {
        match self {
            Self::Role(_) | Self::Person => "actor".to_owned(),
            Self::Later | Self::Early => "effective_at".to_owned(),
            Self::NoEvidence => "evidence".to_owned(),
            Self::Absent | Self::State => "world".to_owned(),
            Self::Extra => "extra".to_owned(),
            Self::Missing(member) => format!("/{member}"),
            Self::Value(at, ..) => at.clone(),
        }
    }

    /// Whether both can be made at once.
    pub fn goes_with(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.place(), other.place());
        let within = |whole: &str, part: &str| {
            part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !within(&mine, &theirs) && !within(&theirs, &mine)
    }

    /// Makes it in what comes with the command and in its payload.
    pub fn make(&self, meta: &mut Meta, data: &mut Value) {
        match self {
            Self::Role(role) => meta.actor.role = *role,
            Self::Person => meta.actor = person("somebody-else", meta.actor.role),
            Self::Later => meta.effective_at = meta.recorded_at.checked_add(1.hour()).ok(),
            Self::Early => meta.effective_at = Some(crate::life::instant("1990-01-01T00:00:00Z")),
            Self::NoEvidence => meta.evidence = None,
            Self::Absent | Self::State => {}
            Self::Extra => merge(data, json!({ "unexpected": true })),
            Self::Missing(member) => {
                data.as_object_mut().and_then(|members| members.remove(member));
            }
            Self::Value(at, _, value) => {
                if let Some(old) = data.pointer_mut(at) {
                    *old = value.clone();
                }
            }
        }
    }
}

/// Every mistake that can be made in this payload, by its JSON schema and by its values.
pub fn all(roles: &[Role], schema: &Value, data: &Value) -> Vec<Mistake> {
    use Mistake::{Absent, Early, Extra, Later, Missing, NoEvidence, Person, State};
    let everybody = <Role as std::str::FromStr>::from_str;
    let other = ["auditor", "expert"].iter().filter_map(|role| everybody(role).ok());
    let mut found: Vec<Mistake> =
        other.filter(|role| !roles.contains(role)).take(1).map(Mistake::Role).collect();
    found.extend([Person, Later, Early, NoEvidence, Absent, State, Extra]);
    let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
    let last = required.iter().filter_map(Value::as_str).next_back();
    found.extend(last.map(|member| Missing(member.to_owned())));
    let mut places = Vec::new();
    leaves(data, String::new(), &mut places);
    places.sort_by_key(|at| at.matches('/').count());
    for at in places.iter().take(LEAVES_MAX) {
        let value = data.pointer(at).unwrap_or(&Value::Null);
        let others = values(value).into_iter();
        found.extend(others.map(|(name, value)| Mistake::Value(at.clone(), name, value)));
    }
    found
}

/// Pointers to what holds no other value, and to every list.
fn leaves(data: &Value, at: String, found: &mut Vec<String>) {
    match data {
        Value::Object(members) => {
            for (key, value) in members {
                leaves(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate().take(1) {
                leaves(value, format!("{at}/{index}"), found);
            }
            found.push(at);
        }
        _ => found.push(at),
    }
}

fn values(value: &Value) -> Vec<(&'static str, Value)> {
    match value {
        Value::String(text) if text.starts_with("EUR ") => vec![
            ("zero", json!("EUR 0.00")),
            ("negative", json!("EUR -1.00")),
            ("huge", json!("EUR 1000000000000.00")),
        ],
        Value::String(_) => {
            vec![
                ("empty", json!("")),
                ("long", json!("x".repeat(2_001))),
                ("unknown", json!("none-such")),
            ]
        }
        Value::Number(_) => {
            vec![("zero", json!(0)), ("negative", json!(-1)), ("huge", json!(1_000_000_000))]
        }
        Value::Array(list) => {
            let twice = list.iter().chain(list.first()).cloned().collect();
            vec![("none", json!([])), ("twice", twice)]
        }
        Value::Bool(is) => vec![("not", json!(!is))],
        Value::Null | Value::Object(_) => Vec::new(),
    }
}
