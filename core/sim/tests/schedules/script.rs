//! How a schedule is told.

use core::time::Duration;
use phalanx_consensus::Rule;
use phalanx_sim::byzantine::BehaviourKind;
use phalanx_sim::cluster::{Cluster, ClusterConfig};
use phalanx_sim::packet::Content;
use phalanx_sim::payload::Payload;
use phalanx_types::{Bytes, Message, OperatorIndex, Proposal, SignedVote, UnsignedProposal, Vote};
use std::sync::mpsc::Receiver;

pub(crate) const fn op(index: u16) -> OperatorIndex {
    OperatorIndex(index)
}

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// `n` operators, some of them Byzantine.
pub(crate) fn cluster(n: usize, slots_per_term: u32, byzantine: &[(u16, BehaviourKind)]) -> Cluster {
    let mut config = ClusterConfig::new(1, n);
    config.slots_per_term = slots_per_term;
    config.liveness_bound = Duration::from_secs(10);
    config.byzantine = byzantine.iter().map(|(index, kind)| (op(*index), *kind)).collect();
    Cluster::new(config)
}

pub(crate) fn run(cluster: &mut Cluster, duration: Duration) {
    cluster.run_for(duration).unwrap_or_else(|failure| panic!("{failure}"));
}

pub(crate) fn reach(cluster: &mut Cluster, limit: Duration, what: &str, reached: impl Fn(&Cluster) -> bool) {
    cluster.run_until_reached(limit, what, reached).unwrap_or_else(|failure| panic!("{failure}"));
}

/// Everyone that runs commits three more blocks.
pub(crate) fn progress(cluster: &mut Cluster, limit: Duration) {
    let height = cluster.height();
    reach(cluster, limit, "everyone makes progress", |cluster| cluster.height_of_the_last() > height + 2);
}

/// Each of these commits three more blocks.
pub(crate) fn progress_of(cluster: &mut Cluster, operators: &[u16], limit: Duration) {
    let height = cluster.height();
    reach(cluster, limit, "these make progress", |cluster| {
        operators.iter().all(|index| cluster.operator(op(*index)).committed().number > height + 2)
    });
}

/// How often honest operators took an arm of the rules.
pub(crate) fn count(cluster: &Cluster, rule: Rule) -> u64 {
    cluster.operators().iter().filter(|operator| operator.is_honest()).map(|operator| operator.rules().of(rule)).sum()
}

pub(crate) fn left(cluster: &Cluster, operator: OperatorIndex) -> bool {
    cluster.status(operator).is_some_and(|status| status.left)
}

/// The lowest slot of its term that an operator does not know notarized.
pub(crate) fn slot(cluster: &Cluster, operator: OperatorIndex) -> u32 {
    cluster.status(operator).expect("it runs").slot
}

pub(crate) fn vote_of(content: &Content) -> Option<&Vote> {
    match content {
        Content::Message(Message::Vote(signed)) => Some(&signed.vote),
        _ => None,
    }
}

pub(crate) fn certificate_of(content: &Content) -> Option<&Vote> {
    match content {
        Content::Message(Message::Certificate(certificate)) => Some(&certificate.vote),
        _ => None,
    }
}

/// A vote in the name of a Byzantine operator, to the others of four.
pub(crate) fn say_vote(cluster: &mut Cluster, signer: OperatorIndex, vote: Vote) {
    let digest = phalanx_threshold::digest(&cluster.keys().domain, &vote);
    let partial = cluster.keys().signers[signer.as_usize()].sign(&digest);
    let message = Message::Vote(SignedVote { vote, signer, partial });
    let others: Vec<_> = cluster.config().size.operators().filter(|operator| *operator != signer).collect();
    others.into_iter().for_each(|to| cluster.say(signer, to, message.clone()));
}

/// The next proposal, as soon as it is sent.
pub(crate) fn next_proposal(cluster: &mut Cluster, proposals: &Receiver<Message>) -> (Box<Proposal>, Bytes) {
    let _ = proposals.try_iter().count();
    loop {
        run(cluster, Duration::from_micros(100));
        if let Ok(Message::Proposal { proposal, payload }) = proposals.try_recv() {
            return (proposal, payload);
        }
    }
}

/// Another block of the same leader for the position of `proposal`, with a salt of its own.
pub(crate) fn twin(cluster: &Cluster, proposal: &Proposal, payload: &Bytes, salt: u64) -> Message {
    let content = Payload { salt, ..Payload::decode(payload).expect("an honest payload") };
    let block = content.to_block();
    let header = UnsignedProposal { block: block.reference, ..proposal.header };
    let identity = cluster.keys().identity(proposal.leader);
    let domain = &cluster.keys().domain;
    let signed = identity.sign_proposal(domain, proposal.leader, header, proposal.justification.clone());
    Message::Proposal { proposal: Box::new(signed), payload: block.payload }
}
