//! Answers to other operators' requests, out of what is stored here, within the bounds of a message.

use phalanx_types::{
    B256, BLOCKS_PER_RESPONSE_MAX, Bytes, CERTIFICATES_PER_RESPONSE_MAX, Certificate, RESPONSE_BYTES_MAX, SyncRequest,
    SyncResponse,
};

/// Room kept for everything in a response that is not a payload. Unit: bytes.
const OVERHEAD_BYTES: usize = 64 << 10;

/// What is stored here, to be read while answering.
pub trait BlockSource {
    /// The payload of the finalized block at `number`.
    fn finalized_payload(&self, number: u64) -> Option<Bytes>;
    /// The finalization of exactly the block at `number`, if it is held.
    fn finalization(&self, number: u64) -> Option<Certificate>;
    /// The highest finalization held.
    fn highest_finalization(&self) -> Option<Certificate>;
    /// A block by hash, final or not, with a notarization or finalization of it where one is held.
    fn block(&self, hash: B256) -> Option<(Bytes, Option<Certificate>)>;
    /// The certificates by which the terms `from..=to` of `epoch` were left, ascending, at most `max`.
    fn terms(&self, epoch: u64, from: u64, to: u64, max: usize) -> Vec<Certificate>;
}

/// The answer to `request`. Never larger than `RESPONSE_BYTES_MAX`.
pub fn respond(source: &dyn BlockSource, request: SyncRequest) -> SyncResponse {
    match request {
        SyncRequest::Blocks { from, to } => blocks(source, from, to),
        SyncRequest::Block { hash } => {
            let (payload, certificate) = source.block(hash).unwrap_or_default();
            SyncResponse::Block { payload, certificate }
        }
        SyncRequest::Terms { epoch, from, to } => {
            // A finalization above answers any request below it: it comes along.
            let mut certificates = source.terms(epoch, from, to, CERTIFICATES_PER_RESPONSE_MAX - 1);
            certificates.extend(source.highest_finalization());
            certificates.sort_by_key(|certificate| (certificate.position(), certificate.kind()));
            SyncResponse::Certificates(certificates)
        }
    }
}

/// As many payloads as fit, cut back to the last block whose finalization is held, where there is one.
fn blocks(source: &dyn BlockSource, from: u64, to: u64) -> SyncResponse {
    let last = to.min(from.saturating_add(BLOCKS_PER_RESPONSE_MAX as u64 - 1));
    let mut payloads = Vec::new();
    let mut bytes = OVERHEAD_BYTES;
    let mut proved: Option<(usize, Certificate)> = None;
    for number in from..=last {
        let Some(payload) = source.finalized_payload(number) else { break };
        bytes += payload.len() + 8;
        if bytes > RESPONSE_BYTES_MAX {
            break;
        }
        payloads.push(payload);
        if let Some(finalization) = source.finalization(number) {
            proved = Some((payloads.len(), finalization));
        }
    }
    match proved {
        Some((length, finalization)) => {
            payloads.truncate(length);
            SyncResponse::Blocks { payloads, finalization: Some(finalization) }
        }
        None => SyncResponse::Blocks { payloads, finalization: source.highest_finalization() },
    }
}
