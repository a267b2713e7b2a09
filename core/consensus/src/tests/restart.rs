//! Restarts at every record of the journal: nothing that was said is contradicted, everything is said
//! again, and a leader never makes another block for a position.

use crate::testing::{BLOCK_TIME, Rig, TIMEOUT, at, block, chain, genesis};
use crate::{Effect, Rule};
use core::time::Duration;
use phalanx_types::{Position, Record, Vote, VoteKind};
use std::collections::BTreeMap;

fn resent(rig: &Rig) -> Vec<Vote> {
    let again = |effect: &Effect| if let Effect::ResendVote(vote) = effect { Some(*vote) } else { None };
    rig.last.iter().filter_map(again).collect()
}

/// An eventful life of operator 2 of 4, with W = 3.
fn live(rig: &mut Rig) {
    let blocks = chain(genesis(), 6, 0);
    rig.proposals(0, 0, &blocks[..3], None);
    rig.notarization(0, 0, blocks[0].reference).finalization(0, 0, blocks[0].reference);
    rig.notarization(0, 1, blocks[1].reference);
    rig.pass(TIMEOUT * 2);
    rig.nullification(0, 2);
    rig.proposals(1, 0, &blocks[2..5], Some(at(0, 1)));
    for (slot, held) in (0..).zip(&blocks[2..5]) {
        rig.notarization(1, slot, held.reference);
    }
    rig.pass(BLOCK_TIME * 2);
    rig.built(at(2, 0), &block(blocks[4].reference, 7));
    rig.pass(Duration::from_millis(1));
}

#[test]
fn at_every_record_nothing_is_contradicted_and_everything_is_said_again() {
    let mut whole = Rig::new(2, 4, 3);
    live(&mut whole);
    assert!(whole.records() >= 15, "the life is eventful enough: {} records", whole.records());
    for lost in 0..=whole.records() {
        let mut rig = Rig::new(2, 4, 3);
        live(&mut rig);
        let durable = rig.restored(lost).records;
        rig.restart(lost);
        let said_again = resent(&rig);
        let said: Vec<Vote> = durable
            .iter()
            .filter_map(|record| if let Record::Vote(signed) = record { Some(signed.vote) } else { None })
            .collect();
        assert!(said_again.iter().all(|vote| said.contains(vote)), "what is said again is in the journal");
        // The last vote of each kind is said again, unless it has been overtaken.
        let status = rig.engine.status();
        for vote in said.iter().filter(|vote| vote.position.term == status.term) {
            let open = match vote.kind {
                VoteKind::Notarize => vote.position.slot >= status.slot,
                VoteKind::Nullify => status.left && vote.position.slot >= status.slot,
                VoteKind::Finalize => {
                    status.finalized_position < Some(vote.position) && vote.position.slot + 1 == status.slot
                }
            };
            assert!(!open || said_again.contains(vote), "{vote} is said again ({lost} records lost)");
        }
        // Life goes on with the same inputs: no vote contradicts what is in the journal.
        let mut ever: BTreeMap<Position, Vote> = BTreeMap::new();
        rig.log.clear();
        live(&mut rig);
        let fresh = rig.log.iter().filter_map(|effect| match effect {
            Effect::Vote { vote, .. } => Some(*vote),
            _ => None,
        });
        for vote in said.iter().copied().chain(fresh).filter(|vote| vote.kind == VoteKind::Notarize) {
            let before = ever.insert(vote.position, vote);
            assert!(before.is_none_or(|before| before == vote), "{vote} after {before:?}");
        }
    }
}

#[test]
fn everyone_crashed_after_nullify_and_says_it_again() {
    let mut rig = Rig::new(1, 4, 8);
    rig.pass(TIMEOUT);
    rig.restart(0);
    assert!(rig.engine.status().left);
    assert_eq!(resent(&rig), [Vote::nullify(at(0, 0))], "one's own vote counts again after the restart");
    rig.proposal(0, 0, &block(genesis(), 0), None);
    assert_eq!(rig.votes(), [], "having left is remembered");
    rig.pass(TIMEOUT);
    assert_eq!(rig.rule(Rule::LeaveProgress), 0, "and leaving is not repeated");
}

#[test]
fn a_finalizer_restarts_with_the_notarization_that_it_relied_on() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 3, 0);
    rig.notarization(0, 2, blocks[2].reference);
    rig.restart(0);
    rig.pass(TIMEOUT);
    assert_eq!(rig.all_votes(VoteKind::Nullify), [at(0, 3)], "above what it finalized by a vote");
    // Even if the certificate were gone, the own Finalize is remembered.
    let mut rig = Rig::new(1, 4, 8);
    rig.notarization(0, 2, blocks[2].reference);
    let mut restored = rig.restored(0);
    restored.certificates.clear();
    restored.records.retain(|record| matches!(record, Record::Vote(_)));
    rig.restart_from(restored);
    rig.pass(TIMEOUT);
    assert_eq!(rig.all_votes(VoteKind::Nullify), [at(0, 3)]);
}

#[test]
fn a_crash_between_the_certificate_and_the_vote_is_made_good() {
    let mut rig = Rig::new(1, 4, 8);
    rig.notarization(0, 0, block(genesis(), 0).reference);
    rig.restart(1); // the Finalize was not durable, so it was never sent
    assert_eq!(rig.votes(), [Vote::finalize(at(0, 0), block(genesis(), 0).reference)]);
}

#[test]
fn healing_survives_a_restart() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 2, 0);
    rig.pass(TIMEOUT).finalization(0, 0, blocks[0].reference);
    assert_eq!(rig.rule(Rule::Heal), 1);
    rig.restart(0);
    assert!(!rig.engine.status().left);
    rig.restart(1);
    assert!(rig.engine.status().left, "without the finalization that healed, it is still out");
}

#[test]
fn a_leader_takes_up_its_journalled_proposals() {
    let mut rig = Rig::new(0, 4, 8);
    let first = block(genesis(), 0);
    rig.built(at(0, 0), &first);
    rig.restart(0);
    assert!(rig.did(|effect| matches!(effect, Effect::ResendProposal { position, .. } if *position == at(0, 0))));
    assert_eq!(resent(&rig), [Vote::notarize(at(0, 0), first.reference)]);
    assert!(
        rig.did(|effect| matches!(effect, Effect::Build { position, parent } if *position == at(0, 1) && *parent == first.reference)),
        "and goes on above them"
    );
    // The vote was lost, the proposal was not.
    let mut rig = Rig::new(0, 4, 8);
    rig.built(at(0, 0), &first);
    rig.restart(1);
    assert_eq!(rig.votes(), [Vote::notarize(at(0, 0), first.reference)]);
    // Both were lost, so neither was sent.
    let mut rig = Rig::new(0, 4, 8);
    rig.built(at(0, 0), &first);
    rig.restart(2);
    assert!(rig.did(|effect| matches!(effect, Effect::Build { position, .. } if *position == at(0, 0))));
}

#[test]
fn a_leader_without_the_block_of_its_proposal_leaves_the_term() {
    let mut rig = Rig::new(0, 4, 8);
    rig.built(at(0, 0), &block(genesis(), 0));
    let mut restored = rig.restored(0);
    restored.blocks.clear();
    rig.restart_from(restored);
    assert_eq!((rig.rule(Rule::LeaveProposalLost), rig.votes()), (1, vec![Vote::nullify(at(0, 0))]));
    rig.pass(TIMEOUT * 3);
    assert!(rig.log.iter().filter(|effect| matches!(effect, Effect::Propose { .. })).count() == 1);
}

#[test]
fn unfinalized_blocks_are_executed_again_parents_first_and_what_is_final_is_committed() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 4, 0);
    rig.proposals(0, 0, &blocks, None);
    rig.notarization(0, 2, blocks[2].reference).finalization(0, 1, blocks[1].reference);
    rig.restart(0);
    let asked: Vec<_> = rig
        .last
        .iter()
        .filter_map(|effect| if let Effect::Validate(held) = effect { Some(held.reference.number) } else { None })
        .collect();
    assert_eq!(asked, [1, 2, 3, 4]);
    assert!(rig.did(|effect| matches!(effect, Effect::Commit(held) if held.block() == blocks[1].reference)));
    assert_eq!(rig.rule(Rule::Restore), 1);
    assert_eq!(rig.engine.status().finalized, blocks[1].reference);
    assert_eq!(rig.engine.status().notarized, blocks[2].reference);
}

#[test]
fn the_certificate_by_which_the_term_was_entered_is_served_after_a_restart() {
    let mut rig = Rig::new(1, 4, 8);
    rig.nullification(6, 3);
    rig.restart(0);
    assert_eq!(rig.engine.status().term, 7);
    assert!(rig.did(|effect| matches!(effect, Effect::Forward(held) if held.vote == Vote::nullify(at(6, 3)))));
}

#[test]
fn votes_show_a_later_term_than_the_certificates_that_are_left() {
    let mut rig = Rig::new(1, 4, 8);
    rig.pass(TIMEOUT);
    rig.nullification(0, 0);
    rig.pass(TIMEOUT * 2);
    assert!(rig.votes().iter().chain(&resent(&rig)).any(|vote| *vote == Vote::nullify(at(1, 0))));
    let mut restored = rig.restored(0);
    restored.certificates.clear();
    rig.restart_from(restored);
    assert_eq!(rig.engine.status().term, 1, "it does not go back to vote in a term that is over for it");
    assert!(rig.engine.status().left);
}
