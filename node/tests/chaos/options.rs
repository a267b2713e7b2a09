//! What a run is asked to do: the arguments of `.ci/chaos`, handed on in the environment.

use crate::kind::Kind;
use anyhow::{Context, ensure};
use std::time::Duration;

/// Sizes that the suite is written for: one and two faults tolerated.
const OPERATORS: [u8; 2] = [4, 7];

/// What a run does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    /// Decides everything that is random: which faults, whom they meet, for how long, which packets are lost.
    pub(crate) seed: u64,
    pub(crate) operators: u8,
    /// The faults that are injected one after another, in this order.
    pub(crate) script: Vec<Kind>,
    /// For how long faults are drawn at random after the script.
    pub(crate) random: Duration,
}

impl Options {
    /// Reads `CHAOS_SEED`, `CHAOS_OPERATORS`, `CHAOS_FOR_SECONDS` and `CHAOS_ONLY` (names, separated by commas).
    ///
    /// # Errors
    /// Which of them makes no sense.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let number = |name: &str, default: u64| match variable(name) {
            None => Ok(default),
            Some(text) => text.parse::<u64>().with_context(|| format!("{name} is \"{text}\", no number")),
        };
        let operators = u8::try_from(number("CHAOS_OPERATORS", 4)?).context("CHAOS_OPERATORS is too large")?;
        ensure!(OPERATORS.contains(&operators), "CHAOS_OPERATORS is {operators}, not one of {OPERATORS:?}");
        let script = match variable("CHAOS_ONLY") {
            None => Kind::ALL.to_vec(),
            Some(names) => names
                .split(',')
                .filter(|name| !name.is_empty())
                .map(|name| Kind::named(name).with_context(|| format!("CHAOS_ONLY: there is no fault \"{name}\"")))
                .collect::<anyhow::Result<_>>()?,
        };
        let random = Duration::from_secs(number("CHAOS_FOR_SECONDS", 0)?);
        Ok(Self { seed: number("CHAOS_SEED", 1)?, operators, script, random })
    }
}

#[test]
fn options_are_read_and_nonsense_is_refused() {
    let read = |pairs: &'static [(&str, &str)]| {
        Options::read(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    };
    let all = read(&[]).expect("defaults");
    assert_eq!((all.operators, all.script.len(), all.random), (4, Kind::ALL.len(), Duration::ZERO));
    let some = read(&[("CHAOS_ONLY", "loss,leader-killed"), ("CHAOS_OPERATORS", "7"), ("CHAOS_FOR_SECONDS", "9")]);
    let some = some.expect("names of faults");
    assert_eq!(some.script, [Kind::Loss, Kind::LeaderKilled]);
    assert_eq!((some.operators, some.random), (7, Duration::from_secs(9)));
    assert!(read(&[("CHAOS_ONLY", "")]).expect("no script at all").script.is_empty());
    for nonsense in [&[("CHAOS_ONLY", "lost")], &[("CHAOS_OPERATORS", "5")], &[("CHAOS_SEED", "one")]] {
        assert!(read(nonsense).is_err(), "{nonsense:?}");
    }
}
