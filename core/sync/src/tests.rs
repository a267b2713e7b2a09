//! Catch-up against peers that are honest, silent, behind, or lying.

use crate::{Action, Answer, BlockSource, CatchUp, CatchUpConfig, RequestId, respond};
use phalanx_threshold::{Ballot, Domain, Identity, PartialSigner, Verified, Verifier, digest, toy};
use phalanx_types::{
    B256, BLOCKS_PER_RESPONSE_MAX, Block, BlockRef, Bytes, Certificate, ClusterId, ClusterSize, OperatorIndex,
    Position, RESPONSE_BYTES_MAX, SyncRequest, SyncResponse, Time, Vote, keccak256,
};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(1);

/// A cluster's key, and the chain that it certified.
struct Chain {
    domain: Domain,
    verifier: Verifier,
    signers: Vec<toy::ToySigner>,
    blocks: Vec<Arc<Block>>,
    /// Which heights have a finalization of their own.
    finalized: BTreeMap<u64, Certificate>,
}

fn block(number: u64, parent: B256, salt: u8, bytes: usize) -> Arc<Block> {
    let mut payload = vec![salt; bytes];
    payload.extend(number.to_be_bytes());
    payload.extend(parent);
    let reference = BlockRef::new(number, keccak256(&payload));
    Arc::new(Block { reference, parent_hash: parent, timestamp_s: 0, payload: payload.into() })
}

impl Chain {
    /// Blocks `0..=last`, each `every`-th one (and the last) with a finalization.
    fn new(last: u64, every: u64, bytes: usize) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(7);
        let size = ClusterSize::new(4).expect("four operators");
        let (scheme, signers) = toy::deal(&mut rng, size);
        let identities = size.operators().map(|_| Identity::generate(&mut rng).public()).collect();
        let domain = Domain::new(1, ClusterId(B256::repeat_byte(1)));
        let verifier = Verifier::new(domain, size, Arc::new(scheme), identities).expect("four identities");
        let mut blocks = vec![block(0, B256::ZERO, 0, bytes)];
        for number in 1..=last {
            let parent = blocks.last().expect("genesis").reference.hash;
            blocks.push(block(number, parent, 0, bytes));
        }
        let mut chain = Self { domain, verifier, signers, blocks, finalized: BTreeMap::new() };
        for number in (1..=last).filter(|number| number % every == 0 || *number == last) {
            let certificate = chain.certify(chain.at(number).reference);
            chain.finalized.insert(number, certificate.into_inner());
        }
        chain
    }

    fn at(&self, number: u64) -> &Arc<Block> {
        &self.blocks[usize::try_from(number).expect("small")]
    }

    fn certify(&self, block: BlockRef) -> Verified<Certificate> {
        let vote = Vote::finalize(Position::new(0, block.number, 0), block);
        let digest = digest(&self.domain, &vote);
        let partials = self.signers.iter().map(|signer| (signer.index(), signer.sign(&digest).into())).collect();
        let mut rng = ChaCha12Rng::seed_from_u64(9);
        let mut made = self.verifier.certify(&mut rng, vec![Ballot { vote, partials }]);
        made.pop().and_then(|made| made.certificate).expect("a quorum signed")
    }

    fn finalization(&self, number: u64) -> Verified<Certificate> {
        self.certify(self.at(number).reference)
    }

    /// What a receiver makes of a response: payloads inspected, certificates checked.
    fn answer(&self, response: SyncResponse) -> Answer {
        let inspect = |payload: Bytes| {
            let tail = &payload[payload.len() - 40..];
            let number = u64::from_be_bytes(tail[..8].try_into().expect("eight bytes"));
            let parent_hash = B256::from_slice(&tail[8..]);
            let reference = BlockRef::new(number, keccak256(&payload));
            Arc::new(Block { reference, parent_hash, timestamp_s: 0, payload })
        };
        let check = |held: Vec<Certificate>| {
            let mut rng = ChaCha12Rng::seed_from_u64(3);
            self.verifier.certificates(&mut rng, held).into_iter().flatten().collect()
        };
        match response {
            SyncResponse::Blocks { payloads, finalization } => Answer {
                blocks: payloads.into_iter().map(inspect).collect(),
                certificates: check(finalization.into_iter().collect()),
            },
            SyncResponse::Block { payload, certificate } => Answer {
                blocks: (!payload.is_empty()).then(|| inspect(payload)).into_iter().collect(),
                certificates: check(certificate.into_iter().collect()),
            },
            SyncResponse::Certificates(held) => Answer { blocks: Vec::new(), certificates: check(held) },
        }
    }

    fn catch_up(&self, peers: u16) -> CatchUp {
        let config = CatchUpConfig { me: OperatorIndex(0), committed: self.at(0).reference, request_timeout: TIMEOUT };
        let mut catch_up = CatchUp::new(config);
        catch_up.set_peers((1..=peers).map(OperatorIndex).collect(), Time::ZERO);
        catch_up
    }
}

impl BlockSource for Chain {
    fn finalized_payload(&self, number: u64) -> Option<Bytes> {
        self.blocks.get(usize::try_from(number).ok()?).map(|block| block.payload.clone())
    }

    fn finalization(&self, number: u64) -> Option<Certificate> {
        self.finalized.get(&number).copied()
    }

    fn highest_finalization(&self) -> Option<Certificate> {
        self.finalized.last_key_value().map(|(_, certificate)| *certificate)
    }

    fn block(&self, hash: B256) -> Option<(Bytes, Option<Certificate>)> {
        let block = self.blocks.iter().find(|block| block.reference.hash == hash)?;
        Some((block.payload.clone(), self.finalized.get(&block.reference.number).copied()))
    }

    fn terms(&self, _: u64, from: u64, to: u64, max: usize) -> Vec<Certificate> {
        self.finalized.range(from..=to).take(max).map(|(_, certificate)| *certificate).collect()
    }
}

/// Lets `respond_as` answer every request until nothing is left to do; what was committed, in order.
fn run(
    chain: &Chain,
    catch_up: &mut CatchUp,
    mut respond_as: impl FnMut(OperatorIndex, SyncRequest) -> Option<SyncResponse>,
) -> (Vec<BlockRef>, Vec<OperatorIndex>) {
    let (mut committed, mut blamed) = (Vec::new(), Vec::new());
    let mut now = Time::ZERO;
    for _ in 0..10_000 {
        let actions: Vec<Action> = catch_up.drain().collect();
        if actions.is_empty() {
            let Some(wake_at) = catch_up.wake_at() else { break };
            now = now.max(wake_at);
            catch_up.tick(now);
            continue;
        }
        for action in actions {
            match action {
                Action::Request { id, to, request } => match respond_as(to, request) {
                    Some(response) => catch_up.answered(id, to, chain.answer(response), now),
                    None => catch_up.failed(id, now),
                },
                Action::Commit { blocks, .. } => {
                    committed.extend(blocks.iter().map(|block| block.reference));
                    catch_up.committed(blocks.last().expect("a commit has blocks").reference, now);
                }
                Action::Fetched(_) => {}
                Action::Blame { peer, .. } => blamed.push(peer),
            }
        }
    }
    (committed, blamed)
}

fn expected(chain: &Chain) -> Vec<BlockRef> {
    chain.blocks[1..].iter().map(|block| block.reference).collect()
}

#[test]
fn live_blocks_are_handed_on_in_order_without_asking_anybody() {
    let chain = Chain::new(10, 1, 10);
    let mut catch_up = chain.catch_up(3);
    for number in [1, 2, 3] {
        catch_up.block(Arc::clone(chain.at(number)), Time::ZERO);
    }
    // The finalization of 3 makes 1 and 2 final as well.
    catch_up.finalized(chain.finalization(3), Time::ZERO);
    let handed: Vec<Action> = catch_up.drain().collect();
    assert_eq!(handed.len(), 1, "{handed:?}");
    let Action::Commit { blocks, finalization } = &handed[0] else { panic!("{handed:?}") };
    let numbers: Vec<u64> = blocks.iter().map(|block| block.reference.number).collect();
    assert_eq!((numbers, finalization.block().number), (vec![1, 2, 3], 3));
}

#[test]
fn a_long_gap_is_fetched_and_committed_in_order() {
    for every in [1, 7, 5_000] {
        let chain = Chain::new(4_500, every, 10);
        let mut catch_up = chain.catch_up(3);
        catch_up.finalized(chain.finalization(4_500), Time::ZERO);
        let (committed, blamed) = run(&chain, &mut catch_up, |_, request| Some(respond(&chain, request)));
        if every == 5_000 {
            // Nobody holds a finalization within reach: nothing unproven is ever handed on.
            assert!(committed.is_empty());
        } else {
            assert_eq!(committed, expected(&chain), "finalizations every {every}");
        }
        assert_eq!(blamed, []);
    }
}

#[test]
fn silent_and_empty_peers_are_passed_over() {
    let chain = Chain::new(300, 3, 10);
    let mut catch_up = chain.catch_up(3);
    catch_up.finalized(chain.finalization(300), Time::ZERO);
    let (committed, _) = run(&chain, &mut catch_up, |peer, request| match peer.0 {
        1 => None,
        2 => Some(SyncResponse::Blocks { payloads: Vec::new(), finalization: None }),
        _ => Some(respond(&chain, request)),
    });
    assert_eq!(committed, expected(&chain));
}

#[test]
fn a_liar_delays_and_is_named() {
    let chain = Chain::new(300, 3, 10);
    let mut catch_up = chain.catch_up(3);
    catch_up.finalized(chain.finalization(300), Time::ZERO);
    let mut lies = 0;
    let (committed, blamed) = run(&chain, &mut catch_up, |peer, request| match (peer.0, request) {
        (1, SyncRequest::Blocks { from, .. }) => {
            // A chain of its own making on top of what the asker has; it links, and nothing certifies it.
            lies += 1;
            let mut parent = chain.at(from - 1).reference.hash;
            let payloads = (from..from + 5).map(|number| {
                let forged = block(number, parent, 9, 10);
                parent = forged.reference.hash;
                forged.payload.clone()
            });
            Some(SyncResponse::Blocks { payloads: payloads.collect(), finalization: None })
        }
        _ => Some(respond(&chain, request)),
    });
    assert!(lies > 0, "the liar was asked");
    assert_eq!(committed, expected(&chain));
    assert!(blamed.contains(&OperatorIndex(1)), "{blamed:?}");
}

#[test]
fn a_block_is_fetched_by_hash_from_whoever_has_it() {
    let chain = Chain::new(5, 1, 10);
    let mut catch_up = chain.catch_up(3);
    catch_up.want_block(chain.at(4).reference, Time::ZERO);
    let mut fetched = Vec::new();
    let mut now = Time::ZERO;
    for _ in 0..50 {
        for action in catch_up.drain().collect::<Vec<_>>() {
            match action {
                Action::Request { id, to, request } if to.0 == 3 => {
                    catch_up.answered(id, to, chain.answer(respond(&chain, request)), now);
                }
                Action::Request { id, to, .. } => {
                    // A peer that answers with another block.
                    let response = respond(&chain, SyncRequest::Block { hash: chain.at(2).reference.hash });
                    catch_up.answered(id, to, chain.answer(response), now);
                }
                Action::Fetched(block) => fetched.push(block.reference),
                // The certificates that came along set catching up in motion, which is not what is tested.
                Action::Commit { .. } | Action::Blame { .. } => {}
            }
        }
        now = now + Duration::from_millis(100);
        catch_up.tick(now);
    }
    assert_eq!(fetched, [chain.at(4).reference]);
}

#[test]
fn a_request_that_is_never_answered_is_made_again_elsewhere() {
    let chain = Chain::new(5, 1, 10);
    let mut catch_up = chain.catch_up(2);
    catch_up.want_terms(0, 1, 3, Time::ZERO);
    let asked: Vec<Action> = catch_up.drain().collect();
    assert!(matches!(asked[..], [Action::Request { to: OperatorIndex(1), .. }]), "{asked:?}");
    catch_up.tick(Time::ZERO + TIMEOUT / 2);
    assert_eq!(catch_up.drain().count(), 0, "one request at a time");
    catch_up.tick(Time::ZERO + TIMEOUT);
    let again: Vec<Action> = catch_up.drain().collect();
    assert!(matches!(again[..], [Action::Request { to: OperatorIndex(2), .. }]), "{again:?}");
    catch_up.answered(RequestId::for_test(0), OperatorIndex(1), Answer::default(), Time::ZERO + TIMEOUT);
    assert_eq!(catch_up.drain().count(), 0, "an answer after its deadline is not an answer");
}

#[test]
fn wants_and_blocks_are_bounded() {
    let chain = Chain::new(1, 1, 10);
    let mut catch_up = chain.catch_up(3);
    for number in 1..10_000_u64 {
        catch_up.block(block(number, B256::repeat_byte(5), 1, 10), Time::ZERO);
        catch_up.want_block(BlockRef::new(number, keccak256(number.to_be_bytes())), Time::ZERO);
    }
    assert!(catch_up.pool_blocks() <= crate::POOL_BLOCKS_MAX);
    assert!(catch_up.drain().count() <= crate::WANTS_MAX);
}

#[test]
fn answers_stay_within_a_message() {
    let chain = Chain::new(1_200, 1, 10);
    let SyncResponse::Blocks { payloads, finalization } =
        respond(&chain, SyncRequest::Blocks { from: 1, to: u64::MAX })
    else {
        panic!("blocks were asked for")
    };
    assert_eq!(payloads.len(), BLOCKS_PER_RESPONSE_MAX);
    assert_eq!(finalization.map(|held| held.block().number), Some(1_024));
    let heavy = Chain::new(40, 3, 1 << 20);
    let SyncResponse::Blocks { payloads, finalization } = respond(&heavy, SyncRequest::Blocks { from: 1, to: 40 })
    else {
        panic!("blocks were asked for")
    };
    let bytes: usize = payloads.iter().map(|payload| payload.len()).sum();
    assert!(bytes <= RESPONSE_BYTES_MAX && !payloads.is_empty());
    assert_eq!(finalization.map(|held| held.block().number), Some(payloads.len() as u64), "it ends where it proves");
    let empty = respond(&chain, SyncRequest::Blocks { from: 9_000, to: 9_001 });
    assert!(matches!(empty, SyncResponse::Blocks { payloads, .. } if payloads.is_empty()));
}
