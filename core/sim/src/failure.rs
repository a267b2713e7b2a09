//! How a simulation ends badly, and the command that shows it again.

use phalanx_checkers::Violation;
use phalanx_types::{OperatorIndex, Time};

/// Why a simulation stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// An invariant was broken.
    #[error("{0}")]
    Violation(#[from] Violation),
    /// An honest operator stopped for good, as it does when continuing would be unsafe.
    #[error("operator {operator} halted at {at}: {reason}")]
    Halted {
        /// When.
        at: Time,
        /// Who.
        operator: OperatorIndex,
        /// What it said.
        reason: String,
    },
    /// What a scenario waits for did not come about.
    #[error("at {at}: {what}")]
    Expectation {
        /// When it was given up.
        at: Time,
        /// What was expected.
        what: String,
    },
    /// The code under test panicked.
    #[error("panicked: {0}")]
    Panicked(String),
}

impl Failure {
    /// What kind of failure this is: two that have one kind are taken for the same fault of the code.
    #[must_use]
    pub fn kind(&self) -> String {
        // Without the numbers: those differ from one schedule to the next.
        let words = |text: &str| {
            let words = text.split(|letter: char| !letter.is_alphabetic()).filter(|word| word.len() > 2);
            words.take(8).collect::<Vec<_>>().join(" ")
        };
        match self {
            Self::Violation(violation) => format!("{:?}", violation.broken.invariant()),
            Self::Halted { reason, .. } => format!("halted: {}", words(reason)),
            Self::Expectation { what, .. } => format!("expected: {what}"),
            Self::Panicked(message) => format!("panicked: {}", words(message)),
        }
    }
}
