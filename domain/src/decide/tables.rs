//! The table of a decider's commands: what each line says once is made into the declarations, the list and
//! the documents that everything else reads.

/// Makes the declarations of a decider's commands: which stream a command is for, the phases that the
/// stream may be in, and a line for each command. What it decides stands in `impl Decide`.
macro_rules! commands {
    (
        |$it:ident| $stream:expr, $phases:ident;
        $($command:ident $name:literal $summary:literal
            by [$($role:ident),+ $(,)?] in [$($phase:ident),+ $(,)?] $(needs [$($need:ident),+])?
            under $document:expr, $clause:literal;)+
    ) => {
        $(impl $crate::decide::command::Command for $command {
            const DECLARATION: $crate::decide::command::Declaration =
                $crate::decide::command::Declaration {
                    name: $name,
                    summary: $summary,
                    roles: &[$($crate::kernel::actor::Role::$role),+],
                    from: &[$($crate::decide::tables::commands!(@phase $phases $phase)),+],
                    needs: &[$($($crate::decide::command::Need::$need),+)?],
                    rule: $crate::kernel::refusal::Rule::of($document, $clause),
                };

            fn target(&self) -> $crate::kernel::ids::StreamId {
                let $it = self;
                $crate::kernel::ids::StreamKey::stream(&$stream)
            }

            fn check_needs(
                &self,
                _turn: $crate::decide::command::Turn,
                _world: &$crate::facts::world::World,
                _meta: &$crate::decide::command::Meta,
            ) -> Result<(), $crate::kernel::refusal::Refusal> {
                $($(if $crate::decide::command::Need::$need.turn() == _turn {
                    <Self as $crate::decide::needs::Meets<$crate::decide::needs::$need>>::check(
                        self, _world, _meta,
                    )?;
                })+)?
                Ok(())
            }
        })+

        /// Every command of this decider.
        pub const COMMANDS: &[$crate::decide::command::Entry] =
            &[$($crate::decide::command::entry::<$command>()),+];
    };
    (@phase $phases:ident new) => { $crate::facts::stream::NEW };
    (@phase $phases:ident $phase:ident) => { $phases::$phase.name() };
}
pub(crate) use commands;
