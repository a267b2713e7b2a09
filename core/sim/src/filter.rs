//! What a script lets pass on the network: for schedules that are told message by message.

use crate::packet::Content;
use core::fmt;
use phalanx_types::{OperatorIndex, Time};

/// A message about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// When.
    pub at: Time,
    /// The machine that sends it.
    pub from: OperatorIndex,
    /// The machine that it is for.
    pub to: OperatorIndex,
    /// What it says.
    pub content: &'a Content,
}

/// Says of each message whether it passes; what does not is lost.
pub struct Filter(Box<dyn FnMut(&Passing<'_>) -> bool + Send>);

impl Filter {
    /// A filter that asks `passes`.
    pub fn new(passes: impl FnMut(&Passing<'_>) -> bool + Send + 'static) -> Self {
        Self(Box::new(passes))
    }

    /// Whether a message passes.
    pub fn passes(&mut self, passing: &Passing<'_>) -> bool {
        (self.0)(passing)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Filter")
    }
}
