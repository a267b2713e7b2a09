//! What can go wrong when a pipeline is made again out of a journal. What goes wrong later is an event
//! ([`crate::Outbound::Fatal`]) or a counter.

use phalanx_types::Certificate;

/// Why a journal's records cannot be voted on. Blames the disk, or whoever configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A certificate that does not verify under the cluster's key.
    #[error(
        "the vote journal holds a {0} that does not verify under the cluster's public key: the key in the cluster \
         file is another one, or the journal is damaged"
    )]
    IoCertificate(Box<Certificate>),
    /// A record that this operator did not sign, or two that contradict each other.
    #[error("the vote journal cannot be this operator's: {0}")]
    IoContradiction(String),
}
