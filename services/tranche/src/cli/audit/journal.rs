//! The options of `tranche audit journal`, made of the list of their parameters.

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};
use projections::query::journal::{PARAMETERS, Parameter, Tests};

/// Holds what the journal tests are asked.
#[derive(Clone, Debug, Default)]
pub struct TestArgs(Tests);

impl TestArgs {
    /// Gives the tests with their parameters.
    pub fn tests(&self) -> &Tests {
        &self.0
    }
}

/// Makes the option that sets a parameter.
fn option(parameter: &'static Parameter) -> Arg {
    let Parameter { name, flag, text, value, .. } = *parameter;
    let read = move |text: &str| Tests::default().set(name, text).map(|()| text.to_owned());
    let option = Arg::new(name).long(flag).value_name(value).help(text).value_parser(read);
    match parameter.usual() {
        Some(usual) => option.help(format!("{text} [default: {usual}]")),
        None => option,
    }
}

impl Args for TestArgs {
    fn augment_args(command: Command) -> Command {
        command.args(PARAMETERS.iter().map(option))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for TestArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut asked = Self::default();
        asked.update_from_arg_matches(matches)?;
        Ok(asked)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for parameter in PARAMETERS {
            if let Some(text) = matches.get_one::<String>(parameter.name) {
                let set = self.0.set(parameter.name, text);
                set.map_err(|error| Error::raw(ErrorKind::ValueValidation, error))?;
            }
        }
        Ok(())
    }
}
