//! Distributed key generation: the operators of a definition make a threshold key that nobody ever holds.
//!
//! # The protocol
//! Every operator deals a random secret ([`Dealing`](crate::Dealing)); the key is the sum. All `n` take part, and
//! the threshold is `q = n − f`: the ceremony ends in one key, or names who is in its way.
//!
//! 1. *Commit*: each sends a signed hash of its dealing. So nobody chooses its dealing by the others'.
//! 2. *Echo*: whoever has all `n` hashes sends them to everybody, with their signatures. All echoes must be
//!    equal: then all will act on the same dealings. Two different hashes signed by one operator convict it.
//! 3. *Deal*: whoever has `n` equal echoes sends its dealing. Dealings are publicly verifiable: one that fails
//!    convicts its dealer before everybody at once, and no complaint ever reveals a share.
//! 4. *Confirm*: whoever has `n` good dealings adds its shares up and signs a digest of the outcome, with its
//!    identity and with its new share. The `n` partials are checked, each against its share key, and the
//!    signature that they make against the new key: the test signature.
//!
//! Whatever convicts somebody is passed on before the ceremony stops, so that all stop for the same reason. Silence
//! convicts nobody: the ceremony waits, says for whom, and goes on when they come, also after restarts. Delivery
//! needs nothing but repetition: each says regularly what it has ([`Have`](envelope::Have)), and gets what it
//! lacks, at first from its author, later from anybody. So when one honest operator finishes, all can: all have
//! added the same dealings up by then, and a wrong *confirm* stops nobody who also gets the right one.
//!
//! Invariants: no IO, no clock; every message that is to be sent is given out to be stored first, and stored
//! messages bring a restarted operator back to where it was ([`Machine::restore`]), with the same dealing:
//! committing to another would convict it.
//!
//! What an adversary of less than `q` shares can do: stop the ceremony (named, or waited for). It cannot bias the
//! key, except by stopping it after it has seen what it would be.

mod ceremony;
mod envelope;
mod machine;

pub use ceremony::{Abort, Attest, Ceremony, Effect, Outcome, Participant, Status};
pub use envelope::{
    Body, CEREMONY_MESSAGE_BYTES_MAX, CEREMONY_VERSION, CeremonyMessage, Envelope, Have, Step, attestation_digest,
};
pub use machine::{ANSWER_BYTES_MAX, HAVE_INTERVAL, Machine};

#[cfg(test)]
mod tests;
