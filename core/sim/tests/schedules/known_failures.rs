//! What broke other implementations of protocols of this family.

use crate::script::{
    certificate_of, cluster, count, left, ms, next_proposal, op, progress, reach, run, say_vote, twin, vote_of,
};
use core::time::Duration;
use phalanx_consensus::Rule;
use phalanx_sim::byzantine::BehaviourKind;
use phalanx_sim::cluster::{Cluster, ClusterConfig};
use phalanx_sim::filter::Passing;
use phalanx_sim::packet::Content;
use phalanx_sim::payload::Payload;
use phalanx_types::{
    B256, BlockRef, Bytes, ClusterSize, Equivocation, Message, OperatorIndex, Position, Proposal, SignedVote, Time,
    UnsignedProposal, Vote, VoteKind,
};
use std::sync::mpsc::{Receiver, channel};

#[test]
fn every_operator_of_a_quorum_crashes_right_after_journalling_its_nullify() {
    let mut cluster = cluster(4, 8, &[]);
    run(&mut cluster, ms(450));
    cluster.world.network.partition(&[]);
    let operators: Vec<_> = cluster.config().size.operators().collect();
    reach(&mut cluster, ms(1_000), "everyone leaves", |cluster| (0..4).all(|index| left(cluster, op(index))));
    let term = cluster.term();
    for operator in &operators {
        cluster.crash(*operator);
    }
    cluster.world.network.heal();
    for operator in &operators {
        cluster.restart(*operator);
    }
    // No timer may be needed: what was journalled is said again, and one's own vote counts again.
    reach(&mut cluster, ms(100), "the nullification forms from the journals", |cluster| {
        (0..4).all(|index| cluster.status(op(index)).is_some_and(|status| status.term == term + 1))
    });
    assert_eq!(count(&cluster, Rule::LeaveProgress), 4, "nobody timed out twice");
    progress(&mut cluster, ms(1_000));
}

#[test]
fn certificates_known_to_disjoint_halves_are_brought_together() {
    let mut cluster = cluster(4, 8, &[]);
    let half = |operator: OperatorIndex| operator.0 < 2;
    cluster.set_filter(move |passing| match vote_of(passing.content) {
        Some(vote) if vote.kind == VoteKind::Notarize => half(passing.to),
        Some(vote) if vote.kind == VoteKind::Finalize => !half(passing.to),
        _ => certificate_of(passing.content).is_none() || half(passing.from) == half(passing.to),
    });
    run(&mut cluster, ms(3_000));
    cluster.clear_filter();
    progress(&mut cluster, ms(4_000));
}

#[test]
fn a_notarization_that_arrives_after_ones_own_nullify_is_not_finalized_by_it() {
    let mut cluster = cluster(4, 300, &[]);
    run(&mut cluster, ms(450));
    let late = op(2);
    cluster.world.network.deafen(late);
    reach(&mut cluster, ms(1_000), "it times out", |cluster| left(cluster, late));
    let finalized = cluster.operator(late).rules().of(Rule::Finalize);
    // From now on it hears of notarizations, and of no finalization.
    cluster.world.network.heal();
    cluster.set_filter(move |passing| {
        let vote = vote_of(passing.content).or_else(|| certificate_of(passing.content));
        passing.to != late || vote.is_none_or(|vote| vote.kind != VoteKind::Finalize)
    });
    run(&mut cluster, ms(400));
    assert!(left(&cluster, late), "a notarization heals nobody");
    assert_eq!(cluster.operator(late).rules().of(Rule::Finalize), finalized);
    cluster.clear_filter();
    reach(&mut cluster, ms(500), "a finalization heals it", |cluster| !left(cluster, late));
    assert_eq!(cluster.term(), 0, "the term goes on");
}

#[test]
fn a_split_across_a_term_boundary_with_a_dead_sticky_leader() {
    let mut cluster = cluster(4, 4, &[]);
    let about_last = |vote: &Vote| vote.position == Position::new(0, 0, 3) && vote.kind != VoteKind::Nullify;
    cluster.set_filter(move |passing| {
        let last = vote_of(passing.content).or_else(|| certificate_of(passing.content)).is_some_and(about_last);
        passing.from != op(1) && (!last || passing.to.0 < 2)
    });
    run(&mut cluster, ms(700));
    let terms: Vec<u64> = (0..4).map(|index| cluster.status(op(index)).expect("it runs").term).collect();
    assert_eq!(terms, [1, 1, 0, 0], "the boundary lies between them");
    cluster.crash(op(1));
    cluster.clear_filter();
    progress(&mut cluster, ms(2_000));
}

#[test]
fn optimistic_children_of_an_invalid_block_also_across_a_replay() {
    // Blocks each 20 ms, so that children are under way when their parent is judged.
    let mut config = ClusterConfig::new(1, 4);
    config.slots_per_term = 50;
    config.block_time = ms(20);
    config.byzantine = vec![(op(0), BehaviourKind::InvalidBlocks)];
    config.liveness_bound = Duration::from_secs(10);
    let mut cluster = Cluster::new(config);
    let mut replays = 0;
    for _ in 0..4 {
        let before = count(&cluster, Rule::LeaveInvalid);
        reach(&mut cluster, Duration::from_secs(60), "an invalid block is shown", |cluster| {
            count(cluster, Rule::LeaveInvalid) > before
        });
        // All lose their power with the invalid block and its children in their stores.
        for index in 1..4 {
            cluster.crash(op(index));
        }
        run(&mut cluster, ms(50));
        for index in 1..4 {
            cluster.restart(op(index));
        }
        replays += 1;
        progress(&mut cluster, ms(5_000));
    }
    assert_eq!(replays, 4);
    assert_eq!(count(&cluster, Rule::HaltInvalid), 0);
}

#[test]
fn a_leader_that_meets_every_timer_and_yet_prevents_finality() {
    let mut cluster = cluster(4, 1_000, &[]);
    cluster.set_filter(|passing| {
        let finalize = vote_of(passing.content).is_some_and(|vote| vote.kind == VoteKind::Finalize);
        !finalize || passing.from == op(0)
    });
    run(&mut cluster, ms(1_600));
    assert!(count(&cluster, Rule::LeaveFinality) > 0);
    assert_eq!(count(&cluster, Rule::LeaveProgress), 0, "there was progress all the time");
    cluster.clear_filter();
    progress(&mut cluster, ms(2_000));
}

#[test]
fn quorums_of_clusters_that_are_not_three_f_plus_one() {
    for n in [2, 3, 5, 6, 8, 9] {
        let size = ClusterSize::new(n).expect("a few operators");
        let mut cluster = cluster(n, 2, &[]);
        run(&mut cluster, ms(300));
        let dead: Vec<_> = size.operators().skip(size.q()).collect();
        dead.iter().for_each(|operator| cluster.crash(*operator));
        progress(&mut cluster, ms(4_000));
        let one_more = op(u16::try_from(size.q() - 1).expect("few"));
        cluster.crash(one_more);
        run(&mut cluster, ms(1_000));
        cluster.world.checkers.expect_standstill(true);
        run(&mut cluster, ms(2_000));
        cluster.world.checkers.expect_standstill(false);
        cluster.restart(one_more);
        progress(&mut cluster, ms(5_000));
    }
}

#[test]
fn repeated_invalid_votes_do_not_exhaust_the_verifier() {
    let kinds = [(5, BehaviourKind::InvalidPartials), (6, BehaviourKind::Flood)];
    let mut cluster = cluster(7, 300, &kinds);
    run(&mut cluster, ms(5_000));
    assert!(cluster.height_of_the_last() >= 45, "blocks come at their time: {}", cluster.height_of_the_last());
    assert_eq!(cluster.term(), 0);
}

/// The proposals of operator 0, as they are sent, while everything else passes.
fn proposals_of_the_first_leader(cluster: &mut Cluster) -> Receiver<Message> {
    let (seen, proposals) = channel();
    cluster.set_filter(move |passing| {
        if let Content::Message(message @ Message::Proposal { .. }) = passing.content
            && passing.from == op(0)
        {
            // The test may have seen enough.
            let _ = seen.send(message.clone());
        }
        true
    });
    proposals
}

#[test]
fn equivocation_that_floods_the_verify_queue_convicts_once() {
    let mut cluster = cluster(4, 300, &[(0, BehaviourKind::EarlyVotes)]);
    let proposals = proposals_of_the_first_leader(&mut cluster);
    run(&mut cluster, ms(450));
    let (proposal, payload) = next_proposal(&mut cluster, &proposals);
    for salt in 0..2_000 {
        let message = twin(&cluster, &proposal, &payload, 1_000 + salt);
        (1..4).for_each(|to| cluster.say(op(0), op(to), message.clone()));
    }
    run(&mut cluster, ms(200));
    assert_eq!(count(&cluster, Rule::LeaveEquivocation), 3, "each of them, once");
    assert_eq!(cluster.term(), 1, "well before any timeout");
    progress(&mut cluster, ms(1_000));
}

#[test]
fn far_future_positions_take_no_memory() {
    let mut cluster = cluster(4, 8, &[(3, BehaviourKind::EarlyVotes)]);
    run(&mut cluster, ms(250));
    let mut salt = 0_u64;
    for round in 0..40_u64 {
        for step in 0..250_u64 {
            salt += 1;
            let position = Position::new(0, 2 + round * 1_000 + step, u32::try_from(step % 8).expect("small"));
            let block = BlockRef::new(salt, B256::left_padding_from(&salt.to_be_bytes()));
            let vote = match step % 3 {
                0 => Vote::notarize(position, block),
                1 => Vote::nullify(position),
                _ => Vote::finalize(position, block),
            };
            say_vote(&mut cluster, op(3), vote);
        }
        run(&mut cluster, ms(50));
    }
    // 10,000 votes were sent to each; what is held is asserted after every event, and this is what is left.
    for index in 0..3 {
        let status = cluster.status(op(index)).expect("it runs");
        assert!(status.certificates_held < 64 && status.proposals_held < 64, "{status:?}");
    }
    progress(&mut cluster, ms(1_000));
}

#[test]
fn a_new_leader_that_is_blocks_behind_fetches_them_and_leads() {
    let mut cluster = cluster(4, 8, &[]);
    run(&mut cluster, ms(250));
    let next = op(1);
    // It gets none of the rest of the term's blocks, and hears of its end.
    cluster.set_filter(move |passing| {
        let behind = passing.at < Time::from_micros(850_000) && passing.to == next;
        let block = matches!(passing.content, Content::Message(Message::Proposal { .. }) | Content::Response { .. });
        !(behind && block)
    });
    run(&mut cluster, ms(600));
    assert!(cluster.operator(next).committed().number + 2 <= cluster.height(), "it is behind");
    run(&mut cluster, ms(700));
    assert!(cluster.operator(next).rules().of(Rule::ProposeNext) > 0, "it leads");
    assert_eq!(count(&cluster, Rule::LeaveProgress), 0, "nobody waited for a timeout");
}

#[test]
fn leadership_of_an_operator_whose_execution_is_not_synced() {
    let mut cluster = cluster(4, 8, &[]);
    cluster.watch_all();
    run(&mut cluster, ms(250));
    cluster.refuse_builds(op(1));
    cluster.set_load(Some(ms(50)));
    for _ in 0..6 {
        progress(&mut cluster, ms(2_000));
    }
    run(&mut cluster, ms(5_000));
    assert_eq!(cluster.operator(op(1)).rules().of(Rule::ProposeNext), 0);
    assert!(cluster.operator(op(1)).rules().of(Rule::BuildAgain) > 0, "it kept trying");
    cluster.expect_all_committed(Duration::from_secs(5)).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn leadership_of_an_operator_whose_execution_is_sick() {
    let mut cluster = cluster(4, 8, &[]);
    run(&mut cluster, ms(250));
    let sick = op(1);
    cluster.refuse_all(sick);
    reach(&mut cluster, ms(4_000), "it halts when a quorum says otherwise", |cluster| !cluster.operator(sick).is_up());
    progress(&mut cluster, ms(3_000));
    let honest = (0..4).filter(|index| *index != 1).map(|index| cluster.operator(op(index)).rules());
    assert_eq!(honest.map(|rules| rules.of(Rule::HaltInvalid)).sum::<u64>(), 0, "nobody else does");
}

/// What a leader's own core makes its block for a position with, so that a script knows it from a twin.
fn salt_of(position: Position) -> u64 {
    position.term << 32 | u64::from(position.slot)
}

/// Whether this is the block that the core of `leader` proposes at `position`.
fn proposes(passing: &Passing<'_>, leader: OperatorIndex, position: Position) -> bool {
    let Content::Message(Message::Proposal { proposal, payload }) = passing.content else { return false };
    let salt = Payload::decode(payload).map(|content| content.salt);
    passing.from == leader && proposal.header.position == position && salt == Ok(salt_of(position))
}

#[test]
fn an_equivocating_leaders_losing_block_gathers_a_certificate_elsewhere() {
    let mut cluster = cluster(4, 300, &[(0, BehaviourKind::EarlyVotes)]);
    let (losing, position) = (op(3), Position::new(0, 0, 5));
    let (seen, proposals) = channel();
    // One operator is not shown the block of the others, and nobody is shown both.
    cluster.set_filter(move |passing| {
        let shown = proposes(passing, op(0), position);
        if let (true, Content::Message(message)) = (shown, passing.content) {
            // The test may have seen enough.
            let _ = seen.send(message.clone());
        }
        !shown || passing.to != losing
    });
    run(&mut cluster, ms(350));
    let (proposal, payload) = next_proposal(&mut cluster, &proposals);
    cluster.say(op(0), losing, twin(&cluster, &proposal, &payload, 77));
    let votes = cluster.operator(losing).rules().of(Rule::Notarize);
    run(&mut cluster, ms(60));
    assert_eq!(cluster.operator(losing).rules().of(Rule::Notarize), votes + 1, "it voted for the other block");
    progress(&mut cluster, ms(400));
    let block = proposal.header.block;
    let committed = |index| cluster.operator(op(index)).store().block_by_hash(block.hash).map(|held| held.reference);
    assert!((0..4).all(|index| committed(index) == Some(block)), "what a quorum voted for is final everywhere");
    assert_eq!((cluster.term(), count(&cluster, Rule::LeaveEquivocation)), (0, 0), "nobody has evidence");
}

/// From now on the leaders of terms 0 and 1 show nothing of their own from slot 5 of term 0 on: what they would show.
fn withhold(cluster: &mut Cluster) -> Receiver<Message> {
    let (seen, proposals) = channel();
    cluster.set_filter(move |passing| {
        let Content::Message(message @ Message::Proposal { proposal, .. }) = passing.content else { return true };
        let withheld = proposal.header.position >= Position::new(0, 0, 5) && proposal.leader.0 < 2;
        if withheld {
            // The test may have seen enough.
            let _ = seen.send(message.clone());
        }
        !withheld
    });
    proposals
}

/// A block of term 0 is shown to two of seven operators, well placed or not; the next leader, which colludes, proposes
/// the same block at the first slot of its term, where it is good.
fn one_block_at_two_positions(misplaced: bool) {
    let mut cluster = cluster(7, 8, &[(0, BehaviourKind::EarlyVotes), (1, BehaviourKind::EarlyVotes)]);
    let proposals = withhold(&mut cluster);
    run(&mut cluster, ms(350));
    let (proposal, payload) = next_proposal(&mut cluster, &proposals);
    assert_eq!(proposal.header.position, Position::new(0, 0, 5));
    let say = |cluster: &mut Cluster, leader: OperatorIndex, header, justification, to: &[u16]| {
        let identity = cluster.keys().identity(leader);
        let proposal = identity.sign_proposal(&cluster.keys().domain, leader, header, justification);
        let message = Message::Proposal { proposal: Box::new(proposal), payload: payload.clone() };
        cluster.clear_filter();
        to.iter().for_each(|to| cluster.say(leader, op(*to), message.clone()));
        withhold(cluster)
    };
    let parent_position = Position::new(0, 0, if misplaced { 3 } else { 4 });
    let header = UnsignedProposal { parent_position, ..proposal.header };
    let proposals = say(&mut cluster, op(0), header, proposal.justification.clone(), &[2, 3]);
    let next = loop {
        let (next, _) = next_proposal(&mut cluster, &proposals);
        if next.header.position == Position::new(0, 1, 0) {
            break next;
        }
    };
    let header = UnsignedProposal { block: proposal.header.block, ..next.header };
    let _ = say(&mut cluster, op(1), header, next.justification.clone(), &[2, 3, 4, 5, 6]);
    progress(&mut cluster, ms(3_000));
    let block = proposal.header.block;
    let committed = |index| cluster.operator(op(index)).store().block_by_hash(block.hash).is_some();
    assert!((2..7).all(committed), "the block is good where it was proposed again");
    assert_eq!(count(&cluster, Rule::LeaveInvalid), if misplaced { 2 } else { 0 });
    assert_eq!(count(&cluster, Rule::LeaveEquivocation), 0);
    assert_eq!(count(&cluster, Rule::HaltInvalid), 0);
}

#[test]
fn a_duplicate_payload() {
    one_block_at_two_positions(false);
}

#[test]
fn the_same_payload_under_two_headers_poisons_no_cached_verdict() {
    one_block_at_two_positions(true);
}

#[test]
fn what_does_not_conflict_convicts_nobody_and_neither_do_partials() {
    let mut cluster = cluster(4, 300, &[(3, BehaviourKind::EarlyVotes)]);
    let proposals = proposals_of_the_first_leader(&mut cluster);
    run(&mut cluster, ms(350));
    let (first, payload) = next_proposal(&mut cluster, &proposals);
    let (second, _) = next_proposal(&mut cluster, &proposals);
    let Message::Proposal { proposal: own, .. } =
        twin(&cluster, &Proposal { leader: op(3), ..(*first).clone() }, &payload, 7)
    else {
        unreachable!("a twin is a proposal");
    };
    let evidence = |one: &Proposal, other: &Proposal| {
        Message::Equivocation(Box::new(Equivocation {
            leader: op(0),
            first: one.header,
            first_signature: one.signature,
            second: other.header,
            second_signature: other.signature,
        }))
    };
    // One proposal twice; proposals for two positions; and another block that its leader never signed.
    let mut said = vec![evidence(&first, &first), evidence(&first, &second), evidence(&first, &own)];
    // Any quorum of shares makes the partial of any operator: it proves nothing about its owner.
    for header in [first.header, own.header] {
        for vote in [Vote::notarize(header.position, header.block), Vote::finalize(header.position, header.block)] {
            let partial = cluster.keys().signers[0].sign(&phalanx_threshold::digest(&cluster.keys().domain, &vote));
            said.push(Message::Vote(SignedVote { vote, signer: op(0), partial }));
        }
    }
    for message in said {
        (0..3).for_each(|to| cluster.say(op(3), op(to), message.clone()));
    }
    let height = cluster.height();
    run(&mut cluster, ms(2_000));
    assert!(cluster.height_of_the_last() > height + 15);
    assert_eq!((cluster.term(), count(&cluster, Rule::LeaveEquivocation)), (0, 0));
    // Two signatures of the leader for one position do convict, while it is not final; the checkers know it honest.
    let (proposal, payload) = next_proposal(&mut cluster, &proposals);
    cluster.say(op(3), op(1), evidence_of_the_leader(&cluster, &proposal, &payload));
    let failure = cluster.run_for(ms(50)).expect_err("only somebody with its keys makes that");
    assert!(failure.to_string().contains("showed evidence against operator 0"), "{failure}");
}

/// What only the leader itself can make.
fn evidence_of_the_leader(cluster: &Cluster, proposal: &Proposal, payload: &Bytes) -> Message {
    let Message::Proposal { proposal: other, .. } = twin(cluster, proposal, payload, 7) else {
        unreachable!("a twin is a proposal");
    };
    Message::Equivocation(Box::new(Equivocation {
        leader: proposal.leader,
        first: proposal.header,
        first_signature: proposal.signature,
        second: other.header,
        second_signature: other.signature,
    }))
}
