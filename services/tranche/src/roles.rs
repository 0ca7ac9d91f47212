//! What an instance does, of all that can be done on one log.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// One of the works on a log.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Decides and records, while it holds the lease; of several, the others stand by.
    Writer,
    /// Answers people: commands, views, the log and pages over HTTP.
    Web,
    /// Fires timers and lets process managers react. Whoever writes does it, right behind each cause
    /// (ADR/0009), so it goes with `writer`.
    Processes,
    /// Publishes single events for other systems.
    Relay,
    /// Talks to Slurm, banks and mail servers.
    Connectors,
}

/// The works of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Default for Roles {
    /// Everything that a site with one instance needs.
    fn default() -> Self {
        Self([Role::Writer, Role::Web, Role::Processes].into())
    }
}

impl Roles {
    /// One that decides and answers nobody.
    #[must_use]
    pub fn writing() -> Self {
        Self([Role::Writer, Role::Processes].into())
    }

    /// Whether it does this work.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut roles = BTreeSet::new();
        for name in text.split(',').map(str::trim) {
            let known = <Role as strum::VariantNames>::VARIANTS.join(", ");
            let role =
                name.parse().map_err(|_| format!("{name:?} is no role; there are {known}"))?;
            if !roles.insert(role) {
                return Err(format!("{name} is said twice"));
            }
        }
        if roles.contains(&Role::Connectors) {
            return Err("connectors: this release has none; usage and bank statements come in as \
                        commands"
                .to_owned());
        }
        if roles.contains(&Role::Writer) != roles.contains(&Role::Processes) {
            return Err("writer and processes go together: who writes reacts right behind each \
                        cause (ADR/0009)"
                .to_owned());
        }
        Ok(Self(roles))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&'static str> = self.0.iter().map(Into::into).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_and_shown() {
        let roles: Roles = "web, writer,processes".parse().unwrap();
        assert_eq!(roles, Roles::default());
        assert_eq!(roles.to_string(), "writer,web,processes");
        assert_eq!("relay".parse::<Roles>().unwrap().to_string(), "relay");
        assert!(roles.has(Role::Web) && !roles.has(Role::Relay));
    }

    #[test]
    fn roles_that_make_no_sense_are_refused_with_the_reason() {
        for (text, why) in [
            ("", "no role"),
            ("web,king", "no role; there are writer, web, processes, relay, connectors"),
            ("web,web", "twice"),
            ("writer", "go together"),
            ("processes,web", "go together"),
            ("web,connectors", "this release has none"),
        ] {
            let error = text.parse::<Roles>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
