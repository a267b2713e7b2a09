//! Says nothing at all, and answers nothing. To others it looks dead, but it hears everything.

use super::{Behaviour, Powers, Sending};
use phalanx_types::{Message, OperatorIndex, SyncRequest, SyncResponse};

/// See the module's page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Behaviour for Silent {
    fn send(&mut self, _: &mut Powers<'_>, _: &[OperatorIndex], _: &Message, _: &mut Vec<Sending>) {}

    fn answer(&mut self, _: &mut Powers<'_>, _: &SyncRequest, _: SyncResponse) -> Option<SyncResponse> {
        None
    }
}
