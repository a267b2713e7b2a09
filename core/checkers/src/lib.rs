//! The invariants of the protocol, restated apart from the code that they check, and fed with what
//! operators were seen to do.
//!
//! [`Checkers`] takes one [`Observation`] after another, in the order in which things happened, and
//! answers each with the [`Violation`] that it is, if it is one. Nothing here shares code with the engine:
//! what is shared is the vocabulary of `phalanx_types` only. Inputs are plain data, so that the simulator
//! feeds them live and [`audit`] feeds them from the stores of real operators afterwards.
//!
//! | invariant | checker |
//! |---|---|
//! | 1 one final block for each height, 4 gapless and linked commits | [`AgreementChecker`] |
//! | 2 no nullification beside a finalization at or above it; one notarization for each position | [`CertificateChecker`] |
//! | 3 never two blocks at a position, no vote after leaving, or long after convicting the leader, durable before sent | [`VoteChecker`] |
//! | 5 finalized height grows in bounded time; 6 none grows without a quorum | [`LivenessChecker`], [`Standstill`] |
//! | 7 a transient timeout does not end a term | [`TermKept`] |
//! | accepted transactions are committed exactly once, none lost | [`TransactionChecker`] |
//! | evidence convicts nobody honest | [`Event::Convicted`] |
//! | every structure stays within its stated bound | [`Event::Length`] |
//!
//! Left to others: signatures (an observed certificate was checked by whoever observed it), and memory:
//! the checkers remember all that they were fed.
#![forbid(unsafe_code)]

mod agreement;
mod audit;
mod certificates;
mod cluster;
mod liveness;
mod observation;
mod scenario;
mod transactions;
mod violation;
mod votes;

pub use agreement::AgreementChecker;
pub use audit::{OperatorStore, StoredBlock, audit};
pub use certificates::CertificateChecker;
pub use cluster::{Checkers, Setting};
pub use liveness::LivenessChecker;
pub use observation::{CommittedBlock, Event, Observation};
pub use scenario::{Standstill, TermKept};
pub use transactions::TransactionChecker;
pub use violation::{Broken, Invariant, Violation};
pub use votes::VoteChecker;
