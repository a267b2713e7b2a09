//! Answers requests of catch-up with what is not so: payloads cut short, in another order, or of other blocks;
//! certificates of other votes; or nothing. Else it is honest.

use super::{Behaviour, Powers};
use phalanx_types::{BlockRef, Bytes, Certificate, SyncRequest, SyncResponse};

/// See the module's page.
#[derive(Clone, Copy, Debug, Default)]
pub struct FalseAnswers;

impl Behaviour for FalseAnswers {
    fn answer(&mut self, powers: &mut Powers<'_>, _: &SyncRequest, answer: SyncResponse) -> Option<SyncResponse> {
        match answer {
            SyncResponse::Blocks { mut payloads, finalization } => {
                match powers.random.between(0, 4) {
                    0 => payloads.reverse(),
                    1 => {
                        payloads.pop();
                    }
                    2 => payloads.iter_mut().for_each(|payload| *payload = cut(payload)),
                    3 => return Some(SyncResponse::Blocks { payloads, finalization: finalization.map(tampered) }),
                    _ => return None,
                }
                Some(SyncResponse::Blocks { payloads, finalization })
            }
            SyncResponse::Block { payload, certificate } => match powers.random.between(0, 3) {
                0 => Some(SyncResponse::Block { payload: cut(&payload), certificate }),
                1 => Some(SyncResponse::Block { payload: Bytes::from_static(b"no block"), certificate }),
                2 => Some(SyncResponse::Block { payload, certificate: certificate.map(tampered) }),
                _ => None,
            },
            SyncResponse::Certificates(mut held) => {
                match powers.random.between(0, 2) {
                    0 => held.iter_mut().for_each(|certificate| *certificate = tampered(*certificate)),
                    1 => held.truncate(held.len() / 2),
                    _ => held.clear(),
                }
                Some(SyncResponse::Certificates(held))
            }
        }
    }
}

fn cut(payload: &Bytes) -> Bytes {
    payload.slice(..payload.len() / 2)
}

/// The signature stays; what it is said to be under does not.
fn tampered(certificate: Certificate) -> Certificate {
    let mut vote = certificate.vote;
    if vote.block == BlockRef::NONE {
        vote.position.term += 1;
    } else {
        vote.block.number += 1;
    }
    Certificate { vote, ..certificate }
}
